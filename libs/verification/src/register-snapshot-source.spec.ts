import { describe, expect, it } from '@jest/globals';
import type { CardHistory } from '#libs/cards';
import type { CertificateHistory } from '#libs/pki';
import { FixedClock } from '#libs/platform';
import { RegisterSnapshotSource } from './register-snapshot-source.js';

const day = (n: number): Date => new Date(n * 86_400_000);
const view = {
  serial: '0A', issuerHash: 'AB', issuer: 'CN=x', subject: 'CN=y', certificate: new Uint8Array(), publicKey: Uint8Array.of(1), algorithm: 'p256',
  notBefore: day(1), notAfter: day(9), chainValid: true, chainNotBefore: day(0), chainNotAfter: day(8), revokedAt: day(5), statusKnownUntil: day(7),
  holder: { kind: 'card', id: 'C1' },
} as const;

async function take(certificates: object[], cards: object[]): Promise<Awaited<ReturnType<RegisterSnapshotSource['take']>>> {
  const history = { load: () => Promise.resolve(certificates) } as unknown as CertificateHistory;
  const register = { load: () => Promise.resolve(cards) } as unknown as CardHistory;
  return new RegisterSnapshotSource(history, register, new FixedClock(day(6))).take();
}

describe('RegisterSnapshotSource', () => {
  it('takes certificates with chain, holder and status as the register knows them', async () => {
    const { takenAtMs, certificates } = await take([view, { ...view, chainValid: false, chainNotBefore: undefined, chainNotAfter: undefined, holder: undefined, revokedAt: undefined, statusKnownUntil: undefined }], []);
    expect(takenAtMs).toBe(day(6).getTime());
    expect(certificates[0]).toEqual({
      issuerHash: 'AB', serial: '0A', publicKey: Uint8Array.of(1), notBeforeMs: day(1).getTime(), notAfterMs: day(9).getTime(),
      chain: { notBeforeMs: 0, notAfterMs: day(8).getTime() }, holder: { kind: 'card', id: 'C1' }, revokedAtMs: day(5).getTime(), statusKnownUntilMs: day(7).getTime(),
    });
    expect(certificates[1]).toMatchObject({ chain: undefined, holder: undefined, revokedAtMs: undefined, statusKnownUntilMs: undefined });
  });

  it('takes from a card when it began and when it was cancelled; holds and losses do not cancel it', async () => {
    const interval = (status: string, from: number, until?: number): object => ({ status, from: day(from), until: until === undefined ? undefined : day(until) });
    const { cards } = await take([], [
      { cardNumber: 'C1', intervals: [interval('active', 1, 3), interval('lost', 3, 4), interval('cancelled', 4)] },
      { cardNumber: 'C2', intervals: [interval('active', 2, 3), interval('suspended', 3)] },
    ]);
    expect(cards).toEqual([
      { cardNo: 'C1', activeFromMs: day(1).getTime(), cancelledAtMs: day(4).getTime() },
      { cardNo: 'C2', activeFromMs: day(2).getTime(), cancelledAtMs: undefined },
    ]);
  });
});
