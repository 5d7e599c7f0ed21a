import { AppError } from '#libs/platform/domain';
import type { CertificationAuthority } from './authority.js';
import { readCertificateRequest } from './certificate-request.js';
import { encodeTbsCertificate } from './certificate.js';
import { profileExtensions } from './extensions.js';
import type { KeyAlgorithm } from './key-algorithm.js';
import { encodeName, SubjectName } from './name.js';
import { type CertificateProfile, HOLDER_KINDS, type HolderKind } from './profile.js';

export interface Holder {
  readonly kind: HolderKind;
  /** Institution code, terminal number, card number; CA id or key label for token keys. */
  readonly id: string;
}

/** One certificate that a holder asks for. The name comes from the register, never from the request. */
export interface EnrolmentRequest {
  readonly profile: string;
  /** PKCS#10 in DER. */
  readonly csr: Uint8Array;
  readonly subject: SubjectName;
  /** Whole seconds; may lie in the past (the scheme's history is loaded). */
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly holder: Holder;
}

/** What stands in a certificate before it has a serial. */
export interface CertificateContent {
  readonly profile: string;
  readonly holder: Holder;
  readonly subject: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Uint8Array[];
}

/** The issuer as issuance sees it; a root's first certificate has an issuer that does not exist yet. */
export type Issuer = Pick<CertificationAuthority, 'caId' | 'profile' | 'subject' | 'publicKey' | 'algorithm' | 'notBefore' | 'notAfter'>;

/**
 * Decides one request: proof of possession, then everything `certificateContent` asks.
 * Throws CSR_MALFORMED, KEY_NOT_CERTIFIABLE, POP_FAILED and what `certificateContent` throws.
 */
export function decideEnrolment(request: EnrolmentRequest, profile: CertificateProfile, issuer: Issuer): CertificateContent {
  const { spki, publicKey } = readCertificateRequest(request.csr);
  if (profile.keyClass !== undefined) throw new AppError('HOLDER_INVALID', { holder: request.holder.id, profile: profile.name });
  return certificateContent({ ...request, publicKey: spki, algorithm: publicKey.algorithm }, profile, issuer);
}

/**
 * The content of a certificate under a profile and an issuer. Throws KEY_ALGORITHM_REFUSED, PROFILE_REFUSED_BY_ISSUER,
 * HOLDER_INVALID, SUBJECT_INVALID, VALIDITY_REFUSED.
 */
export function certificateContent(
  request: Omit<EnrolmentRequest, 'profile' | 'csr'> & { readonly publicKey: Uint8Array; readonly algorithm: KeyAlgorithm },
  profile: CertificateProfile,
  issuer: Issuer,
): CertificateContent {
  const { holder, notBefore, notAfter, publicKey, algorithm } = request;
  if (!profile.keys.includes(algorithm)) throw new AppError('KEY_ALGORITHM_REFUSED', { algorithm, profile: profile.name });
  if (!profile.issuedBy.includes(issuer.profile)) throw new AppError('PROFILE_REFUSED_BY_ISSUER', { profile: profile.name, caId: issuer.caId });
  if (holder.kind !== profile.holder || !HOLDER_KINDS[holder.kind].test(holder.id)) {
    throw new AppError('HOLDER_INVALID', { holder: holder.id, profile: profile.name });
  }
  const subject = SubjectName.safeParse(request.subject);
  if (!subject.success) throw new AppError('SUBJECT_INVALID', { reason: subject.error.issues[0]?.message ?? '' });
  checkValidity(notBefore, notAfter, profile, issuer);
  return {
    profile: profile.name,
    holder,
    subject: encodeName(subject.data),
    publicKey,
    notBefore,
    notAfter,
    extensions: profileExtensions(profile, publicKey, issuer.publicKey),
  };
}

export function tbsOf(content: CertificateContent, serial: string, issuer: Issuer): Uint8Array {
  return encodeTbsCertificate({ ...content, serial, issuer: issuer.subject, issuerAlgorithm: issuer.algorithm });
}

const DAY_MS = 86_400_000;

function checkValidity(notBefore: Date, notAfter: Date, profile: CertificateProfile, issuer: Issuer): void {
  const refuse = (reason: string): never => {
    throw new AppError('VALIDITY_REFUSED', { reason });
  };
  const [from, to] = [notBefore.getTime(), notAfter.getTime()];
  if (!(from < to)) refuse('notBefore < notAfter');
  if (from % 1_000 !== 0 || to % 1_000 !== 0) refuse('whole seconds');
  if (to - from > profile.maxValidityDays * DAY_MS) refuse(`${profile.name}: <= ${profile.maxValidityDays} d`);
  if (notBefore < issuer.notBefore || notAfter > issuer.notAfter) refuse(`outside ${issuer.caId}`);
}
