import { hash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Journal } from '#libs/journal';
import { Clock } from '#libs/platform';
import { AppError, isAppError } from '#libs/platform/domain';
import { importPublicKey, keyAlgorithm, signInBytes, SignatureVerifier } from '#libs/signature';
import { AccessTerms } from '../access-terms.js';
import { requireRole, requireScope } from '../domain/authority.js';
import { contentDigest, type CredentialMaterial } from '../domain/credential-material.js';
import { CODE_BYTES, codeDigest, codeText, digestGroups, enrolmentChallenge, typedCode } from '../domain/enrolment-code.js';
import { CREDENTIAL_METHODS, CREDENTIAL_PURPOSES, OperatorId } from '../domain/record.js';
import { FirstPolicies } from '../first-policies.js';
import { Operators, parsed, PROPOSERS } from '../operators.service.js';
import { PersonRecords } from '../person-records.js';
import { Attestations } from './attestation.js';
import { base64url, CREDENTIAL_ID_BYTES, hexBytes } from './fields.js';
import { Origins } from './origins.js';
import { Refusals } from './refusals.service.js';
import { type EnrolmentCode, SignInRepository } from './sign-in.repository.js';

const MINUTE = 60_000;
const ATTESTATION_BYTES = 16_384;
/** What a key signs that is enrolled away from a browser. */
const TERMINAL = 'enrolment';

export const CodeRequest = z
  .strictObject({ operatorId: OperatorId, purpose: z.enum(CREDENTIAL_PURPOSES), method: z.enum(CREDENTIAL_METHODS) })
  .refine(({ purpose, method }) => (purpose === 'signIn' ? method !== 'plain' : method !== 'certificate'), 'signing in is by webauthn, certificate or ukey; approving by plain, webauthn or ukey');
export type CodeRequest = z.input<typeof CodeRequest>;

const code = z.string().max(64);
export const OptionsRequest = z.strictObject({ code });
export const EnrolmentRequest = z
  .strictObject({
    code,
    webauthn: z.strictObject({ credentialId: base64url(CREDENTIAL_ID_BYTES), attestationObject: base64url(ATTESTATION_BYTES), clientDataJson: base64url(2048) }).optional(),
    /** `signature`: over `signInBytes` of the page's origin, or of "enrolment" at a terminal, and the challenge. */
    key: z.strictObject({ publicKey: hexBytes(200), algorithm: z.enum(['p256Sha256', 'sm2Sm3']), signature: hexBytes(80) }).optional(),
  })
  .refine(({ webauthn, key }) => (webauthn === undefined) !== (key === undefined), 'webauthn or key');
type EnrolmentRequest = z.output<typeof EnrolmentRequest>;

/** PublicKeyCredentialCreationOptions (WebAuthn 5.4) with bytes as base64url; without the rest for a key that is no authenticator's. */
export type EnrolmentOptions = Readonly<Record<string, unknown>> & { readonly operatorId: string; readonly challenge: string };

const verifier = new SignatureVerifier(16);

/** Keys come in by a one-time code and give no right; the right comes by a change, or by the initialisation, that names the key's digest. */
@Injectable()
export class Enrolments {
  private readonly attestations: Attestations;

  constructor(
    private readonly rows: SignInRepository,
    private readonly records: PersonRecords,
    private readonly policies: FirstPolicies,
    private readonly operators: Operators,
    private readonly refusals: Refusals,
    private readonly origins: Origins,
    private readonly journal: Journal,
    private readonly terms: AccessTerms,
    private readonly clock: Clock,
  ) {
    this.attestations = new Attestations(terms.config.signIn);
  }

  /** For the first operators, through the local door, which closes with the initialisation. Throws OPERATORS_EXIST, REQUEST_INVALID. */
  async firstCode(request: CodeRequest): Promise<{ code: string; expiresAt: Date }> {
    const wanted = parsed(CodeRequest, request);
    return this.records.write(async (tx) => {
      if (await this.policies.exists(tx)) throw new AppError('OPERATORS_EXIST');
      return this.issue(tx, wanted, undefined);
    });
  }

  /** By a system administrator of the region, or by the owner of the account. Throws ACCESS_DENIED, OUT_OF_SCOPE, OPERATOR_UNKNOWN, REQUEST_INVALID. */
  async code(byOperatorId: string, personId: string, request: CodeRequest): Promise<{ code: string; expiresAt: Date }> {
    const wanted = parsed(CodeRequest, request);
    return this.records.write(async (tx) => {
      const acting = await this.operators.actingIn(tx, byOperatorId);
      const record = await this.records.one(tx, personId);
      if (!record.operator.some(({ operatorId }) => operatorId === wanted.operatorId)) throw new AppError('OPERATOR_UNKNOWN', { operatorId: wanted.operatorId });
      if (acting.personId !== personId) {
        requireRole(acting, PROPOSERS, 'signIn.enrolmentCode');
        requireScope(acting, PROPOSERS, record.person.map(({ region }) => region));
      }
      return this.issue(tx, wanted, byOperatorId);
    });
  }

  /** What a browser or an agent makes a key by. Throws ENROLMENT_CODE_INVALID, SIGN_IN_THROTTLED, REQUEST_INVALID. */
  async options(request: z.input<typeof OptionsRequest>, source: string): Promise<EnrolmentOptions> {
    const { digits, operatorId, purpose, method } = await this.opened(parsed(OptionsRequest, request).code, source);
    const challenge = Buffer.from(enrolmentChallenge(digits)).toString('base64url');
    if (method !== 'webauthn') return { purpose, method, operatorId, challenge };
    const rpId = this.origins.rpId(purpose);
    return {
      ...{ purpose, method, operatorId, challenge },
      rp: { id: rpId, name: 'Hufu 虎符' },
      // Not the account itself: an authenticator shows the handle to whoever holds it (WebAuthn 14.6.1).
      user: { id: hash('sha256', `hufu/user-handle/1\0${purpose}\0${operatorId}`, 'base64url'), name: operatorId, displayName: operatorId },
      pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
      attestation: 'direct',
      authenticatorSelection: { userVerification: 'required', residentKey: 'discouraged' },
      excludeCredentials: [],
    };
  }

  /** Takes a key once and says its digest, in groups for two persons to compare. Throws ENROLMENT_CODE_INVALID, ENROLMENT_REFUSED, CREDENTIAL_TAKEN, SIGN_IN_THROTTLED, REQUEST_INVALID. */
  async enrol(request: z.input<typeof EnrolmentRequest>, source: string): Promise<{ keyDigest: string; groups: string }> {
    const given = parsed(EnrolmentRequest, request);
    const opened = await this.opened(given.code, source);
    try {
      const material = await this.materialOf(given, opened);
      await this.rows.write(async (tx) => {
        const entryId = await this.journal.record(tx, { kind: 'signIn.enrolled', subject: opened.operatorId, data: { keyDigest: material.keyDigest, purpose: material.purpose, method: material.method, source, material: contentDigest(material) } });
        if (!(await this.rows.insertMaterial(tx, codeDigest(opened.digits), material, this.clock.now(), entryId))) throw new AppError('CREDENTIAL_TAKEN');
      });
      return { keyDigest: material.keyDigest, groups: digestGroups(material.keyDigest) };
    } catch (error) {
      if (!isAppError(error)) throw error;
      // The code may have been used meanwhile; then that is what is wrong.
      await this.opened(given.code, source);
      await this.journalRefusal(opened, source, error);
      throw error;
    }
  }

  private async journalRefusal({ operatorId, purpose, method }: Pick<EnrolmentCode, 'operatorId' | 'purpose' | 'method'>, source: string, { code: refused, details }: AppError): Promise<void> {
    const reason = String(details['reason'] ?? refused).slice(0, 300);
    await this.rows.write((tx) => this.journal.record(tx, { kind: 'signIn.enrolmentRefused', subject: operatorId, data: { source, purpose, method, reason } }));
  }

  private async issue(tx: Parameters<SignInRepository['insertCode']>[0], wanted: z.output<typeof CodeRequest>, byOperatorId: string | undefined): Promise<{ code: string; expiresAt: Date }> {
    const at = this.clock.now();
    const text = codeText(randomBytes(CODE_BYTES));
    const row: EnrolmentCode = { ...wanted, codeDigest: codeDigest(typedCode(text) as string), byOperatorId, expiresAt: new Date(at.getTime() + this.terms.config.signIn.enrolmentMinutes * MINUTE), recordedAt: at };
    const entryId = await this.journal.record(tx, { kind: 'signIn.enrolmentCode', subject: wanted.operatorId, data: { by: byOperatorId ?? 'initialisation', purpose: wanted.purpose, method: wanted.method, codeDigest: row.codeDigest } });
    await this.rows.insertCode(tx, row, entryId);
    return { code: text, expiresAt: row.expiresAt };
  }

  /** Guesses are journalled, and slowed down by their address. */
  private async opened(text: string, source: string): Promise<Pick<EnrolmentCode, 'operatorId' | 'purpose' | 'method'> & { digits: string }> {
    await this.refusals.requireNotThrottled(source);
    const digits = typedCode(text);
    const found = digits === undefined ? undefined : await this.rows.openCode(codeDigest(digits), this.clock.now());
    if (digits !== undefined && found !== undefined) return { ...found, digits };
    await this.rows.write((tx) => this.refusals.refuse(tx, { operatorId: undefined, source }, { reason: 'code', proven: false }));
    throw new AppError('ENROLMENT_CODE_INVALID');
  }

  private async materialOf({ webauthn, key }: EnrolmentRequest, { digits, ...owner }: Pick<EnrolmentCode, 'operatorId' | 'purpose' | 'method'> & { digits: string }): Promise<CredentialMaterial> {
    const challenge = enrolmentChallenge(digits);
    const { purpose, method } = owner;
    if ((method === 'webauthn') !== (webauthn !== undefined)) throw new AppError('ENROLMENT_REFUSED', { reason: `the code is for ${method}` });
    if (webauthn !== undefined) {
      const terms = { challenge, rpId: this.origins.rpId(purpose), origins: this.origins.of(purpose), mayBeBackedUp: purpose === 'signIn' };
      return { ...owner, ...(await this.attestations.verify(webauthn, terms)) };
    }
    const { publicKey, algorithm, signature } = key as NonNullable<typeof key>;
    const imported = importPublicKey(publicKey);
    if (imported === undefined || keyAlgorithm(imported) !== algorithm) throw new AppError('ENROLMENT_REFUSED', { reason: `not a key of ${algorithm}` });
    // One key, one encoding: what is stored is the key as this process writes it.
    const spki = Uint8Array.from(imported.export({ type: 'spki', format: 'der' }));
    const signed = [TERMINAL, ...this.origins.of(purpose)].some((origin) => verifier.verify({ algorithm, publicKey: spki, bytes: signInBytes(origin, challenge), signature }));
    if (!signed) throw new AppError('ENROLMENT_REFUSED', { reason: 'the signature does not show that the key is held' });
    return { ...owner, keyDigest: hash('sha256', spki, 'hex').toUpperCase(), algorithm, publicKey: spki, webauthn: null };
  }
}
