import { describe, expect, it } from '@jest/globals';
import { RESULT_CLASS_NAMES } from '#libs/platform/domain';
import { ndjsonLine } from '../../../../test/builders/settlement-lines.js';
import { decide, isPayable, type RecordClass, type RecordFacts } from './decide.js';
import { parseLine } from './settlement-format.js';
import type { SettlementRecord } from './settlement-record.js';
import type { CertificateView } from './status-snapshot.js';

const recordOf = (change?: Parameters<typeof ndjsonLine>[0]): SettlementRecord => {
  const parsed = parseLine('ndjson', ndjsonLine(change), true);
  if ('fault' in parsed) throw new Error(JSON.stringify(parsed.fault));
  return parsed.record;
};

const record = recordOf();
const T = record.receivedAtMs;
const DAY = 86_400_000;
const certificate: CertificateView = {
  issuerHash: 'AB'.repeat(32), serial: '51AA', publicKey: new Uint8Array(), notBeforeMs: T - DAY, notAfterMs: T + DAY,
  chain: { notBeforeMs: T - 2 * DAY, notAfterMs: T + 2 * DAY }, holder: { kind: 'card', id: 'A12345674' }, statusKnownUntilMs: T + DAY,
};
const good: RecordFacts = { record, algorithmAllowed: true, certificate, signatureValid: () => true, card: { cardNo: 'A12345674', activeFromMs: T - DAY } };
const by = (change: Partial<CertificateView>): RecordFacts => ({ ...good, certificate: { ...certificate, ...change } });

/** One fault each, nothing else wrong. */
const SINGLE: Readonly<Record<RecordClass, readonly RecordFacts[]>> = {
  NO_SIGNATURE: [{ ...good, record: recordOf({ header: { cainfo: '' } }) }],
  ALG_NOT_ALLOWED: [{ ...good, algorithmAllowed: false }],
  CERT_UNKNOWN: [{ ...good, certificate: undefined }],
  BAD_SIGNATURE: [{ ...good, signatureValid: () => false }],
  DATA_MISMATCH: [
    { ...good, record: recordOf({ booked: { setl_id: 'S2' } }) },
    { ...good, record: recordOf({ booked: { card_no: '' } }) },
    { ...good, record: recordOf({ booked: { fixmedins_code: 'H11010100002' } }) },
    { ...good, record: recordOf({ booked: { medfee_sumamt: '100.01' } }) },
    { ...good, record: recordOf({ header: { fixmedins_code: 'H11010100002' } }) },
    by({ holder: { kind: 'card', id: 'A76543210' } }),
    by({ holder: { kind: 'institution', id: 'H11010100002' } }),
    by({ holder: { kind: 'terminal', id: '110101000001' } }),
  ],
  CHAIN_INVALID: [by({ chain: undefined }), by({ chain: { notBeforeMs: T + 1, notAfterMs: T + DAY } }), by({ chain: { notBeforeMs: T - DAY, notAfterMs: T - 1 } })],
  CERT_EXPIRED_AT_TX: [by({ notAfterMs: T - 1 }), by({ notBeforeMs: T + 1 })],
  CERT_REVOKED_AT_TX: [by({ revokedAtMs: T }), by({ revokedAtMs: T - DAY }), by({ revokedAtMs: T - DAY, statusKnownUntilMs: undefined })],
  INDETERMINATE: [by({ statusKnownUntilMs: undefined }), by({ statusKnownUntilMs: T - 1 }), { ...good, card: undefined }, { ...good, card: { cardNo: 'A12345674', activeFromMs: T + 1 } }],
  CARD_CANCELLED_AT_TX: [{ ...good, card: { cardNo: 'A12345674', activeFromMs: T - DAY, cancelledAtMs: T } }],
  AMOUNT_MISMATCH: [{ ...good, record: recordOf({ input: { psn_cash_pay: '10.01' } }) }, { ...good, record: recordOf({ input: { balc_after: '0.00' } }) }],
  CERT_REVOKED_LATER: [by({ revokedAtMs: T + 1 }), by({ revokedAtMs: T + 1, statusKnownUntilMs: undefined })],
  OK: [
    good,
    by({ notBeforeMs: T, notAfterMs: T }),
    by({ statusKnownUntilMs: T }),
    by({ holder: undefined }),
    by({ holder: { kind: 'institution', id: 'H11010100001' } }),
    { ...good, card: { cardNo: 'A12345674', activeFromMs: T, cancelledAtMs: T + 1 } },
    { ...good, record: recordOf({ input: { card_no: '' }, booked: { card_no: '' } }), card: undefined, certificate: { ...certificate, holder: undefined } },
  ],
};

describe('decide', () => {
  it.each(Object.entries(SINGLE).flatMap(([name, list]) => list.map((facts, i) => [`${name} ${i}`, name, facts] as const)))('%s', (_title, name, facts) => {
    expect(decide(facts)).toBe(name);
  });

  it('of two faults in one record names the one that stands first in the table of classes', () => {
    const names = RESULT_CLASS_NAMES.filter((name): name is RecordClass => name in SINGLE && name !== 'OK');
    const base = good as unknown as Record<string, unknown>;
    for (const [i, first] of names.entries()) {
      for (const second of names.slice(i + 1)) {
        const [one, other] = [SINGLE[first][0], SINGLE[second][0]] as unknown as [Record<string, unknown>, Record<string, unknown>];
        const changed = Object.keys(one).filter((key) => one[key] !== base[key]);
        const also = Object.keys(other).filter((key) => other[key] !== base[key]);
        // Facts that change the same field cannot be laid over each other that simply.
        if (changed.some((key) => also.includes(key))) continue;
        const both = { ...other, ...Object.fromEntries(changed.map((key) => [key, one[key]])) } as unknown as RecordFacts;
        expect([first, second, decide(both)]).toEqual([first, second, first]);
      }
    }
  });

  it('does not ask for the signature when something before it decided', () => {
    const never = (): boolean => {
      throw new Error('asked');
    };
    for (const name of ['NO_SIGNATURE', 'ALG_NOT_ALLOWED', 'CERT_UNKNOWN'] as const) {
      expect(decide({ ...(SINGLE[name][0] as RecordFacts), signatureValid: never })).toBe(name);
    }
  });

  it('lets only verified records be paid', () => {
    expect(RESULT_CLASS_NAMES.filter(isPayable)).toEqual(['CERT_REVOKED_LATER', 'OK']);
  });
});
