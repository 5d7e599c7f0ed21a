import type { ParsedCertificate } from './certificate.js';
import type { ChainFinding } from './chain.js';
import type { ParsedCrl } from './crl.js';
import type { Holder } from './enrolment.js';
import { type KeyAlgorithm, readPublicKey } from './key-algorithm.js';
import { nameText } from './name.js';
import { distrustedFrom } from './revocation.js';

/** What a judge of a signature must know of the certificate, at any time judged. Plain data: it crosses threads. */
export interface CertificateView {
  /** Upper-case hex. */
  readonly serial: string;
  /** SHA-256 of the issuer name in DER, upper-case hex; (issuerHash, serial) is the key. */
  readonly issuerHash: string;
  /** RFC 4514 text, for people and for files that name the issuer so. */
  readonly issuer: string;
  readonly subject: string;
  readonly certificate: Uint8Array;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
  readonly algorithm: KeyAlgorithm | 'other';
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Good signatures lead to a trust anchor. Whether that chain was valid at a time stands in the window below. */
  readonly chainValid: boolean;
  readonly chainNotBefore: Date | undefined;
  readonly chainNotAfter: Date | undefined;
  /** From when on it is not trusted: revocation, or the earlier invalidity date of a compromised key. */
  readonly revokedAt: Date | undefined;
  /** undefined: there is no status information at all. */
  readonly statusKnownUntil: Date | undefined;
  /** Only of certificates that this scheme issued. */
  readonly holder: Holder | undefined;
}

export interface StatusView {
  readonly revokedAt: Date | undefined;
  readonly knownUntil: Date | undefined;
}

export function certificateView(
  parsed: ParsedCertificate,
  issuerHash: string,
  chain: ChainFinding,
  status: StatusView,
  holder: Holder | undefined,
): CertificateView {
  return {
    serial: parsed.serial,
    issuerHash,
    issuer: nameText(parsed.issuer),
    subject: nameText(parsed.subject),
    certificate: parsed.der,
    publicKey: parsed.publicKey,
    algorithm: readPublicKey(parsed.publicKey)?.algorithm ?? 'other',
    notBefore: parsed.notBefore,
    notAfter: parsed.notAfter,
    chainValid: chain.window !== undefined,
    chainNotBefore: chain.window?.notBefore,
    chainNotAfter: chain.window?.notAfter,
    revokedAt: status.revokedAt,
    statusKnownUntil: status.knownUntil,
    holder,
  };
}

/**
 * Status from the lists of one CA, newest first. A revoked certificate leaves the lists some time after it has expired
 * (RFC 5280 3.3), so an older list is asked when the newer one came after its end. A certificate that a list should name
 * and does not is not revoked, whatever older lists said (a hold was released).
 */
export function statusFromCrls(newestFirst: readonly ParsedCrl[]): (certificate: Pick<ParsedCertificate, 'serial' | 'notAfter'>) => StatusView {
  const lists = newestFirst.map((crl) => ({ thisUpdate: crl.thisUpdate, revoked: new Map(crl.entries.map((entry) => [entry.serial, distrustedFrom(entry)])) }));
  const [newest] = newestFirst;
  const knownUntil = newest?.nextUpdate ?? newest?.thisUpdate;
  return ({ serial, notAfter }) => {
    for (const { thisUpdate, revoked } of lists) {
      const revokedAt = revoked.get(serial);
      if (revokedAt !== undefined || thisUpdate <= notAfter) return { revokedAt, knownUntil };
    }
    return { revokedAt: undefined, knownUntil };
  };
}
