import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { fromHex } from '#libs/platform/domain';
import { CardInProcess } from '../../../test/builders/card-in-process.js';
import { SoftwareHsm } from '../../../test/builders/software-hsm.js';
import { blankChip, PsamCard } from '../../../test/psam-card/card.js';
import { FAULTS, type Fault } from '../../../test/psam-card/faults.js';
import { CardSession, chipSerialOf, type ReleaseKey } from './card-session.js';
import type { CardIdentity } from './domain/card-profile.js';
import type { Proof, PsamKeySet } from './domain/psam.js';
import { personalisationScript } from './domain/script.js';
import { proveCard } from './psam-proofs.js';

interface Exchange { name: string; command: string; response: string }
interface Transcript {
  roots: Record<'transport' | 'control' | 'maintenance' | 'purchase' | 'data', string>;
  keys: { transport: string };
  card: { chipSerial: string; psamSerial: string; terminalNumber: string };
  exchanges: Exchange[];
}
const transcript = JSON.parse(readFileSync('test/vectors/psam-transcript.json', 'utf8')) as Transcript;
const made = transcript.exchanges.slice(0, transcript.exchanges.findIndex((each) => each.name === 'endIssue.masterFile') + 1);

const keySet: PsamKeySet = {
  transportRoot: '01'.repeat(16), controlRoot: '02'.repeat(16), maintenanceRoot: '03'.repeat(16), purchaseRoot: '04'.repeat(16), dataRoot: '05'.repeat(16),
};
const { roots } = transcript;
const hsm = new SoftwareHsm({
  [keySet.transportRoot]: roots.transport, [keySet.controlRoot]: roots.control, [keySet.maintenanceRoot]: roots.maintenance,
  [keySet.purchaseRoot]: roots.purchase, [keySet.dataRoot]: roots.data,
});
const identity: CardIdentity = {
  chipSerial: fromHex(transcript.card.chipSerial), psamSerial: fromHex(transcript.card.psamSerial), terminalNumber: fromHex(transcript.card.terminalNumber),
  region: '110000', institutionCode: 'HOSPITAL0001', validFrom: '2026-01-01', validTo: '2035-12-31',
};

function station(fault: Fault = 'none', challenges: string[] = []): { channel: CardInProcess; session: CardSession; make: () => Promise<void>; prove: () => Promise<Proof[]> } {
  const random = (length: number): Buffer => {
    const given = challenges.shift();
    return given === undefined ? Buffer.from(crypto.getRandomValues(new Uint8Array(length))) : Buffer.from(given, 'hex');
  };
  const chip = blankChip(Buffer.from(transcript.card.chipSerial, 'hex'), Buffer.from(transcript.keys.transport, 'hex'));
  const channel = new CardInProcess(new PsamCard({ chip, fault, random }));
  const session = new CardSession(channel, hsm, 'd');
  const release: ReleaseKey = async (_slot, load) => {
    const [protectedKey] = await hsm.protectForCard('d', [load]);
    return { protectedKey: protectedKey as Awaited<ReturnType<SoftwareHsm['protectForCard']>>[number], loaded: async () => undefined };
  };
  return {
    channel,
    session,
    make: async () => { for (const step of personalisationScript(identity, keySet)) await session.run(step, release); },
    prove: () => proveCard({ session, hsm, device: 'd', card: identity, keySet }),
  };
}

describe('a card session', () => {
  it('says to a card exactly what the independent script computed', async () => {
    const challenges = made.filter((each) => each.name.endsWith('.challenge')).map((each) => each.response.slice(0, 16));
    const { channel, session, make } = station('none', challenges);
    await make();
    expect(channel.exchanges).toEqual(made.map(({ command, response }) => ({ command, response })));
    expect(session.log.map((each) => each.name)).toEqual(made.map((each) => each.name));
  });

  it('proves a sound card, every proof by name', async () => {
    const { make, prove } = station();
    await make();
    const proofs = await prove();
    expect(proofs.filter((proof) => !proof.ok)).toEqual([]);
    expect(proofs.map((proof) => proof.name)).toEqual([
      'file.0015', 'file.0016', 'refuses.transportKey', 'key.cardControl', 'refuses.plainWriteKey.masterFile',
      'file.0017', 'file.0018', 'key.applicationControl', 'refuses.wrongMac', 'key.applicationMaintenance', 'refuses.oldChallenge', 'refuses.plainWriteKey',
      'key.data', 'key.purchase.mac1.1', 'key.purchase.mac2.1', 'key.purchase.mac1.2', 'key.purchase.mac2.2', 'purchase.counter',
    ]);
  });

  const caughtBy: Partial<Record<Fault, string[]>> = {
    'accept-any-mac': ['refuses.wrongMac'],
    'reuse-challenge': ['refuses.oldChallenge'],
    'wrong-key': ['key.data'],
    'wrong-purchase-key': ['key.purchase.mac1.1', 'key.purchase.mac2.1', 'key.purchase.mac1.2', 'key.purchase.mac2.2'],
    'accept-plain-write-after-end-issue': ['refuses.plainWriteKey.masterFile', 'refuses.plainWriteKey'],
    'wrong-counter': ['purchase.counter'],
  };
  it.each(Object.entries(caughtBy))('names what is wrong with a card of fault %s', async (fault, expected) => {
    const { make, prove } = station(fault as Fault);
    await make();
    expect((await prove()).filter((proof) => !proof.ok).map((proof) => proof.name)).toEqual(expected);
  });

  it('stops at the step where a wrong control key shows', async () => {
    await expect(station('wrong-control-key').make()).rejects.toMatchObject({ code: 'PSAM_CARD_REFUSED', details: { step: 'load.cardMaintenance', sw: '6988' } });
  });

  it('has a catcher for every fault of the virtual card', () => {
    expect([...Object.keys(caughtBy), 'none', 'wrong-control-key'].sort()).toEqual(Object.keys(FAULTS).sort());
  });

  it('keeps no key load in its log', async () => {
    const { channel, session, make } = station();
    await make();
    const loads = channel.exchanges.filter((each) => each.command.startsWith('84D4')).map((each) => each.command.slice(10));
    expect(loads.length).toBe(6);
    for (const load of loads) expect(JSON.stringify(session.log)).not.toContain(load.slice(0, 16));
  });

  it('reads the chip serial from the ATR and knows no other card', () => {
    expect(chipSerialOf(fromHex('3B6C0000485546554855465500000001'))).toBe('4855465500000001');
    for (const atr of ['3B6C0000415546554855465500000001', '3B6800000000000000000000', '']) expect(() => chipSerialOf(fromHex(atr))).toThrow('PSAM_ATR_UNKNOWN');
  });
});
