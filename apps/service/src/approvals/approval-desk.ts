import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { AppError } from '#libs/platform';
import { type Approval, type HsmRequest, subjectDigest, type Ticket } from '#libs/signature';

export interface PendingApproval {
  /** Digest of the subject: what a client names it by. */
  readonly id: string;
  readonly subject: HsmRequest | Ticket;
  readonly since: string;
}

interface Waiting extends PendingApproval {
  readonly resolve: (approvals: Approval[]) => void;
  readonly reject: (error: AppError) => void;
  readonly timer: NodeJS.Timeout;
}

const WAITING_MOST = 1_000;

/**
 * Requests and tickets that wait for approvers, in memory: a request that its process forgot is asked anew, and its intent row tells
 * what to settle. The signatures are checked where the key is used, not here.
 */
@Injectable()
export class ApprovalDesk implements OnModuleDestroy {
  private readonly waiting = new Map<string, Waiting>();

  constructor(private readonly minutes: number) {}

  /** Resolves with the approvals that somebody submitted. Throws APPROVAL_REFUSED, APPROVAL_EXPIRED. */
  async ask(subject: HsmRequest | Ticket): Promise<Approval[]> {
    const id = subjectDigest(subject);
    if (this.waiting.size >= WAITING_MOST) throw new AppError('APPROVAL_EXPIRED', { what: `${WAITING_MOST} requests are waiting` });
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new AppError('APPROVAL_EXPIRED', { what: `${this.minutes} min` }));
      }, this.minutes * 60_000);
      this.waiting.set(id, { id, subject, since: new Date().toISOString(), resolve, reject, timer });
    });
  }

  pending(): PendingApproval[] {
    return [...this.waiting.values()].map(({ id, subject, since }) => ({ id, subject, since }));
  }

  /** Throws NOT_FOUND. */
  submit(id: string, approvals: Approval[]): void {
    this.take(id).resolve(approvals);
  }

  /** One rejection ends it. Throws NOT_FOUND. */
  refuse(id: string, approver: string, reason: string): void {
    this.take(id).reject(new AppError('APPROVAL_REFUSED', { approver, reason }));
  }

  onModuleDestroy(): void {
    for (const id of [...this.waiting.keys()]) this.take(id).reject(new AppError('APPROVAL_EXPIRED', { what: 'the service stops' }));
  }

  private take(id: string): Waiting {
    const waiting = this.waiting.get(id);
    if (waiting === undefined) throw new AppError('NOT_FOUND', { what: id });
    clearTimeout(waiting.timer);
    this.waiting.delete(id);
    return waiting;
  }
}
