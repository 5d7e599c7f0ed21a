import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { isAppError } from '#libs/platform/domain';
import type { Ticket } from '#libs/signature';
import { RESERVED_AHEAD, TicketCounts } from './ticket-counts.js';

const ticketOf = (ticketId: string, count: number): Ticket => ({
  format: 'hufu/ticket/1', ticketId: ticketId.repeat(32), line: 'service', recipe: 'tacs', keys: ['1'.repeat(32)], count,
  notBefore: '2026-01-01T00:00:00.000Z', notAfter: '2027-01-01T00:00:00.000Z', policyVersion: 1,
});
const codeOf = (act: Promise<void>): Promise<string> => act.then(() => 'ok', (error: unknown) => (isAppError(error) ? error.code : 'failed'));

let folder: string;
let file: string;
const open: TicketCounts[] = [];
const start = (): TicketCounts => {
  const counts = new TicketCounts(file);
  open.push(counts);
  return counts;
};
/** Operations of a ticket on disk. */
const onDisk = (ticket: Ticket): number => readFileSync(file, 'utf8').split('\n').filter((line) => line.startsWith(ticket.ticketId)).reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hufu-tickets-'));
  file = join(folder, 'tickets.log');
});
afterEach(() => {
  for (const counts of open.splice(0)) counts.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('TicketCounts', () => {
  it('whatever was given out is on disk, and never more than the reserve beyond it', async () => {
    const ticket = ticketOf('A', 2_000);
    const counts = start();
    for (let spent = 1; spent <= 500; spent++) {
      await counts.spend(ticket, 1);
      expect(onDisk(ticket)).toBeGreaterThanOrEqual(spent);
      expect(onDisk(ticket) - spent).toBeLessThanOrEqual(RESERVED_AHEAD);
    }
    await counts.spend(ticket, 1_000);
    expect(onDisk(ticket)).toBeGreaterThanOrEqual(1_500);
  });

  it('single operations share lines', async () => {
    const ticket = ticketOf('A', 2_000);
    const counts = start();
    for (let n = 0; n < 320; n++) await counts.spend(ticket, 1);
    expect(readFileSync(file, 'utf8').split('\n').length - 1).toBeLessThanOrEqual(320 / (RESERVED_AHEAD / 2) + 1);
  });

  it('reserves no more than the ticket has, and gives out the last one', async () => {
    const ticket = ticketOf('A', 10);
    const counts = start();
    for (let n = 0; n < 10; n++) expect(await codeOf(counts.spend(ticket, 1))).toBe('ok');
    expect(await codeOf(counts.spend(ticket, 1))).toBe('TICKET_SPENT');
    expect(onDisk(ticket)).toBe(10);
  });

  it('counts each ticket for itself, and goes on after a restart from what is on disk', async () => {
    const [a, b] = [ticketOf('A', 100), ticketOf('B', 100)];
    const before = start();
    await Promise.all([before.spend(a, 90), before.spend(b, 10)]);
    const after = start();
    expect([after.hasSeen(a), after.hasSeen(b), after.hasSeen(ticketOf('C', 100)), after.hasSeen(ticketOf('A', 101))]).toEqual([true, true, false, false]);
    expect(await codeOf(after.spend(a, 1))).toBe('TICKET_SPENT');
    expect(await codeOf(after.spend(b, 100 - 10 - RESERVED_AHEAD + 1))).toBe('TICKET_SPENT');
    expect(await codeOf(after.spend(b, 100 - 10 - RESERVED_AHEAD))).toBe('ok');
  });

  it('gives nothing out that could not be written, of no ticket', async () => {
    const [a, b] = [ticketOf('A', 1_000), ticketOf('B', 1_000)];
    const counts = new TicketCounts(file);
    await counts.spend(a, 1);
    counts.close();
    // The number of the closed file is given out again, to one that takes no bytes.
    const reader = openSync(file, 'r');
    try {
      expect(await codeOf(counts.spend(b, 1))).toBe('failed');
      expect(await codeOf(counts.spend(b, 1))).toBe('failed');
      expect(await codeOf(counts.spend(a, RESERVED_AHEAD + 1))).toBe('failed');
      expect(onDisk(b)).toBe(0);
    } finally {
      closeSync(reader);
    }
  });
});
