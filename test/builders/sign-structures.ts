import { derBitString, derBoolean, derContext, derInteger, derOctetString, derOid, derSequence, derSetOf, derTime } from '#libs/platform';

/** The smallest TBSCertificate (RFC 5280 4.1.2) that a CA key signs; `ca` has basicConstraints with cA TRUE. `n` is its serial. */
export function tbsCertificate(n: number, kind: 'leaf' | 'ca' = 'leaf'): Uint8Array {
  const [algorithm, at] = [derSequence(derOid('1.2.840.10045.4.3.2')), derTime(new Date('2026-01-01T00:00:00Z'))];
  const key = derSequence(algorithm, derBitString(new Uint8Array(65)));
  const constraints = derSequence(derOid('2.5.29.19'), derOctetString(derSequence(derBoolean(true))));
  return derSequence(
    derContext(0, derInteger(2)), derInteger(n), algorithm, derSequence(), derSequence(at, at), derSequence(), key, derContext(3, kind === 'ca' ? derSequence(constraints) : derSequence()),
  );
}

/** The signed attributes of a report's CMS (RFC 5652 5.4) over a digest that nobody has. */
export const REPORT_ATTRIBUTES: Uint8Array = derSetOf(
  derSequence(derOid('1.2.840.113549.1.9.3'), derSetOf(derOid('1.2.840.113549.1.7.1'))),
  derSequence(derOid('1.2.840.113549.1.9.4'), derSetOf(derOctetString(new Uint8Array(32).fill(9)))),
);
