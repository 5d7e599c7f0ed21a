import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ERROR_TEXTS, fromHex, toHex } from '#libs/platform/domain';
import { desEncrypt, header, parseAnswer, secured, SECURED, selectFile, withData } from './apdu.js';
import { logDigest, loggedExchange } from './apdu-log.js';
import { FILES, KEY_SLOTS, keyHeader, slotPath, type CardIdentity, type SlotName } from './card-profile.js';
import { difference, requireConserved, stock } from './conservation.js';
import { isGroup, keyUnfitness, places, type RegisteredKey } from './key-set.js';
import { bytesProof, statusProof } from './proof.js';
import { beijingDay, isFiled, psamSerial, type PsamKeySet } from './psam.js';
import { ALL_PSAM_STATES, PSAM_STATES, type PsamState, transition } from './psam-state.js';
import { personalisationScript } from './script.js';
import { STATUS_WORDS, statusText } from './status-words.js';

const bytes = (length: { minLength?: number; maxLength?: number }): fc.Arbitrary<Uint8Array> => fc.uint8Array(length);
const states = fc.constantFrom<PsamState>(...ALL_PSAM_STATES);
const keySet: PsamKeySet = {
  transportRoot: '01'.repeat(16), controlRoot: '02'.repeat(16), maintenanceRoot: '03'.repeat(16), purchaseRoot: '04'.repeat(16), dataRoot: '05'.repeat(16),
};
const card: CardIdentity = {
  chipSerial: fromHex('4855465500000001'), psamSerial: fromHex('11000000000000000001'), terminalNumber: fromHex('110000000123'),
  region: '110000', institutionCode: 'HOSPITAL0001', validFrom: '2026-01-01', validTo: '2035-12-31',
};

describe('APDU builders', () => {
  it('declare exactly the data that follows, and nothing that does not fit', () => {
    fc.assert(fc.property(bytes({ minLength: 1, maxLength: 255 }), fc.nat(255), (data, ins) => {
      const apdu = withData(header(0x80, ins, 1, 2), data);
      expect([apdu[4], apdu.length]).toEqual([data.length, 5 + data.length]);
      expect(toHex(apdu.slice(5))).toBe(toHex(data));
    }));
    for (const length of [0, 256]) expect(() => withData(header(0, 0, 0, 0), new Uint8Array(length))).toThrow(RangeError);
    expect(() => withData(new Uint8Array(3), new Uint8Array(1))).toThrow(RangeError);
  });

  it('count the MAC into Lc', () => {
    fc.assert(fc.property(bytes({ maxLength: 251 }), bytes({ minLength: 4, maxLength: 4 }), (data, mac) => {
      const apdu = secured(SECURED.endIssue(), data, mac);
      expect(apdu[4]).toBe(data.length + 4);
      expect(toHex(apdu.slice(-4))).toBe(toHex(mac));
    }));
  });

  it('take answers apart, whatever the data', () => {
    fc.assert(fc.property(bytes({ maxLength: 300 }), fc.nat(0xffff), (data, sw) => {
      const answer = parseAnswer(Uint8Array.from([...data, sw >> 8, sw & 0xff]));
      expect([toHex(answer.data), answer.sw]).toEqual([toHex(data), sw]);
    }));
    expect(() => parseAnswer(new Uint8Array(1))).toThrow(RangeError);
  });

  it('know their bytes', () => {
    expect(toHex(selectFile(0xdf01))).toBe('00A4000002DF01');
    expect(toHex(SECURED.updateBinary(0x0016))).toBe('04D69600');
    expect(toHex(desEncrypt(new Uint8Array(8)))).toBe('80FA0000080000000000000000');
  });
});

describe('states of a PSAM', () => {
  it('allows the moves of the table and throws on all others', () => {
    fc.assert(fc.property(states, states, (from, to) => {
      const allowed = (PSAM_STATES[from].to as readonly string[]).includes(to);
      if (allowed) expect(transition(from, to)).toBe(to);
      else expect(() => transition(from, to)).toThrow('PSAM_STATE_ILLEGAL');
    }));
  });

  it('never leads back to blank, and to good only from work', () => {
    const into = (to: PsamState): PsamState[] => ALL_PSAM_STATES.filter((from) => (PSAM_STATES[from].to as readonly string[]).includes(to));
    expect(into('blank')).toEqual([]);
    expect(into('good')).toEqual(['inWork']);
    expect(into('inWork')).toEqual(['blank']);
  });

  it('conserves cards under any sequence of legal moves, and sees one that vanishes', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(19), states), { maxLength: 200 }), fc.nat(19), (moves, lostSight) => {
      const cards: PsamState[] = Array.from({ length: 20 }, () => 'blank');
      for (const [index, to] of moves) {
        try {
          cards[index] = transition(cards[index] as PsamState, to);
        } catch { /* an illegal move changes nothing */ }
      }
      const count = (held: readonly PsamState[]): Partial<Record<PsamState, number>> =>
        Object.fromEntries(ALL_PSAM_STATES.map((state) => [state, held.filter((each) => each === state).length]));
      requireConserved('L', stock(20, count(cards)));
      const missing = stock(20, count(cards.filter((_state, index) => index !== lostSight)));
      expect(difference(missing)).toBe(1);
      expect(() => requireConserved('L', missing)).toThrow('PSAM_STOCK_DIFFERS');
    }));
  });
});

describe('card profile', () => {
  it('makes a header of eight bytes for every slot', () => {
    const headers = Object.fromEntries(Object.entries(KEY_SLOTS).map(([name, slot]) => [name, toHex(keyHeader(slot))]));
    expect(headers).toEqual({
      cardControl: '000100080F040F33', cardMaintenance: '010100080F040F33', applicationControl: '000100080F040F33',
      applicationMaintenance: '010100080F040F33', purchase: '220100080F040F33', data: '280100080F040F33',
    });
  });

  it('gives no two keys of a card the same coordinates, and no working key depth of a parent', () => {
    const paths = [...(Object.keys(KEY_SLOTS) as SlotName[]), 'transport' as const].map((slot) => slotPath(slot, card, keySet));
    expect(new Set(paths.map(({ keyId, factors }) => [keyId, ...factors.map(toHex)].join('/'))).size).toBe(paths.length);
    for (const { keyId, factors } of paths) {
      if (keyId === keySet.controlRoot || keyId === keySet.maintenanceRoot) expect(factors.length).toBe(3);
    }
  });

  it('loads each slot once, under a key that is in the card by then', () => {
    const loads = personalisationScript(card, keySet).flatMap((step) => (step.kind === 'load' ? [step.slot] : []));
    expect([...loads].sort()).toEqual(Object.keys(KEY_SLOTS).sort());
    for (const [index, slot] of loads.entries()) {
      const { protectedBy } = KEY_SLOTS[slot];
      if (protectedBy !== 'transport') expect(loads.slice(0, index)).toContain(protectedBy);
    }
  });

  it('fills files to their size', () => {
    for (const { fid, size, content } of FILES) expect([fid, content?.(card).length ?? size]).toEqual([fid, size]);
  });
});

describe('small rules', () => {
  it('numbers PSAMs by region and running number', () => {
    expect(psamSerial('110000', 1n)).toBe('11000000000000000001');
    for (const n of [0n, 100_000_000_000_000n]) expect(() => psamSerial('110000', n)).toThrow(RangeError);
  });

  it('judges a filing by the Beijing day, both ends included', () => {
    const filing = { filedFrom: '2026-01-01', filedTo: '2026-12-31' };
    expect(beijingDay(new Date('2026-12-31T16:00:00Z'))).toBe('2027-01-01');
    expect(['2025-12-31', '2026-01-01', '2026-12-31', '2027-01-01'].map((day) => isFiled(filing, day))).toEqual([false, true, true, false]);
  });

  it('keeps key bytes and whole ciphers out of the command log', () => {
    const load = fromHex(`84D4010024${'AB'.repeat(36)}`);
    const kept = loggedExchange('load', load, fromHex('9000'));
    expect(kept.command).toMatch(/^84D4010024\[sha256:[0-9A-F]{64}\]$/);
    expect(loggedExchange('crypt', desEncrypt(new Uint8Array(8)), fromHex('11223344556677889000')).response).toBe('112233…9000');
    expect(loggedExchange('read', fromHex('00B0950004'), fromHex('010203049000')).response).toBe('010203049000');
    expect(logDigest([kept])).not.toBe(logDigest([{ ...kept, response: '6988' }]));
  });

  it('compares what a card shows with what it should', () => {
    const answer = { data: fromHex('AABBCCDD'), sw: 0x9000 };
    expect(bytesProof('p', answer, fromHex('AABBCC')).ok).toBe(true);
    expect(bytesProof('p', answer, fromHex('AABBCD')).ok).toBe(false);
    expect(bytesProof('p', { data: fromHex('AABBCC'), sw: 0x6282 }, fromHex('AABBCC'))).toMatchObject({ ok: false, actual: 'SW 6282' });
    expect(bytesProof('p', { data: new Uint8Array(), sw: 0x9000 }, fromHex('AA')).ok).toBe(false);
    expect(statusProof('p', answer, 0x6982, 0x6985)).toMatchObject({ ok: false, expected: '6982/6985', actual: '9000' });
  });

  it('has words in both languages for every status word and every error', () => {
    for (const { zh, en } of Object.values(STATUS_WORDS)) expect(zh.length > 1 && en.length > 3).toBe(true);
    expect(statusText(0x63c2).en).toBe('authentication failed, 2 tries left');
    expect(statusText(0x1234).en).toBe('unknown status word');
    expect(ERROR_TEXTS.KEY_ALREADY_RELEASED.text.zh).toContain('已隔离');
  });

  it('refuses a key set by name', () => {
    const classes = { transportRoot: 'psamTransportRoot', controlRoot: 'psamControlRoot', maintenanceRoot: 'psamMaintenanceRoot', purchaseRoot: 'purchaseRoot', dataRoot: 'dataRoot' };
    const register = (Object.keys(classes) as (keyof PsamKeySet)[]).map((use): RegisteredKey => ({
      keyId: keySet[use], keyClass: classes[use], algorithm: '3des2', state: use === 'transportRoot' ? 'preActive' : 'active', devices: ['d'],
    }));
    const changed = (index: number, change: Partial<RegisteredKey>): RegisteredKey[] => register.map((key, i) => (i === index ? { ...key, ...change } : key));
    expect(keyUnfitness(keySet, 'd', register)).toBeUndefined();
    expect(keyUnfitness(keySet, 'd', register.slice(1))?.reason).toBe('not in the register');
    expect(keyUnfitness(keySet, 'd', changed(1, { state: 'preActive' }))).toMatchObject({ use: 'controlRoot', reason: 'state preActive' });
    expect(keyUnfitness(keySet, 'd', changed(3, { keyClass: 'dataRoot' }))?.reason).toBe('class dataRoot');
    expect(keyUnfitness(keySet, 'd', changed(4, { algorithm: 'aes128' }))?.reason).toBe('algorithm aes128');
    expect(keyUnfitness(keySet, 'other', register)?.reason).toBe('not in other');
  });

  it('stands in a group when two of its devices hold the key', () => {
    const devices = [{ device: 'a', group: 'general' }, { device: 'b', group: 'diversification' }, { device: 'c', group: 'diversification' }];
    expect(places(['a', 'b'], devices)).toEqual(['a', 'b']);
    expect(places(['a', 'b', 'c'], devices)).toEqual(['a', 'b', 'c', '@diversification']);
    expect(places([], devices)).toEqual([]);
    expect([isGroup('a'), isGroup('@general')]).toEqual([false, true]);
  });
});
