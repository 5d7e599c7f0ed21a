import { hash, randomBytes, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Journal } from '#libs/journal';
import { Clock } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { AccessTerms } from '../access-terms.js';
import { CertificateStatus } from '../certificate-status.js';
import { contentDigest } from '../domain/credential-material.js';
import { PROOF_FAULTS, type ProofFault, readRequestProof } from '../domain/request-proof.js';
import type { RoleName } from '../domain/role.js';
import { SESSION_ENDS, type SessionEnd } from '../domain/sign-in-refusal.js';
import { NEVER_EMPTY, Operators } from '../operators.service.js';
import { Origins } from './origins.js';
import { Refusals } from './refusals.service.js';
import { SignInRepository } from './sign-in.repository.js';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const TOKEN_BYTES = 32;

/** A session row as the journal entry of its opening holds the digest of it. */
interface SessionContent {
  readonly sessionId: string;
  readonly tokenDigest: string;
  readonly operatorId: string;
  readonly credentialId: string;
  /** RFC 7638 thumbprint of the browser's key. */
  readonly proofKey: string;
  /** SHA-256 of the client certificate that signed in; its connection alone carries the session. */
  readonly certificateDigest: string | null;
  readonly signedInAt: Date;
  readonly expiresAt: Date;
}

export interface Session {
  readonly sessionId: string;
  readonly operatorId: string;
  readonly credentialId: string;
  readonly signedInAt: Date;
  /** When the person last showed the sign-in credential. */
  readonly provenAt: Date;
  readonly expiresAt: Date;
}

export type NewSession = Pick<SessionContent, 'operatorId' | 'credentialId' | 'proofKey' | 'certificateDigest'> & { readonly method: string; readonly source: string };

export interface OpenedSession {
  /** 43 characters; it leaves this process once, in a cookie. */
  readonly token: string;
  readonly sessionId: string;
  readonly expiresAt: Date;
  readonly entryId: string;
}

/** A request of somebody who shows a token. */
export interface TokenRequest {
  readonly token: string;
  /** Header `DPoP`. */
  readonly proof: string | undefined;
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly source: string;
  /** DER, of the connection. */
  readonly certificate: Uint8Array | undefined;
}

interface SessionRow {
  readonly session_id: string;
  readonly token_digest: string;
  readonly operator_id: string;
  readonly credential_id: string;
  readonly proof_key: string;
  readonly certificate_digest: string | null;
  readonly signed_in_at: Date;
  readonly expires_at: Date;
  readonly last_used_at: Date;
  readonly ended: SessionEnd | null;
  readonly blocked: boolean;
  readonly body: Buffer;
  readonly kind: string;
  readonly proven_at: Date | null;
  readonly proven_body: Buffer | null;
}

/**
 * A token alone opens nothing: each request carries a proof by the browser's key (RFC 9449) that is taken once. What was used is kept
 * in the database, since a second service process knows nothing of this one's memory.
 */
@Injectable()
export class Sessions {
  constructor(
    private readonly rows: SignInRepository,
    private readonly refusals: Refusals,
    private readonly operators: Operators,
    private readonly origins: Origins,
    private readonly certificates: CertificateStatus,
    private readonly journal: Journal,
    private readonly terms: AccessTerms,
    private readonly clock: Clock,
  ) {}

  async open(tx: EntityManager, { method, source, ...bound }: NewSession): Promise<OpenedSession> {
    const signedInAt = this.clock.now();
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const content: SessionContent = { ...bound, sessionId: randomUUID(), tokenDigest: digestOf(token), signedInAt, expiresAt: new Date(signedInAt.getTime() + this.terms.config.signIn.sessionHours * HOUR) };
    const { sessionId, operatorId, expiresAt } = content;
    const entryId = await this.journal.record(tx, { kind: 'signIn.opened', subject: operatorId, data: { sessionId, method, source, session: contentDigest(content) } });
    await tx.query(
      'INSERT INTO operator_session (session_id, token_digest, operator_id, credential_id, proof_key, certificate_digest, signed_in_at, expires_at, entry_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)',
      [sessionId, content.tokenDigest, operatorId, content.credentialId, content.proofKey, content.certificateDigest, signedInAt, expiresAt, entryId],
    );
    await tx.query('INSERT INTO operator_session_use (session_id, last_used_at) VALUES ($1, $2)', [sessionId, signedInAt]);
    return { token, sessionId, expiresAt, entryId };
  }

  /**
   * Whose request it is; whether credential and account still count is for `Operators.acting`. Undefined: a token of no session. Throws
   * SESSION_ENDED, PROOF_INVALID, CREDENTIAL_NOT_IN_FORCE, CERTIFICATE_NOT_GOOD, ACCESS_ROW_ALTERED, SIGN_IN_THROTTLED.
   */
  async of(request: TokenRequest): Promise<Session | undefined> {
    const at = this.clock.now();
    const row = await this.find(digestOf(request.token));
    if (row === undefined) return undefined;
    const session = readSession(row);
    await this.requireRunning(row, at);
    const proof = readRequestProof(request.proof, { ...request, at, origins: this.origins.all(), proofKey: row.proof_key, tokenDigest: hash('sha256', request.token, 'base64url') });
    if (typeof proof === 'string') throw await this.refused(request, session, proof);
    if (row.certificate_digest !== null) await this.requireCertificate(request, session, row.certificate_digest, at);
    if (row.blocked) throw await this.noted(request, session, 'blocked', new AppError('CREDENTIAL_NOT_IN_FORCE'));
    const taken: unknown[] = await this.rows.pool.query('INSERT INTO session_request_proof (session_id, jti_digest, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1', [session.sessionId, proof.jtiDigest, proof.expiresAt]);
    if (taken.length === 0) throw await this.refused(request, session, 'replay');
    if (at.getTime() - row.last_used_at.getTime() >= MINUTE) await this.touch(session.sessionId, at);
    return session;
  }

  get idleSeconds(): number {
    return this.terms.config.signIn.idleMinutes * 60;
  }

  /** What the account may do now. Throws OPERATOR_INACTIVE. */
  async rolesOf(operatorId: string): Promise<RoleName[]> {
    return [...new Set((await this.operators.acting(operatorId)).assignments.map(({ role }) => role))];
  }

  /** Throws STEP_UP_REQUIRED when the last proof of identity is older than `stepUpMinutes`. */
  requireFresh(provenAt: Date): void {
    const { stepUpMinutes } = this.terms.config.signIn;
    if (this.clock.now().getTime() - provenAt.getTime() > stepUpMinutes * MINUTE) throw new AppError('STEP_UP_REQUIRED', { minutes: stepUpMinutes });
  }

  /** Step-up, in the caller's transaction. Returns its entry. */
  async prove(tx: EntityManager, { sessionId, operatorId }: Session, method: string): Promise<string> {
    const provenAt = this.clock.now();
    const entryId = await this.journal.record(tx, { kind: 'signIn.proven', subject: operatorId, data: { sessionId, method, provenAt: provenAt.toISOString() } });
    await tx.query('INSERT INTO operator_session_proof (session_id, proven_at, entry_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [sessionId, provenAt, entryId]);
    return entryId;
  }

  /** 退出. */
  async signOut({ sessionId, operatorId }: Session): Promise<void> {
    await this.rows.write(async (tx) => {
      await this.rows.lockAccount(tx, operatorId);
      await this.end(tx, sessionId, operatorId, 'signedOut');
    });
  }

  /** Every open session of an account, by one security or audit administrator of its region. Returns how many. Throws ACCESS_DENIED, OUT_OF_SCOPE, OPERATOR_UNKNOWN. */
  async endAll(byOperatorId: string, operatorId: string): Promise<number> {
    return this.rows.write(async (tx) => {
      await this.rows.lockAccount(tx, operatorId);
      await this.operators.requireMayStop(tx, byOperatorId, operatorId, NEVER_EMPTY, 'signIn.endSessions');
      const open: { session_id: string }[] = await tx.query('SELECT session_id FROM operator_session s WHERE operator_id = $1 AND expires_at > $2 AND NOT EXISTS (SELECT 1 FROM operator_session_end e WHERE e.session_id = s.session_id)', [operatorId, this.clock.now()]);
      for (const { session_id } of open) await this.end(tx, session_id, operatorId, 'revoked', byOperatorId);
      return open.length;
    });
  }

  private async find(tokenDigest: string): Promise<SessionRow | undefined> {
    const rows: SessionRow[] = await this.rows.pool.query(
      `SELECT s.*, u.last_used_at, e.reason AS ended, j.kind, j.body, p.proven_at, p.body AS proven_body,
         EXISTS (SELECT 1 FROM operator_credential c JOIN credential_block b USING (key_digest) WHERE c.credential_id = s.credential_id) AS blocked
       FROM operator_session s JOIN journal_stage j ON j.id = s.entry_id JOIN operator_session_use u USING (session_id)
       LEFT JOIN operator_session_end e USING (session_id)
       LEFT JOIN LATERAL (
         SELECT proven_at, pj.body FROM operator_session_proof q JOIN journal_stage pj ON pj.id = q.entry_id AND pj.kind = 'signIn.proven'
         WHERE q.session_id = s.session_id ORDER BY proven_at DESC LIMIT 1
       ) p ON true
       WHERE s.token_digest = $1`,
      [tokenDigest],
    );
    return rows[0];
  }

  private async requireRunning(row: SessionRow, at: Date): Promise<void> {
    const idleAt = row.last_used_at.getTime() + this.terms.config.signIn.idleMinutes * MINUTE;
    const over = row.ended ?? (at >= row.expires_at ? 'expired' : at.getTime() >= idleAt ? 'idle' : undefined);
    if (over === undefined) return;
    if (row.ended === null) {
      await this.rows.write(async (tx) => {
        await this.rows.lockAccount(tx, row.operator_id);
        await this.end(tx, row.session_id, row.operator_id, over);
      });
    }
    throw new AppError('SESSION_ENDED', { ruleZh: SESSION_ENDS[over].zh, ruleEn: SESSION_ENDS[over].en });
  }

  /** Under the account's lock, so once. */
  private async end(tx: EntityManager, sessionId: string, operatorId: string, reason: SessionEnd, byOperatorId?: string): Promise<void> {
    if (((await tx.query('SELECT 1 FROM operator_session_end WHERE session_id = $1', [sessionId])) as unknown[]).length > 0) return;
    const entryId = await this.journal.record(tx, { kind: 'signIn.ended', subject: operatorId, data: { sessionId, reason, ...(byOperatorId === undefined ? {} : { by: byOperatorId }) } });
    await tx.query('INSERT INTO operator_session_end (session_id, reason, by_operator_id, recorded_at, entry_id) VALUES ($1, $2, $3, $4, $5)', [sessionId, reason, byOperatorId ?? null, this.clock.now(), entryId]);
  }

  private async requireCertificate(request: TokenRequest, session: Session, wanted: string, at: Date): Promise<void> {
    const { certificate } = request;
    if (certificate === undefined || hash('sha256', certificate, 'hex').toUpperCase() !== wanted) throw await this.refused(request, session, 'certificate');
    const status = await this.certificates.statusOf(certificate, at);
    if (status !== 'good') throw await this.noted(request, session, 'certificate', new AppError('CERTIFICATE_NOT_GOOD', { status }));
  }

  /** Once a minute and session at most, so the last minute of idleness is short of what was used; with it go the proofs whose time is over. */
  private async touch(sessionId: string, at: Date): Promise<void> {
    await this.rows.pool.query('UPDATE operator_session_use SET last_used_at = $2 WHERE session_id = $1 AND last_used_at < $2', [sessionId, at]);
    await this.rows.pool.query('DELETE FROM session_request_proof WHERE session_id = $1 AND expires_at < $2', [sessionId, at]);
  }

  private refused(request: TokenRequest, session: Session, fault: ProofFault): Promise<AppError> {
    return this.noted(request, session, fault, new AppError('PROOF_INVALID', { ruleZh: PROOF_FAULTS[fault].zh, ruleEn: PROOF_FAULTS[fault].en }));
  }

  /** The journal gets the rule, as long as the address does not flood it. */
  private async noted({ source }: TokenRequest, { operatorId }: Session, rule: string, error: AppError): Promise<AppError> {
    await this.refusals.requireNotThrottled(source);
    await this.rows.write((tx) => this.refusals.refuse(tx, { operatorId, source }, { reason: 'session', proven: false, status: rule }));
    return error;
  }
}

function digestOf(token: string): string {
  return hash('sha256', token, 'hex').toUpperCase();
}

/** Throws ACCESS_ROW_ALTERED when the session or its step-up is not what the journal says. */
function readSession(row: SessionRow): Session {
  const content: SessionContent = {
    sessionId: row.session_id,
    tokenDigest: row.token_digest,
    operatorId: row.operator_id,
    credentialId: row.credential_id,
    proofKey: row.proof_key,
    certificateDigest: row.certificate_digest,
    signedInAt: row.signed_in_at,
    expiresAt: row.expires_at,
  };
  const { data } = JSON.parse(row.body.toString('utf8')) as { data: { session?: string } };
  const proven = row.proven_body === null ? undefined : (JSON.parse(row.proven_body.toString('utf8')) as { data: { sessionId?: string; provenAt?: string } }).data;
  const sound = row.kind === 'signIn.opened' && data.session === contentDigest(content) && (proven === undefined || (proven.sessionId === row.session_id && proven.provenAt === row.proven_at?.toISOString()));
  if (!sound) throw new AppError('ACCESS_ROW_ALTERED', { personId: row.operator_id });
  const { sessionId, operatorId, credentialId, signedInAt, expiresAt } = content;
  return { sessionId, operatorId, credentialId, signedInAt, provenAt: row.proven_at ?? signedInAt, expiresAt };
}
