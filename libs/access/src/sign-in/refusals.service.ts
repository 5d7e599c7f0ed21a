import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Journal } from '#libs/journal';
import { Clock } from '#libs/platform';
import { AppError, type ErrorDetails } from '#libs/platform/domain';
import { AccessTerms } from '../access-terms.js';
import type { Row } from '../domain/record.js';
import { REFUSALS, type Refusal, UNFIT_RULES } from '../domain/sign-in-refusal.js';
import { Operators } from '../operators.service.js';
import { PersonRecords } from '../person-records.js';
import { SignInRepository } from './sign-in.repository.js';

const MINUTE = 60_000;

/** Who is refused, and where from. */
export interface Refused {
  /** The account as it was named; it may not exist. */
  readonly operatorId: string | undefined;
  readonly source: string;
}

/**
 * Failures: each names its rule in the journal, brings its account nearer to a lock and its address nearer to a pause. Who showed to
 * hold the key is told the rule; everybody else hears the same words, whatever it was.
 */
@Injectable()
export class Refusals {
  constructor(
    private readonly rows: SignInRepository,
    private readonly records: PersonRecords,
    private readonly operators: Operators,
    private readonly journal: Journal,
    private readonly terms: AccessTerms,
    private readonly clock: Clock,
  ) {}

  /** Before anything is looked at. Not journalled: the failures that led here are. Throws SIGN_IN_THROTTLED. */
  async requireNotThrottled(source: string): Promise<void> {
    const [row]: { n: number }[] = await this.rows.pool.query('SELECT count(*)::int AS n FROM sign_in_failure WHERE source = $1 AND recorded_at > $2', [source, new Date(this.clock.now().getTime() - MINUTE)]);
    if ((row?.n ?? 0) >= this.terms.config.signIn.sourceFailures) throw new AppError('SIGN_IN_THROTTLED');
  }

  /** Writes the failure in the caller's transaction and returns what the caller is told once that is committed. */
  async refuse(tx: EntityManager, { operatorId, source }: Refused, refusal: Refusal): Promise<AppError> {
    const at = this.clock.now();
    const { reason, proven, unfit, status } = refusal;
    const personId = operatorId === undefined ? undefined : await this.records.personOf(tx, operatorId);
    // A name of no account may be a secret that was typed into the wrong field: it is not kept.
    const known = personId === undefined ? undefined : operatorId;
    const lockedUntil = known === undefined ? undefined : await this.lockedUntil(tx, known, at);
    const counts = REFUSALS[reason].counts && lockedUntil === undefined;
    const entryId = await this.journal.record(tx, { kind: 'signIn.refused', subject: known ?? 'signIn', data: { reason, proven, source, ...(unfit === undefined ? {} : { unfit }), ...(status === undefined ? {} : { status }) } });
    await tx.query('INSERT INTO sign_in_failure (failure_id, operator_id, source, reason, counts, recorded_at, entry_id) VALUES ($1, $2, $3, $4, $5, $6, $7)', [randomUUID(), known ?? null, source, reason, counts, at, entryId]);
    if (known !== undefined && personId !== undefined && counts) await this.lockWhenDue(tx, known, personId, at);
    return told(refusal, { operatorId: operatorId ?? '', personId: personId ?? '', until: lockedUntil?.toISOString() ?? '', status: status ?? '', ruleZh: '', ruleEn: '', ...(unfit === undefined ? {} : { ruleZh: UNFIT_RULES[unfit].zh, ruleEn: UNFIT_RULES[unfit].en }) });
  }

  /** Until when the account cannot sign in; open sessions go on. */
  async lockedUntil(tx: Pick<EntityManager, 'query'>, operatorId: string, at: Date): Promise<Date | undefined> {
    const rows: { locked_until: Date }[] = await tx.query(
      'SELECT locked_until FROM sign_in_lock l WHERE operator_id = $1 AND locked_until > $2 AND NOT EXISTS (SELECT 1 FROM sign_in_unlock u WHERE u.lock_id = l.lock_id) ORDER BY locked_until DESC LIMIT 1',
      [operatorId, at],
    );
    return rows[0]?.locked_until;
  }

  /** By a security administrator of the region. Throws ACCESS_DENIED, OUT_OF_SCOPE, OPERATOR_UNKNOWN, NOT_FOUND when it is not locked. */
  async unlock(byOperatorId: string, operatorId: string): Promise<void> {
    await this.rows.write(async (tx) => {
      await this.rows.lockAccount(tx, operatorId);
      await this.operators.requireMayStop(tx, byOperatorId, operatorId, ['securityAdministrator'], 'signIn.unlock');
      const at = this.clock.now();
      const locks: { lock_id: string }[] = await tx.query('SELECT lock_id FROM sign_in_lock l WHERE operator_id = $1 AND locked_until > $2 AND NOT EXISTS (SELECT 1 FROM sign_in_unlock u WHERE u.lock_id = l.lock_id)', [operatorId, at]);
      if (locks.length === 0) throw new AppError('NOT_FOUND', { what: `lock of ${operatorId}` });
      const entryId = await this.journal.record(tx, { kind: 'signIn.unlocked', subject: operatorId, data: { by: byOperatorId } });
      for (const { lock_id } of locks) await tx.query('INSERT INTO sign_in_unlock (lock_id, by_operator_id, recorded_at, entry_id) VALUES ($1, $2, $3, $4)', [lock_id, byOperatorId, at, entryId]);
    });
  }

  /** Tells the owner. */
  async notify(tx: EntityManager, personId: string, event: Row<'notice'>['event'], at: Date): Promise<void> {
    await this.records.append(tx, { kind: 'access.notice', personId, data: { event }, rows: [{ kind: 'notice', row: { noticeId: randomUUID(), personId, changeId: null, event, recordedAt: at } }] });
  }

  /** Failures before an earlier lock are paid for. */
  private async lockWhenDue(tx: EntityManager, operatorId: string, personId: string, at: Date): Promise<void> {
    const { lockFailures, failureMinutes, lockMinutes } = this.terms.config.signIn;
    const [row]: { n: number }[] = await tx.query(
      `SELECT count(*)::int AS n FROM sign_in_failure WHERE operator_id = $1 AND counts AND recorded_at > $2
         AND recorded_at > coalesce((SELECT max(recorded_at) FROM sign_in_lock WHERE operator_id = $1), '-infinity')`,
      [operatorId, new Date(at.getTime() - failureMinutes * MINUTE)],
    );
    if ((row?.n ?? 0) < lockFailures) return;
    const lockedUntil = new Date(at.getTime() + lockMinutes * MINUTE);
    const entryId = await this.journal.record(tx, { kind: 'signIn.locked', subject: operatorId, data: { until: lockedUntil.toISOString() } });
    await tx.query('INSERT INTO sign_in_lock (lock_id, operator_id, locked_until, recorded_at, entry_id) VALUES ($1, $2, $3, $4, $5)', [randomUUID(), operatorId, lockedUntil, at, entryId]);
    await this.notify(tx, personId, 'signInLocked', at);
  }
}

function told({ reason, proven }: Refusal, details: ErrorDetails): AppError {
  const rule = REFUSALS[reason];
  return proven && 'told' in rule ? new AppError(rule.told, details) : new AppError('SIGN_IN_REFUSED');
}
