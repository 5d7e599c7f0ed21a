import { AppError } from '#libs/platform/domain';
import { subjectDigest, type Ticket } from '#libs/signature';
import { AppendLog } from './append-log.js';

/** Operations that are written down ahead of their use, so that not every card waits for the disk. A crash burns what is left of them. */
export const RESERVED_AHEAD = 64;

interface Count {
  /** Given out, or about to be. */
  spent: number;
  /** Asked of the log, and known to be on disk. */
  reserved: number;
  onDisk: number;
  /** The last line of this ticket. */
  written: Promise<void>;
}

/**
 * How many operations of each ticket are gone. A line of the log says `ticketId operations digest`; what it stands for is on disk
 * before it is given out, so that a crash burns operations and never gives them out twice.
 */
export class TicketCounts {
  readonly #counts = new Map<string, Count>();
  readonly #seen = new Set<string>();
  readonly #log: AppendLog;

  constructor(path: string) {
    this.#log = new AppendLog(path, (line) => {
      const [ticketId, operations, digest] = line.split(' ') as [string, string, string];
      const count = this.#of(ticketId);
      count.spent = count.reserved = count.onDisk = count.spent + Number(operations);
      this.#seen.add(digest);
    });
  }

  close(): void {
    this.#log.close();
  }

  /** Whether exactly this ticket was taken before. */
  hasSeen(ticket: Ticket): boolean {
    return this.#seen.has(subjectDigest(ticket));
  }

  /** Resolves when the operations are on disk. Throws TICKET_SPENT, and what the log says when it cannot be written. */
  async spend(ticket: Ticket, operations: number): Promise<void> {
    const { ticketId } = ticket;
    const count = this.#of(ticketId);
    if (count.spent + operations > ticket.count) throw new AppError('TICKET_SPENT', { ticketId, left: Math.max(0, ticket.count - count.spent), needed: operations });
    count.spent += operations;
    // Half of the stock is left while the disk works: single requests do not wait for it.
    if (count.reserved - count.spent < RESERVED_AHEAD / 2 && count.reserved < ticket.count) this.#reserve(ticket, count);
    // The lines of a ticket follow each other, so the last one covers it. One that failed refuses everything after it.
    if (count.spent > count.onDisk) await count.written;
  }

  #reserve(ticket: Ticket, count: Count): void {
    const until = Math.min(ticket.count, count.spent + RESERVED_AHEAD);
    const digest = subjectDigest(ticket);
    count.written = this.#log.append(`${ticket.ticketId} ${until - count.reserved} ${digest}`).then(() => {
      count.onDisk = Math.max(count.onDisk, until);
      this.#seen.add(digest);
    });
    // Who needs it sees the failure; nobody may be waiting.
    count.written.catch(() => undefined);
    count.reserved = until;
  }

  #of(ticketId: string): Count {
    const known = this.#counts.get(ticketId);
    if (known !== undefined) return known;
    const fresh = { spent: 0, reserved: 0, onDisk: 0, written: Promise.resolve() };
    this.#counts.set(ticketId, fresh);
    return fresh;
  }
}
