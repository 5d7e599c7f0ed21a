import { describe, expect, it } from '@jest/globals';
import { statusFromCrls } from './certificate-view.js';
import type { ParsedCrl } from './crl.js';
import { distrustedFrom, type Revocation } from './revocation.js';

const day = (n: number): Date => new Date(Date.UTC(2026, 0, n));
const revoked = (serial: string, changes: Partial<Revocation> = {}): Revocation => ({ serial, reason: 'superseded', effectiveAt: day(2), invalidityAt: undefined, ...changes });
const list = (thisUpdate: number, ...entries: Revocation[]): ParsedCrl => ({
  tbs: new Uint8Array(),
  issuer: new Uint8Array(),
  thisUpdate: day(thisUpdate),
  nextUpdate: day(thisUpdate + 7),
  number: undefined,
  entries,
  signatureOid: '',
  signature: new Uint8Array(),
});

describe('status from the lists of a CA', () => {
  const older = list(5, revoked('A'), revoked('B'));
  const newer = list(20);

  it('remembers a revoked certificate that expired and left the list', () => {
    expect(statusFromCrls([newer, older])({ serial: 'A', notAfter: day(10) })).toEqual({ revokedAt: day(2), knownUntil: day(27) });
  });

  it('believes the newest list that should name it', () => {
    expect(statusFromCrls([newer, older])({ serial: 'B', notAfter: day(25) }).revokedAt).toBeUndefined();
    expect(statusFromCrls([list(20, revoked('B', { effectiveAt: day(15) })), older])({ serial: 'B', notAfter: day(25) }).revokedAt).toEqual(day(15));
  });

  it('knows nothing without a list', () => {
    expect(statusFromCrls([])({ serial: 'A', notAfter: day(1) })).toEqual({ revokedAt: undefined, knownUntil: undefined });
  });
});

describe('from when on a certificate is not trusted', () => {
  it.each([
    ['keyCompromise', day(1), day(1)],
    ['cACompromise', day(1), day(1)],
    ['superseded', day(1), day(2)],
    ['keyCompromise', undefined, day(2)],
    ['keyCompromise', day(3), day(2)],
  ] as const)('%s, suspected since %p: %p', (reason, invalidityAt, expected) => {
    expect(distrustedFrom(revoked('A', { reason, invalidityAt }))).toEqual(expected);
  });
});
