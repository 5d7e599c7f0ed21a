import { z } from 'zod';
import { AppError } from '#libs/platform/domain';
import { type Approval, type ApprovalSubject, digestSchema, readApprovalSubject, subjectDigest } from '#libs/signature';
import { CommandClient } from '../command-client.js';

const Waiting = z.object({ id: digestSchema, subject: z.unknown() });

export interface WaitingApproval {
  readonly id: string;
  /** Throws SUBJECT_MALFORMED: also when it is not what `id` names. */
  read(): ApprovalSubject;
}

/** What waits for approvers at a running service, by its command socket. */
export class WaitingApprovals {
  private constructor(private readonly client: CommandClient) {}

  /** Throws SERVICE_UNREACHABLE. */
  static async open(socket: string): Promise<WaitingApprovals> {
    return new WaitingApprovals(await CommandClient.open(socket));
  }

  async list(): Promise<WaitingApproval[]> {
    return z.array(Waiting).parse(await this.client.call('approvals.pending')).map(({ id, subject }) => ({
      id,
      read: () => {
        const read = readApprovalSubject(subject);
        if (subjectDigest(read) !== id) throw new AppError('SUBJECT_MALFORMED', { reason: `its digest is not ${id}` });
        return read;
      },
    }));
  }

  /** The one whose id begins so. Throws NOT_FOUND. */
  async find(prefix: string): Promise<ApprovalSubject> {
    const found = (await this.list()).filter(({ id }) => id.startsWith(prefix.toUpperCase()));
    const [only] = found;
    if (only === undefined || found.length > 1) throw new AppError('NOT_FOUND', { what: prefix });
    return only.read();
  }

  async approve(id: string, approval: Approval): Promise<void> {
    await this.client.call('approvals.approve', { id, approval });
  }

  async refuse(id: string, approver: string, reason: string): Promise<void> {
    await this.client.call('approvals.refuse', { id, approver, reason });
  }

  close(): void {
    this.client.close();
  }
}
