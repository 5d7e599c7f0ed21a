import { hash, randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { Journal } from '#libs/journal';
import { Clock } from '#libs/platform';
import { AppError, isAppError } from '#libs/platform/domain';
import { AccessTerms } from '../access-terms.js';
import { CertificateStatus } from '../certificate-status.js';
import { actingAt, covers, credentialsOf } from '../domain/authority.js';
import type { CredentialMaterial } from '../domain/credential-material.js';
import { type PersonRecord, OperatorId, type Row } from '../domain/record.js';
import { ProofKey, readRequestProof, thumbprint } from '../domain/request-proof.js';
import type { Refusal } from '../domain/sign-in-refusal.js';
import { parsed } from '../operators.service.js';
import { PersonRecords } from '../person-records.js';
import { Possession } from './fields.js';
import { Origins } from './origins.js';
import { checkPossession } from './possession-check.js';
import { Refusals } from './refusals.service.js';
import { type OpenedSession, type Session, Sessions } from './sessions.service.js';
import { type Challenge, SignInRepository } from './sign-in.repository.js';

const CHALLENGE_BYTES = 32;
const CHALLENGE_MINUTES = 2;
const MINUTE = 60_000;
/** Lengths that ids of authenticators have. */
const DECOY_BYTES = [32, 48, 64] as const;

export const ChallengeRequest = z.strictObject({ operatorId: OperatorId, method: z.enum(['webauthn', 'ukey']), purpose: z.enum(['signIn', 'stepUp']) });
export type ChallengeRequest = z.input<typeof ChallengeRequest>;

const one = ({ webauthn, ukey }: Possession): boolean => (webauthn === undefined) !== (ukey === undefined);
export const SignInRequest = z.strictObject({ challengeId: z.uuid(), ...Possession, proofKey: ProofKey }).refine(one, 'webauthn or ukey');
export const StepUpRequest = z.strictObject({ challengeId: z.uuid(), ...Possession }).refine(one, 'webauthn or ukey');
export const CertificateSignIn = z.strictObject({ proofKey: ProofKey });

export interface ChallengeView {
  readonly challengeId: string;
  /** base64url. */
  readonly challenge: string;
  readonly rpId: string;
  readonly credentialIds: readonly string[];
  readonly expiresAt: Date;
}

/** How a request came, beside its content. */
export interface Arrival {
  readonly source: string;
  /** Header `DPoP`. */
  readonly proof: string | undefined;
  readonly method: string;
  readonly path: string;
}

export interface SignedInSession extends OpenedSession {
  readonly operatorId: string;
}

type Outcome<T> = { readonly done: T } | { readonly refused: AppError };
/** The account as it stands, or why nothing can be said for it. */
type Standing = { readonly record: PersonRecord } | { readonly refusal: Refusal };

/** Sign-in: a challenge, a key that answers it, a session that is bound to the browser's own key. */
@Injectable()
export class SignIn {
  constructor(
    private readonly rows: SignInRepository,
    private readonly records: PersonRecords,
    private readonly sessions: Sessions,
    private readonly refusals: Refusals,
    private readonly origins: Origins,
    private readonly certificates: CertificateStatus,
    private readonly journal: Journal,
    private readonly terms: AccessTerms,
    private readonly clock: Clock,
  ) {}

  /** For an account that does not exist or cannot sign in this way the answer has the same form. Throws SIGN_IN_THROTTLED, REQUEST_INVALID. */
  async challenge(request: ChallengeRequest, source: string): Promise<ChallengeView> {
    const { operatorId, method, purpose } = parsed(ChallengeRequest, request);
    await this.refusals.requireNotThrottled(source);
    const at = this.clock.now();
    if ((await this.rows.challengesFrom(source, at)) >= 2 * CHALLENGE_MINUTES * this.terms.config.signIn.sourceFailures) throw new AppError('SIGN_IN_THROTTLED');
    const challenge: Challenge = { challengeId: randomUUID(), challenge: randomBytes(CHALLENGE_BYTES), operatorId, method, purpose, expiresAt: new Date(at.getTime() + CHALLENGE_MINUTES * MINUTE) };
    await this.rows.insertChallenge(challenge, source, at);
    const known = method === 'webauthn' ? await this.rows.credentialIds(operatorId, 'signIn', at) : [];
    const ids = method === 'webauthn' && known.length === 0 ? [decoyId(this.terms.decoy(operatorId))] : known;
    return {
      challengeId: challenge.challengeId,
      challenge: Buffer.from(challenge.challenge).toString('base64url'),
      rpId: this.origins.rpId('signIn'),
      credentialIds: ids.map((id) => Buffer.from(id).toString('base64url')),
      expiresAt: challenge.expiresAt,
    };
  }

  /** Throws SIGN_IN_REFUSED, and what REFUSALS tells whoever showed to hold the key; SIGN_IN_THROTTLED, REQUEST_INVALID. */
  async open(request: z.input<typeof SignInRequest>, arrival: Arrival): Promise<SignedInSession> {
    const { challengeId, proofKey, ...possession } = parsed(SignInRequest, request);
    return this.judged({ challengeId, purpose: 'signIn', possession, source: arrival.source }, (tx, { operatorId, credentialId, method }) => {
      const refusal = this.proofRefusal(arrival, proofKey);
      if (refusal !== undefined) return { refusal };
      return this.sessions.open(tx, { operatorId, credentialId, proofKey: thumbprint(proofKey), certificateDigest: null, method, source: arrival.source }).then((session) => ({ entryId: session.entryId, value: { ...session, operatorId } }));
    });
  }

  /** Proves the identity of the session's account anew, by any of its sign-in credentials in force. Throws as `open`. */
  async stepUp(session: Session, request: z.input<typeof StepUpRequest>, source: string): Promise<void> {
    const { challengeId, ...possession } = parsed(StepUpRequest, request);
    await this.judged({ challengeId, purpose: 'stepUp', possession, source, operatorId: session.operatorId }, async (tx, { method }) => ({ entryId: await this.sessions.prove(tx, session, method), value: undefined }));
  }

  /** TLS has shown that the key is held. Throws SIGN_IN_REFUSED, CERTIFICATE_NOT_GOOD, CREDENTIAL_NOT_IN_FORCE, OPERATOR_INACTIVE, SIGN_IN_LOCKED, SIGN_IN_THROTTLED. */
  async openByCertificate(request: z.input<typeof CertificateSignIn>, certificate: Uint8Array | undefined, arrival: Arrival): Promise<SignedInSession> {
    const { proofKey } = parsed(CertificateSignIn, request);
    const { source } = arrival;
    await this.refusals.requireNotThrottled(source);
    const at = this.clock.now();
    const held = certificate === undefined ? undefined : await this.rows.credentialByKey(keyDigestOf(certificate));
    const standing = held === undefined ? undefined : await this.standing(held.operatorId, at);
    const status = certificate === undefined ? 'unknown' : await this.certificates.statusOf(certificate, at);
    return this.settled(async (tx) => {
      const refuse = async (refusal: Refusal): Promise<Outcome<SignedInSession>> => ({ refused: await this.refusals.refuse(tx, { operatorId: held?.operatorId, source }, refusal) });
      if (held === undefined || standing === undefined || certificate === undefined) return refuse({ reason: 'credential', proven: false });
      const { operatorId, credentialId } = held;
      await this.rows.lockAccount(tx, operatorId);
      if ('refusal' in standing) return refuse({ ...standing.refusal, proven: true });
      if (status !== 'good') return refuse({ reason: 'certificate', status, proven: true });
      const credential = inForce(standing.record, operatorId, keyDigestOf(certificate), at);
      if (credential?.method !== 'certificate') return refuse({ reason: 'notInForce', proven: true });
      if ((await this.refusals.lockedUntil(tx, operatorId, at)) !== undefined) return refuse({ reason: 'locked', proven: true });
      const refusal = this.proofRefusal(arrival, proofKey);
      if (refusal !== undefined) return refuse(refusal);
      const certificateDigest = hash('sha256', certificate, 'hex').toUpperCase();
      return { done: { ...(await this.sessions.open(tx, { operatorId, credentialId, proofKey: thumbprint(proofKey), certificateDigest, method: 'certificate', source })), operatorId } };
    });
  }

  /**
   * Takes the challenge, judges who answers it, and writes whatever comes of it: a failure is committed before it is thrown. The record
   * is read before, in a snapshot of its own; what changed since is seen at the session's first request.
   */
  private async judged<T>(
    asked: { readonly challengeId: string; readonly purpose: Challenge['purpose']; readonly possession: Possession; readonly source: string; readonly operatorId?: string },
    act: (tx: EntityManager, by: { readonly operatorId: string; readonly credentialId: string; readonly method: string }) => Promise<{ readonly entryId: string; readonly value: T }> | { readonly refusal: Refusal },
  ): Promise<T> {
    const { challengeId, purpose, possession, source } = asked;
    await this.refusals.requireNotThrottled(source);
    const at = this.clock.now();
    const named = await this.rows.challengedOperator(challengeId);
    const standing = named === undefined ? undefined : await this.standing(named, at);
    const material = named === undefined ? undefined : await this.material(named, possession);
    return this.settled(async (tx): Promise<Outcome<T>> => {
      if (named !== undefined) await this.rows.lockAccount(tx, named);
      const challenge = await this.rows.takeChallenge(tx, challengeId);
      const refuse = async (refusal: Refusal): Promise<Outcome<T>> => ({ refused: await this.refusals.refuse(tx, { operatorId: asked.operatorId ?? challenge?.operatorId, source }, refusal) });
      if (challenge === undefined || standing === undefined || challenge.purpose !== purpose || at >= challenge.expiresAt || (asked.operatorId ?? challenge.operatorId) !== challenge.operatorId) return refuse({ reason: 'challenge', proven: false });
      const { operatorId, method } = challenge;
      if (material !== undefined && 'reason' in material) return refuse(material);
      if (possession[method] === undefined || material?.method !== method || material.purpose !== 'signIn') return refuse({ reason: 'credential', proven: false });
      const held = checkPossession(possession, material, { challenge: challenge.challenge, origins: this.origins.of('signIn') });
      if ('reason' in held) return refuse(held);
      if ('refusal' in standing) return refuse({ ...standing.refusal, proven: true });
      const credential = inForce(standing.record, operatorId, material.keyDigest, at);
      if (credential === undefined || (await this.rows.isBlocked(tx, material.keyDigest))) return refuse({ reason: 'notInForce', proven: true });
      if (await this.isClone(tx, material, held.signCount, standing.record.personId, at)) return refuse({ reason: 'signCount', proven: true });
      if ((await this.refusals.lockedUntil(tx, operatorId, at)) !== undefined) return refuse({ reason: 'locked', proven: true });
      const acted = await act(tx, { operatorId, credentialId: credential.credentialId, method });
      if ('refusal' in acted) return refuse(acted.refusal);
      if (held.signCount > 0) await this.rows.insertCount(tx, material.keyDigest, held.signCount, at, acted.entryId);
      return { done: acted.value };
    });
  }

  private async settled<T>(work: (tx: EntityManager) => Promise<Outcome<T>>): Promise<T> {
    const outcome = await this.rows.write(work);
    if ('refused' in outcome) throw outcome.refused;
    return outcome.done;
  }

  /** An altered record is nobody's business who has not shown to hold the key. */
  private async standing(operatorId: string, at: Date): Promise<Standing> {
    try {
      const record = await this.records.read((tx) => this.records.ofOperator(tx, operatorId));
      actingAt(record, operatorId, at);
      return { record };
    } catch (error) {
      if (!isAppError(error)) throw error;
      return { refusal: { reason: error.code === 'ACCESS_ROW_ALTERED' ? 'altered' : 'inactive', proven: false } };
    }
  }

  private async material(operatorId: string, { webauthn, ukey }: Possession): Promise<CredentialMaterial | Refusal | undefined> {
    try {
      const found = webauthn === undefined ? await this.rows.materialByKey(ukey?.keyDigest ?? '') : await this.rows.materialByCredentialId(operatorId, webauthn.credentialId);
      return found?.operatorId === operatorId ? found : undefined;
    } catch (error) {
      if (!isAppError(error)) throw error;
      // A key that was changed behind the product's back proves nothing.
      return { reason: 'altered', proven: false };
    }
  }

  /** WebAuthn 7.2, 22: a count that does not grow means two authenticators with one key. 0 throughout means that it does not count. */
  private async isClone(tx: EntityManager, material: CredentialMaterial, signCount: number, personId: string, at: Date): Promise<boolean> {
    if (material.webauthn === null) return false;
    const last = await this.rows.lastCount(tx, material);
    if (signCount > last || (signCount === 0 && last === 0)) return false;
    const entryId = await this.journal.record(tx, { kind: 'signIn.authenticatorCloned', subject: material.operatorId, data: { keyDigest: material.keyDigest, last, signCount } });
    await this.rows.block(tx, material.keyDigest, material.operatorId, at, entryId);
    await this.refusals.notify(tx, personId, 'authenticatorCloned', at);
    return true;
  }

  private proofRefusal({ proof, method, path }: Arrival, proofKey: ProofKey): Refusal | undefined {
    const read = readRequestProof(proof, { method, path, origins: this.origins.all(), at: this.clock.now(), proofKey: thumbprint(proofKey), tokenDigest: undefined });
    return typeof read === 'string' ? { reason: 'proof', proven: false, status: read } : undefined;
  }
}

function inForce(record: PersonRecord, operatorId: string, keyDigest: string, at: Date): Row<'credential'> | undefined {
  return credentialsOf(record).find((held) => held.operatorId === operatorId && held.purpose === 'signIn' && held.keyDigest === keyDigest && covers(held, at));
}

function keyDigestOf(certificate: Uint8Array): string {
  return hash('sha256', new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }), 'hex').toUpperCase();
}

function decoyId(seed: Uint8Array): Uint8Array {
  const length = DECOY_BYTES[(seed[0] ?? 0) % DECOY_BYTES.length];
  return hash('sha512', seed, 'buffer').subarray(0, length);
}
