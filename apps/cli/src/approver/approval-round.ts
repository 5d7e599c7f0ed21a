import { existsSync } from 'node:fs';
import { isAppError } from '#libs/platform';
import type { HsmRequest, QuorumPolicy, Ticket } from '#libs/signature';
import { CommandClient } from '../command-client.js';
import type { RehearsalQuorum } from './rehearsal-quorum.js';

const LOOK_EVERY_MS = 50;

interface Pending {
  readonly id: string;
  readonly subject: HsmRequest | Ticket | QuorumPolicy;
}

/** Looks what waits for approvers at the service, has as many of them sign as it needs, and hands their signatures in. */
export class ApprovalRound {
  private stopped = false;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly socket: string,
    private readonly quorum: RehearsalQuorum,
  ) {}

  start(): this {
    this.running = this.run();
    return this;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    let client: CommandClient | undefined;
    while (!this.stopped) {
      try {
        if (client === undefined && existsSync(this.socket)) client = await CommandClient.open(this.socket);
        for (const { id, subject } of (await client?.call<Pending[]>('approvals.pending')) ?? []) {
          if (client !== undefined) await this.decide(client, id, subject);
        }
      } catch (error) {
        // The service is not there yet, or goes; a subject that is gone was taken by its deadline.
        if (!isAppError(error)) throw error;
        if (error.code !== 'NOT_FOUND' && error.code !== 'APPROVAL_CLOSED') {
          client?.close();
          client = undefined;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    client?.close();
  }

  /** A rejection by one approver is told, so that who asked does not wait for the deadline. */
  private async decide(client: CommandClient, id: string, subject: HsmRequest | Ticket | QuorumPolicy): Promise<void> {
    try {
      await client.call('approvals.submit', { id, approvals: await this.quorum.decide(subject) });
    } catch (error) {
      if (!isAppError(error) || error.code !== 'APPROVAL_REFUSED') throw error;
      await client.call('approvals.refuse', { id, approver: String(error.details['approver']), reason: String(error.details['reason']) });
    }
  }
}
