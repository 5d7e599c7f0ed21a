import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Journal } from '#libs/journal';
import { Clock, Logger } from '#libs/platform';
import { AppError, type Bilingual, canonicalJson, fromHex, isAppError, type JsonValue } from '#libs/platform/domain';
import { Approval, type ApprovalSubject, type MissingApprovals, missingApprovals, nameSchema, type QuorumPolicy, requireApproval, requireQuorum, signCountOf, subjectDigest } from '#libs/signature';
import { Reason } from '../domain/record.js';
import { parsed } from '../operators.service.js';
import { PersonRecords } from '../person-records.js';
import { needOf, subjectRule } from './approval-subject.js';
import { ApprovalsTerms } from './approval-terms.js';
import { type ApprovalView, type PendingApproval, pendingView } from './approval-view.js';
import { type ApprovalRequest, ApprovalsRepository, type GivenApproval, type Outcome } from './approvals.repository.js';
import { Approvers, listed } from './approvers.js';
import { WaitingApprovals } from './waiting-approvals.js';

const MINUTE = 60_000;
const HOUR = 3_600_000;

const OUTCOME_TEXTS: Readonly<Record<Outcome, Bilingual>> = {
  approved: { zh: '批准', en: 'approved' },
  refused: { zh: '拒绝', en: 'refused' },
  expired: { zh: '过期', en: 'expired' },
  abandoned: { zh: '放弃', en: 'abandoned' },
};

/**
 * What needs a quorum waits here for its approvers. Each approval is judged when it is given, stored with its journal entry, and judged
 * once more by the supervisor where the key is used. One process of a database gathers approvals: what a former one left open is
 * abandoned when the next one starts.
 */
@Injectable()
export class Approvals implements OnModuleDestroy {
  private readonly waiting = new WaitingApprovals();

  constructor(
    private readonly records: PersonRecords,
    private readonly repository: ApprovalsRepository,
    private readonly approvers: Approvers,
    private readonly journal: Journal,
    private readonly terms: ApprovalsTerms,
    private readonly clock: Clock,
    private readonly dataSource: DataSource,
    private readonly log: Logger,
  ) {}

  onModuleDestroy(): void {
    this.waiting.endAll(new AppError('APPROVAL_EXPIRED', { what: 'the service stops' }));
  }

  /**
   * Puts the subject before the approvers and waits. Resolves with approvals that meet the need of `rule`; those of an act only when they
   * stand under an anchored head of the journal, so that nobody can do it and then take its trace away. Throws APPROVAL_REFUSED,
   * APPROVAL_EXPIRED, HSM_REFUSED (no such rule), JOURNAL_STALE.
   */
  async ask(subject: ApprovalSubject, rule?: string): Promise<Approval[]> {
    const { approved } = await this.put(subject, rule);
    const approvals = await approved;
    if (subjectRule(subject).waitsForJournal(subject)) await this.journal.anchored(this.dataSource.manager, await this.repository.outcomeEntry(this.dataSource.manager, subjectDigest(subject)));
    return approvals;
  }

  /** The same, and returns when it is there to be approved. */
  async put(subject: ApprovalSubject, rule = subjectRule(subject).rule(subject), requestedBy = subjectRule(subject).requestedBy(subject)): Promise<{ approved: Promise<Approval[]> }> {
    const policy = await this.approvers.policyInForce();
    const { kind } = subjectRule(subject);
    const [recordedAt, need] = [this.clock.now(), needOf(policy, kind, rule)];
    const request: ApprovalRequest = { id: subjectDigest(subject), kind, subject, rule, requestedBy, recordedAt, notAfter: this.notAfter(subject, recordedAt) };
    if (request.notAfter <= recordedAt) throw new AppError('APPROVAL_EXPIRED', { what: request.id });
    const approved = this.waiting.add({ ...request, need, policy, approvedBy: [], missing: missingApprovals([], { policy, need }) }, request.notAfter.getTime() - recordedAt.getTime(), () => this.timeIsUp(request.id));
    try {
      await this.records.write(async (tx) => {
        const text = new TextDecoder().decode(canonicalJson(subject as JsonValue));
        const data = { kind, rule, subject: subject as JsonValue, requestedBy: requestedBy ?? null, notAfter: request.notAfter.toISOString(), policy: subjectDigest(policy) };
        await this.repository.insertRequest(tx, request, text, await this.entry(tx, 'approvals.request', request.id, data));
      });
    } catch (error) {
      this.waiting.ended(request.id, new AppError('APPROVAL_EXPIRED', { what: 'it could not be written down' }));
      throw error;
    }
    this.waiting.list(request.id);
    return { approved };
  }

  /**
   * Takes one approval. Returns what the quorum still lacks; when that is nothing, whoever asked goes on. A refused attempt is
   * journalled. `signedIn` undefined: over the local socket, where the signature alone tells who approves. Throws NOT_FOUND,
   * APPROVAL_CLOSED, APPROVAL_EXPIRED, APPROVAL_INVALID, APPROVAL_REPLAYED, APPROVAL_REPEATED, SELF_APPROVAL, CREDENTIAL_REPLACED,
   * AUTHENTICATOR_CLONED, OPERATOR_*, ACCESS_DENIED.
   */
  async approve(signedIn: string | undefined, id: string, shown: Approval): Promise<MissingApprovals> {
    const approval = parsed(Approval, shown);
    await this.requireKnown(id);
    const policy = await this.approvers.policyInForce();
    try {
      const { missing, approvals } = await this.records.write((tx) => this.take(tx, { id, approval, policy, signedIn }));
      this.waiting.note(id, approval.approver, missing);
      if (approvals !== undefined) this.waiting.approved(id, approvals);
      return missing;
    } catch (error) {
      await this.rejected(id, approval.approver, error);
      throw error;
    }
  }

  /** Several at once, each as by `approve`, until the need is met. */
  async submit(id: string, approvals: readonly Approval[]): Promise<MissingApprovals> {
    let missing: MissingApprovals | undefined;
    for (const approval of approvals) {
      missing = await this.approve(undefined, id, approval);
      if (isNothing(missing)) return missing;
    }
    if (missing === undefined) throw new AppError('QUORUM_NOT_MET', { needed: 1, valid: 0 });
    return missing;
  }

  /** One approver's rejection ends it. Throws NOT_FOUND, APPROVAL_CLOSED, APPROVAL_INVALID (not on the list), OPERATOR_*. */
  async refuse(operatorId: string, id: string, why: string): Promise<void> {
    const [approver, reason] = [parsed(nameSchema, operatorId), parsed(Reason, why)];
    await this.requireKnown(id);
    const policy = await this.approvers.policyInForce();
    try {
      await this.records.write(async (tx) => {
        const at = this.clock.now();
        await this.openRequest(tx, id, at);
        await this.approvers.standing(tx, policy, approver);
        await this.repository.insertRefusal(tx, id, { approver, reason }, at, await this.entry(tx, 'approvals.refuse', id, { approver, reason }));
        await this.outcome(tx, id, 'refused', at);
      });
    } catch (error) {
      await this.rejected(id, approver, error);
      throw error;
    }
    this.waiting.ended(id, new AppError('APPROVAL_REFUSED', { approver, reason }));
  }

  /** What waits, oldest first: all of it over the local socket, else only to approvers of its policy. */
  pending(operatorId?: string): PendingApproval[] {
    return this.waiting
      .all()
      .filter(({ policy }) => operatorId === undefined || policy.approvers.some(({ id }) => id === operatorId))
      .map((waiting) => pendingView(waiting, waiting.policy.version, operatorId));
  }

  /** One of them whole, also when it is over. Throws NOT_FOUND, APPROVAL_INVALID (not on the list). */
  async view(operatorId: string | undefined, id: string): Promise<ApprovalView> {
    const { kind, subject, rule, requestedBy, recordedAt, notAfter } = await this.requireKnown(id);
    if (operatorId !== undefined) listed(await this.approvers.policyInForce(), operatorId);
    return this.records.read(async (tx) => ({
      id, kind, subject, rule,
      requestedBy: requestedBy ?? null,
      since: recordedAt.toISOString(),
      notAfter: notAfter.toISOString(),
      outcome: (await this.repository.outcome(tx, id)) ?? 'open',
      refusal: (await this.repository.refusal(tx, id)) ?? null,
      approvals: (await this.repository.approvals(tx, id)).map(({ approval }) => approval),
    }));
  }

  /** Before anything is asked: nobody waits any more for what a former process had put before approvers. */
  async abandonFormer(): Promise<number> {
    return this.records.write(async (tx) => {
      const open = await this.repository.open(tx);
      for (const { id } of open) await this.outcome(tx, id, 'abandoned', this.clock.now());
      return open.length;
    });
  }

  private async take(tx: EntityManager, given: { readonly id: string; readonly approval: Approval; readonly policy: QuorumPolicy; readonly signedIn: string | undefined }): Promise<{ missing: MissingApprovals; approvals?: Approval[] }> {
    const { id, approval, policy, signedIn } = given;
    const at = this.clock.now();
    const request = await this.openRequest(tx, id, at);
    if (signedIn !== undefined && signedIn !== approval.approver) throw invalid(`it is of ${approval.approver}, and ${signedIn} is signed in`);
    const before = await this.repository.approvals(tx, id);
    const taken = await this.judged(tx, request, approval, policy, before.map(({ person }) => person), at);
    const standing: GivenApproval[] = [];
    for (const each of before) if (await this.approvers.stillStands(tx, policy, each.approval)) standing.push(each);
    const approvals = [...standing, taken].map((each) => each.approval);
    const rules = { policy, need: needOf(policy, request.kind, request.rule), requester: subjectRule(request.subject).requester(request.subject), requestedBy: request.requestedBy, now: at };
    const missing = missingApprovals(approvals, rules);
    const entryId = await this.entry(tx, 'approvals.approve', id, { approval: approval as unknown as JsonValue, person: taken.person, missing: missing as unknown as JsonValue });
    await this.repository.insertApproval(tx, id, taken, at, entryId);
    if (!isNothing(missing)) return { missing };
    // Over what stands in the rows, whoever wrote them.
    requireQuorum(request.subject, approvals, rules);
    await this.outcome(tx, id, 'approved', at);
    return { missing, approvals };
  }

  private async judged(tx: EntityManager, { subject, requestedBy }: ApprovalRequest, approval: Approval, policy: QuorumPolicy, persons: readonly string[], at: Date): Promise<GivenApproval> {
    const rule = subjectRule(subject);
    if (rule.policyVersion(subject) !== policy.version) throw invalid(`it is for policy version ${rule.policyVersion(subject)}, ${policy.version} is in force`);
    const { person, keyDigest } = await this.approvers.standing(tx, policy, approval.approver);
    if (requestedBy !== undefined && (approval.approver === requestedBy || person === (await this.approvers.personOf(tx, policy, requestedBy)))) throw new AppError('SELF_APPROVAL', { approver: approval.approver });
    if (await this.repository.nonceKnown(tx, approval.nonce)) throw new AppError('APPROVAL_REPLAYED', { approver: approval.approver });
    if (persons.includes(person)) throw new AppError('APPROVAL_REPEATED', { approver: approval.approver });
    requireApproval(subject, approval, { policy, requester: rule.requester(subject), requestedBy, now: at });
    return { person, keyDigest, signCount: await this.grownCount(tx, approval, keyDigest), approval };
  }

  /** Throws AUTHENTICATOR_CLONED when the count does not grow, unless the authenticator never counted (WebAuthn 6.1.1). */
  private async grownCount(tx: EntityManager, approval: Approval, keyDigest: string): Promise<number> {
    const count = approval.method === 'webauthn' ? signCountOf(fromHex(approval.authenticatorData)) : 0;
    const last = await this.repository.lastSignCount(tx, keyDigest);
    if (count <= last && (count !== 0 || last !== 0)) throw new AppError('AUTHENTICATOR_CLONED', { approver: approval.approver, last, count });
    return count;
  }

  /** Throws NOT_FOUND, APPROVAL_CLOSED, APPROVAL_EXPIRED. */
  private async openRequest(tx: EntityManager, id: string, at: Date): Promise<ApprovalRequest> {
    const request = await this.repository.request(tx, id);
    if (request === undefined) throw new AppError('NOT_FOUND', { what: id });
    const outcome = await this.repository.outcome(tx, id);
    if (outcome !== undefined) throw new AppError('APPROVAL_CLOSED', { outcomeZh: OUTCOME_TEXTS[outcome].zh, outcomeEn: OUTCOME_TEXTS[outcome].en });
    if (at >= request.notAfter) throw new AppError('APPROVAL_EXPIRED', { what: `request ${id}` });
    return request;
  }

  /** Before the supervisor is asked for its policy. Throws NOT_FOUND. */
  private async requireKnown(id: string): Promise<ApprovalRequest> {
    const request = await this.records.read((tx) => this.repository.request(tx, id));
    if (request === undefined) throw new AppError('NOT_FOUND', { what: id });
    return request;
  }

  /** An attempt that was refused by rule is worth an entry of its own; what it was about is not changed by it. */
  private async rejected(id: string, approver: string, error: unknown): Promise<void> {
    if (!isAppError(error)) return;
    const reason = Object.entries(error.details).map(([name, value]) => `${name}: ${String(value)}`).join(', ');
    await this.records.write(async (tx) => void (await this.entry(tx, 'approvals.rejected', id, { code: error.code, reason, approver })));
    await this.expire(id);
  }

  private timeIsUp(id: string): void {
    this.expire(id).catch((error: unknown) => {
      this.log.error('closing an expired request failed', error, { id });
      this.waiting.ended(id, new AppError('APPROVAL_EXPIRED', { what: id }));
    });
  }

  /** Closes a request whose time is up; nothing happens to any other. */
  private async expire(id: string): Promise<void> {
    const over = await this.records.write(async (tx) => {
      const [request, at] = [await this.repository.request(tx, id), this.clock.now()];
      if (request === undefined || at < request.notAfter) return false;
      if ((await this.repository.outcome(tx, id)) === undefined) await this.outcome(tx, id, 'expired', at);
      return true;
    });
    if (over) this.waiting.ended(id, new AppError('APPROVAL_EXPIRED', { what: id }));
  }

  private async outcome(tx: EntityManager, id: string, outcome: Outcome, at: Date): Promise<void> {
    await this.repository.insertOutcome(tx, id, outcome, at, await this.entry(tx, 'approvals.outcome', id, { outcome }));
  }

  private entry(tx: EntityManager, kind: string, id: string, data: Readonly<Record<string, JsonValue>>): Promise<string> {
    return this.journal.record(tx, { kind, subject: id, data });
  }

  private notAfter(subject: ApprovalSubject, at: Date): Date {
    const { requestMinutes, policyHours } = this.terms.config;
    if (subject.format === 'hufu/request/1') return new Date(subject.notAfter);
    return new Date(at.getTime() + (subject.format === 'hufu/ticket/1' ? requestMinutes * MINUTE : policyHours * HOUR));
  }
}

function isNothing({ count, roles }: MissingApprovals): boolean {
  return count === 0 && Object.keys(roles).length === 0;
}

function invalid(reason: string): AppError {
  return new AppError('APPROVAL_INVALID', { reason });
}
