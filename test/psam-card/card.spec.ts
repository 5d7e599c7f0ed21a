import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { blankChip, PsamCard } from './card.js';
import { mac, tripleEncrypt } from './crypto.js';
import type { Fault } from './faults.js';

interface Exchange { name: string; command: string; response: string }
interface Transcript { source: string; keys: Record<'transport' | 'cardControl' | 'applicationControl' | 'applicationMaintenance', string>; card: { chipSerial: string; testFactor: string }; exchanges: Exchange[] }

const transcriptText = readFileSync('test/vectors/psam-transcript.json', 'utf8');
const transcript = JSON.parse(transcriptText) as Transcript;
const loads = (JSON.parse(readFileSync('test/vectors/psam.json', 'utf8')) as { keyLoad: { controlKey: string; challenge: string; command: string }[] }).keyLoad;
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
const hex = (value: Buffer): string => value.toString('hex').toUpperCase();

/** A card whose challenges come from `queue`, then count up. */
function newCard(options: { transportKey?: string; fault?: Fault; queue?: string[] } = {}): { card: PsamCard; send: (command: string) => string } {
  let next = 0;
  const random = (length: number): Buffer => {
    const given = options.queue?.shift();
    return given === undefined ? Buffer.alloc(length, ++next) : bytes(given);
  };
  const chip = blankChip(bytes(transcript.card.chipSerial), bytes(options.transportKey ?? transcript.keys.transport));
  const card = new PsamCard({ chip, random, fault: options.fault ?? 'none' });
  return { card, send: (command) => hex(card.transmit(bytes(command))) };
}

function personalised(fault?: Fault): ReturnType<typeof newCard> {
  const queue = transcript.exchanges.filter((each) => each.name.endsWith('.challenge')).map((each) => each.response.slice(0, 16));
  const made = newCard({ queue, ...(fault === undefined ? {} : { fault }) });
  for (const each of transcript.exchanges) {
    made.send(each.command);
    if (each.name === 'endIssue.masterFile') break;
  }
  return made;
}

const secured = (key: string, challenge: string, head: string, data: string): string => {
  const start = `${head}${hex(Buffer.of(data.length / 2 + 4))}${data}`;
  return `${start}${hex(mac(bytes(key), bytes(challenge), bytes(start))).slice(0, 8)}`;
};

const challengeOf = (answer: string): string => answer.slice(0, -4);

describe('the virtual PSAM', () => {
  it('answers the whole transcript of the independent script byte by byte', () => {
    const queue = transcript.exchanges.filter((each) => each.name.endsWith('.challenge')).map((each) => each.response.slice(0, 16));
    const { send } = newCard({ queue });
    const answers = transcript.exchanges.map((each) => ({ ...each, response: send(each.command) }));
    expect(answers).toEqual(transcript.exchanges);
  });

  it('has a transcript that the script makes again with the openssl program', () => {
    const again = execFileSync(process.execPath, ['dist/test/psam-card/make-transcript.js'], { encoding: 'utf8' });
    expect(JSON.parse(again)).toEqual(JSON.parse(transcriptText));
  });

  it.each(loads)('takes the published WRITE KEY', (vector) => {
    const { send } = newCard({ transportKey: vector.controlKey, queue: [vector.challenge] });
    expect(send('0084000004')).toBe(`${vector.challenge}9000`);
    expect(send(vector.command)).toBe('9000');
  });

  it('shows the chip serial in its ATR', () => {
    expect(hex(newCard().card.atr)).toBe(`3B6C000048554655${transcript.card.chipSerial}`);
  });

  describe('on a blank card', () => {
    let send: (command: string) => string;
    let card: PsamCard;
    beforeEach(() => {
      ({ send, card } = newCard());
    });

    it.each([
      ['00A4000002DF09', '6A82'], ['00A40000023F', '6700'], ['00A40100023F00', '6A86'], ['00A4040005A000000001', '6A82'],
      ['0084000005', '6700'], ['0084010008', '6A86'], ['00820000080000000000000000', '6984'], ['008200000400000000', '6700'],
      ['00820001080000000000000000', '6A88'], ['00B0950004', '6A82'], ['00D6950001AA', '6A82'], ['00FF0000', '6D00'],
      ['10A40000023F00', '6E00'], ['80A40000023F00', '6E00'], ['00', '6700'], ['00A400000A3F00', '6700'],
      ['80D4010119', '6982'], ['801C000000', '6985'], ['801A2801080102030405060708', '6985'], ['80FA0000080000000000000000', '6985'],
      ['80FA0900080000000000000000', '6A86'], ['807000001C11223344000100001388062026010203040501006875667574657374', '6985'],
      ['807200000400000000', '6985'], ['80800000080015310010000200', '6982'],
    ])('%s gets %s', (command, expected) => expect(send(command)).toBe(expected));

    it('blocks the transport key after three wrong authentications, also over a reset', () => {
      const answers = [0, 1, 2].map(() => {
        send('0084000008');
        return send('00820000080000000000000000');
      });
      expect(answers).toEqual(['63C2', '63C1', '6983']);
      card.reset();
      const challenge = challengeOf(send('0084000008'));
      expect(send(`0082000008${hex(tripleEncrypt(bytes(transcript.keys.transport), bytes(challenge)))}`)).toBe('6983');
    });

    it('takes a challenge for the next command only', () => {
      const challenge = challengeOf(send('0084000008'));
      send('00A40000023F00');
      expect(send(`0082000008${hex(tripleEncrypt(bytes(transcript.keys.transport), bytes(challenge)))}`)).toBe('6984');
    });

    it('fills a 4-byte challenge up with zeros', () => {
      const challenge = challengeOf(send('0084000004'));
      expect(send(`0082000008${hex(tripleEncrypt(bytes(transcript.keys.transport), bytes(`${challenge}00000000`)))}`)).toBe('9000');
    });

    it('takes a control key in clear from an authenticated station only', () => {
      const plain = `80D4010019${'18'}000100080F040F33${'A5'.repeat(16)}`;
      expect(send(plain)).toBe('6982');
      const challenge = challengeOf(send('0084000008'));
      send(`0082000008${hex(tripleEncrypt(bytes(transcript.keys.transport), bytes(challenge)))}`);
      expect(send(plain)).toBe('9000');
      expect(send(plain)).toBe('6982');
    });
  });

  describe('after END ISSUE', () => {
    const update = (send: (command: string) => string, key: string): string => secured(key, challengeOf(send('0084000008')), '04D69700', '01');

    it('has its access conditions closed', () => {
      const { send } = personalised();
      const { keys } = transcript;
      expect(send(`80D4010919${'18'}280900080F040F33${'A5'.repeat(16)}`)).toBe('6985');
      expect(send(secured(keys.cardControl, challengeOf(send('0084000008')), '84D40109', '00'.repeat(32)))).toBe('6985');
      expect(send(secured(keys.cardControl, challengeOf(send('0084000008')), '84800000', '001931000400FFFF'))).toBe('6985');
      expect(send(secured(keys.cardControl, challengeOf(send('0084000008')), '841C0000', ''))).toBe('6985');
      expect(send('00D6950001AA')).toBe('6982');
      expect(send('04D6960005AA00000000')).toBe('6982');
    });

    it('refuses a wrong MAC (6988), counts it, and an old challenge (6984)', () => {
      const { send } = personalised();
      send('00A4000002DF01');
      const good = update(send, transcript.keys.applicationMaintenance);
      expect(send(`${good.slice(0, -2)}${good.endsWith('00') ? '01' : '00'}`)).toBe('6988');
      const again = update(send, transcript.keys.applicationMaintenance);
      expect(send(again)).toBe('9000');
      expect(send(again)).toBe('6984');
      expect([0, 1, 2, 3].map(() => { send('0084000008'); return send('04D697000500FFFFFFFF'); })).toEqual(['6988', '6988', '6983', '6983']);
    });

    it('uses keys only for what their usage byte says', () => {
      const { send } = personalised();
      send('00A4000002DF01');
      expect(send('801A220108' + transcript.card.testFactor)).toBe('6985');
      expect(send('801A2801107' + '0'.repeat(31))).toBe('6700');
      expect(send('801A280208' + transcript.card.testFactor)).toBe('6A88');
      expect(send('807000001C11223344000100001388062026010203040502006875667574657374')).toBe('9403');
      expect(send('807000001C11223344000100001388062026010203040501006875667574657374').slice(-4)).toBe('9000');
      expect(send('807200000400000000')).toBe('9302');
      expect(send('807200000400000000')).toBe('6985');
    });

    it('makes a MAC in one part or in several, equal to the retail MAC of its temporary key', () => {
      const { send } = personalised();
      send('00A4000002DF01');
      const message = '00112233445566778899AABBCCDDEEFF0102030405060708';
      send('801A280108' + transcript.card.testFactor);
      const single = send(`80FA050020${'00'.repeat(8)}${message}`);
      send('801A280108' + transcript.card.testFactor);
      expect(send(`80FA070010${'00'.repeat(8)}${message.slice(0, 16)}`)).toBe('9000');
      expect(send(`80FA030008${message.slice(16, 32)}`)).toBe('9000');
      expect(send(`80FA010008${message.slice(32)}`)).toBe(single);
      expect(single).toMatch(/^[0-9A-F]{8}9000$/);
      expect(send(`80FA050010${'00'.repeat(16)}`)).toBe('6985');
    });
  });

  it('answers any bytes with a status word, and gives nothing away without the control key', () => {
    const heads = [0x00, 0x04, 0x80, 0x84].flatMap((cla) => [0xa4, 0x84, 0x82, 0xb0, 0xd6, 0x80, 0xd4, 0x1c, 0x1a, 0xfa, 0x70, 0x72].map((ins) => [cla, ins] as const));
    const frame = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.tuple(fc.constantFrom(...heads), fc.nat(3), fc.nat(3), fc.uint8Array({ minLength: 1, maxLength: 48 })).map(([[cla, ins], p1, p2, data]) => Uint8Array.of(cla, ins, p1, p2, data.length, ...data)),
    );
    fc.assert(fc.property(fc.array(frame, { maxLength: 30 }), (frames) => {
      const chip = blankChip(bytes(transcript.card.chipSerial), bytes(transcript.keys.transport));
      const card = new PsamCard({ chip });
      for (const each of frames) expect(card.transmit(Buffer.from(each)).length).toBeGreaterThanOrEqual(2);
      expect(chip.masterFile.keys.map((key) => hex(key.value))).toEqual([transcript.keys.transport]);
      expect([chip.applications.length, chip.masterFile.files.length, chip.masterFile.issued]).toEqual([0, 0, false]);
    }));
  });

  describe('with a fault', () => {
    it.each([
      ['accept-any-mac', (send: (c: string) => string) => { send('00A4000002DF01'); send('0084000008'); return send('04D697000501FFFFFFFF'); }, '9000'],
      ['accept-plain-write-after-end-issue', (send: (c: string) => string) => send(`80D4010919${'18'}280900080F040F33${'A5'.repeat(16)}`), '9000'],
      ['wrong-counter', (send: (c: string) => string) => { send('00A4000002DF01'); return send('807000001C11223344000100001388062026010203040501006875667574657374').slice(0, 8); }, '00000000'],
    ] as const)('%s misbehaves as its name says', (fault, act, expected) => expect(act(personalised(fault).send)).toBe(expected));

    it('wrong-key gives another cipher', () => {
      const cipherOf = (fault?: Fault): string => {
        const { send } = personalised(fault);
        send('00A4000002DF01');
        send('801A280108' + transcript.card.testFactor);
        return send('80FA0000080000000000000000');
      };
      expect(cipherOf('wrong-key')).not.toBe(cipherOf());
    });

    it('reuse-challenge takes an old challenge', () => {
      const { send } = personalised('reuse-challenge');
      send('00A4000002DF01');
      const good = secured(transcript.keys.applicationMaintenance, challengeOf(send('0084000008')), '04D69700', '01');
      expect([send(good), send(good)]).toEqual(['9000', '9000']);
    });
  });
});
