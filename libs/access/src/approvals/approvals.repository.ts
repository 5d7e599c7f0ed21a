import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Approval, type ApprovalSubject, readApprovalSubject } from '#libs/signature';
import type { SubjectKind } from './approval-subject.js';

export const OUTCOMES = ['approved', 'refused', 'expired', 'abandoned'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What was put before approvers. */
export interface ApprovalRequest {
  /** Digest of the subject. */
  readonly id: string;
  readonly kind: SubjectKind;
  readonly subject: ApprovalSubject;
  readonly rule: string;
  readonly requestedBy: string | undefined;
  readonly recordedAt: Date;
  readonly notAfter: Date;
}

/** An approval that was taken, with the person who stands behind the account. */
export interface GivenApproval {
  readonly person: string;
  readonly keyDigest: string;
  readonly signCount: number;
  readonly approval: Approval;
}

export interface RefusalGiven {
  readonly approver: string;
  readonly reason: string;
}

interface RequestRow {
  readonly subject_digest: string;
  readonly kind: SubjectKind;
  readonly subject: string;
  readonly rule: string;
  readonly requested_by: string | null;
  readonly recorded_at: Date;
  readonly not_after: Date;
}

const REQUEST = 'SELECT r.subject_digest, r.kind, r.subject, r.rule, r.requested_by, r.recorded_at, r.not_after FROM approval_request r';

@Injectable()
export class ApprovalsRepository {
  async insertRequest(tx: EntityManager, { id, kind, rule, requestedBy, recordedAt, notAfter }: ApprovalRequest, text: string, entryId: string): Promise<void> {
    await tx.query(
      `INSERT INTO approval_request (subject_digest, kind, subject, rule, requested_by, recorded_at, not_after, entry_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [id, kind, text, rule, requestedBy ?? null, recordedAt, notAfter, entryId],
    );
  }

  async request(tx: EntityManager, id: string): Promise<ApprovalRequest | undefined> {
    const rows: RequestRow[] = await tx.query(`${REQUEST} WHERE r.subject_digest = $1`, [id]);
    return rows.map(requestOf)[0];
  }

  /** Without an outcome. */
  async open(tx: EntityManager): Promise<ApprovalRequest[]> {
    const rows: RequestRow[] = await tx.query(`${REQUEST} WHERE NOT EXISTS (SELECT 1 FROM approval_outcome o WHERE o.subject_digest = r.subject_digest) ORDER BY r.recorded_at`);
    return rows.map(requestOf);
  }

  async insertApproval(tx: EntityManager, id: string, { person, keyDigest, signCount, approval }: GivenApproval, at: Date, entryId: string): Promise<void> {
    await tx.query(
      `INSERT INTO approval (subject_digest, approver, person, method, nonce, content, key_digest, sign_count, recorded_at, entry_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [id, approval.approver, person, approval.method, approval.nonce, JSON.stringify(approval), keyDigest, signCount, at, entryId],
    );
  }

  /** In the order in which they were given. */
  async approvals(tx: EntityManager, id: string): Promise<GivenApproval[]> {
    const rows: { person: string; key_digest: string; sign_count: string; content: string }[] = await tx.query(
      'SELECT person, key_digest, sign_count, content FROM approval WHERE subject_digest = $1 ORDER BY recorded_at, approver',
      [id],
    );
    return rows.map((row) => ({ person: row.person, keyDigest: row.key_digest, signCount: Number(row.sign_count), approval: Approval.parse(JSON.parse(row.content)) }));
  }

  async nonceKnown(tx: EntityManager, nonce: string): Promise<boolean> {
    return ((await tx.query('SELECT 1 FROM approval WHERE nonce = $1', [nonce])) as unknown[]).length > 0;
  }

  /** The highest sign count that an approval by this key came with; 0 before the first. */
  async lastSignCount(tx: EntityManager, keyDigest: string): Promise<number> {
    const [row]: { last: string | null }[] = await tx.query('SELECT max(sign_count) AS last FROM approval WHERE key_digest = $1', [keyDigest]);
    return Number(row?.last ?? 0);
  }

  async insertRefusal(tx: EntityManager, id: string, { approver, reason }: RefusalGiven, at: Date, entryId: string): Promise<void> {
    await tx.query('INSERT INTO approval_refusal (subject_digest, approver, reason, recorded_at, entry_id) VALUES ($1, $2, $3, $4, $5)', [id, approver, reason, at, entryId]);
  }

  async refusal(tx: EntityManager, id: string): Promise<RefusalGiven | undefined> {
    const rows: RefusalGiven[] = await tx.query('SELECT approver, reason FROM approval_refusal WHERE subject_digest = $1', [id]);
    return rows[0];
  }

  async insertOutcome(tx: EntityManager, id: string, outcome: Outcome, at: Date, entryId: string): Promise<void> {
    await tx.query('INSERT INTO approval_outcome (subject_digest, outcome, recorded_at, entry_id) VALUES ($1, $2, $3, $4)', [id, outcome, at, entryId]);
  }

  /** The journal entry of an outcome that is there. */
  async outcomeEntry(db: Pick<EntityManager, 'query'>, id: string): Promise<string> {
    const [row]: { entry_id: string }[] = await db.query('SELECT entry_id FROM approval_outcome WHERE subject_digest = $1', [id]);
    if (row === undefined) throw new RangeError(`${id} has no outcome`);
    return row.entry_id;
  }

  async outcome(tx: EntityManager, id: string): Promise<Outcome | undefined> {
    const rows: { outcome: Outcome }[] = await tx.query('SELECT outcome FROM approval_outcome WHERE subject_digest = $1', [id]);
    return rows[0]?.outcome;
  }

  /** Policies that a quorum has signed, oldest first. */
  async approvedPolicies(tx: EntityManager): Promise<ApprovalRequest[]> {
    const rows: RequestRow[] = await tx.query(`${REQUEST} JOIN approval_outcome o USING (subject_digest) WHERE r.kind = 'policy' AND o.outcome = 'approved' ORDER BY r.recorded_at`);
    return rows.map(requestOf);
  }
}

function requestOf(row: RequestRow): ApprovalRequest {
  return {
    id: row.subject_digest,
    kind: row.kind,
    subject: readApprovalSubject(JSON.parse(row.subject)),
    rule: row.rule,
    requestedBy: row.requested_by ?? undefined,
    recordedAt: row.recorded_at,
    notAfter: row.not_after,
  };
}
