import { AppError } from '#libs/platform/domain';
import type { Approval, MissingApprovals, Need, QuorumPolicy } from '#libs/signature';
import type { ApprovalRequest } from './approvals.repository.js';

/** What waits in this process, with what is known of it so far. */
export interface WaitingApproval extends ApprovalRequest {
  readonly need: Need;
  /** In force when it was asked. */
  readonly policy: QuorumPolicy;
  readonly approvedBy: readonly string[];
  readonly missing: MissingApprovals;
}

interface Waiting {
  approval: WaitingApproval;
  /** Its row is committed. */
  listed: boolean;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (approvals: Approval[]) => void;
  readonly reject: (error: AppError) => void;
}

/** setTimeout takes no more. */
const LONGEST_MS = 2 ** 31 - 1;
const WAITING_MOST = 1_000;

/** Whoever asked waits here, in memory: what became of the request stands in the database, and a process that died asks anew. */
export class WaitingApprovals {
  readonly #waiting = new Map<string, Waiting>();

  /** @param over runs when the time of a request is up. Throws APPROVAL_EXPIRED when too many wait. */
  add(approval: WaitingApproval, waitMs: number, over: () => void): Promise<Approval[]> {
    if (this.#waiting.size >= WAITING_MOST) throw new AppError('APPROVAL_EXPIRED', { what: `${WAITING_MOST} requests are waiting` });
    const answer = new Promise<Approval[]>((resolve, reject) => {
      this.#waiting.set(approval.id, { approval, listed: false, timer: setTimeout(over, Math.min(waitMs, LONGEST_MS)), resolve, reject });
    });
    // Who asked may still be writing it down when it ends.
    answer.catch(() => undefined);
    return answer;
  }

  list(id: string): void {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) waiting.listed = true;
  }

  all(): WaitingApproval[] {
    return [...this.#waiting.values()].filter(({ listed }) => listed).map(({ approval }) => approval);
  }

  note(id: string, approver: string, missing: MissingApprovals): void {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) waiting.approval = { ...waiting.approval, approvedBy: [...waiting.approval.approvedBy, approver], missing };
  }

  approved(id: string, approvals: Approval[]): void {
    this.#take(id)?.resolve(approvals);
  }

  ended(id: string, error: AppError): void {
    this.#take(id)?.reject(error);
  }

  endAll(error: AppError): void {
    for (const id of [...this.#waiting.keys()]) this.ended(id, error);
  }

  #take(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(id);
    return waiting;
  }
}
