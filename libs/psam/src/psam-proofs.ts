import { randomBytes } from 'node:crypto';
import type { Hsm } from '#libs/hsm';
import { concatBytes, toHex } from '#libs/platform/domain';
import type { CardSession } from './card-session.js';
import { creditSamForPurchase, desEncrypt, initForDescrypt, initSamForPurchase, readBinary, SECURED, selectFile, writeKeyPlain } from './domain/apdu.js';
import { type CardIdentity, FIDS, FILES, KEY_SLOTS, keyHeader, keyPath, type SlotName, slotPath, TEST_CARD_FACTOR, UNUSED_KEY_ID } from './domain/card-profile.js';
import { bytesProof, OK, purchaseCommand, purchaseMacInputs, statusProof } from './domain/proof.js';
import type { Proof, PsamKeySet } from './domain/psam.js';
import { fidText } from './domain/script.js';

interface Subject {
  readonly session: CardSession;
  readonly hsm: Hsm;
  readonly device: string;
  readonly card: CardIdentity;
  readonly keySet: PsamKeySet;
}

const REFUSED_BY_STATE = [0x6982, 0x6985] as const;
const OLD_CHALLENGE = 0x6984;
const MAC_WRONG = 0x6988;
const ONE_TRY_LOST = 0x63c2;
/** A key nobody could want: it goes in clear, to be refused. */
const WORTHLESS_KEY = new Uint8Array(16).fill(0xa5);

/**
 * Proves a finished card by function, against the token: it says what it should, its keys are the token's, and it refuses
 * what it must. Goes through to the end, so that every fault of a card is named. The dry runs leave the terminal counter at 2.
 */
export async function proveCard(subject: Subject): Promise<Proof[]> {
  return [
    ...(await proveMasterFile(subject)),
    ...(await proveApplication(subject)),
    await proveDataKey(subject),
    ...(await provePurchases(subject)),
  ];
}

async function proveMasterFile({ session, card, keySet }: Subject): Promise<Proof[]> {
  await session.require('prove.select.masterFile', selectFile(FIDS.masterFile));
  const files = await proveFiles({ session, card }, 'masterFile');
  const transport = await session.authenticate('prove.transportKey', slotPath('transport', card, keySet), 0x00);
  const control = await session.authenticate('prove.cardControl', slotPath('cardControl', card, keySet), 0x00);
  return [
    ...files,
    statusProof('refuses.transportKey', transport, ONE_TRY_LOST),
    statusProof('key.cardControl', control, OK),
    await provePlainWriteRefused(session, 'refuses.plainWriteKey.masterFile'),
  ];
}

async function proveApplication({ session, card, keySet }: Subject): Promise<Proof[]> {
  await session.require('prove.select.application', selectFile(FIDS.application));
  const files = await proveFiles({ session, card }, 'application');
  const control = await session.authenticate('prove.applicationControl', slotPath('applicationControl', card, keySet), 0x00);
  const file = FILES.find((each) => each.fid === 0x0017);
  const rewrite = {
    key: slotPath('applicationMaintenance', card, keySet),
    command: SECURED.updateBinary(0x0017),
    data: file?.content?.(card) ?? new Uint8Array(1),
  };
  const wrong = await session.prepare('prove.wrongMac', rewrite);
  wrong[wrong.length - 1] = (wrong[wrong.length - 1] as number) ^ 0x01;
  const wrongMac = await session.send('prove.wrongMac', wrong);
  // The right command comes after the wrong one: it gives the key its tries back.
  const right = await session.prepare('prove.applicationMaintenance', rewrite);
  const accepted = await session.send('prove.applicationMaintenance', right);
  const repeated = await session.send('prove.oldChallenge', right);
  return [
    ...files,
    statusProof('key.applicationControl', control, OK),
    statusProof('refuses.wrongMac', wrongMac, MAC_WRONG),
    statusProof('key.applicationMaintenance', accepted, OK),
    statusProof('refuses.oldChallenge', repeated, OLD_CHALLENGE),
    await provePlainWriteRefused(session, 'refuses.plainWriteKey'),
  ];
}

/** The station is authenticated here, so a refusal can only come from END ISSUE. */
async function provePlainWriteRefused(session: CardSession, name: string): Promise<Proof> {
  const record = concatBytes(Uint8Array.of(24), keyHeader(KEY_SLOTS.data), WORTHLESS_KEY);
  return statusProof(name, await session.send(`prove.${name}`, writeKeyPlain(UNUSED_KEY_ID, record)), ...REFUSED_BY_STATE);
}

async function proveFiles({ session, card }: Pick<Subject, 'session' | 'card'>, owner: 'masterFile' | 'application'): Promise<Proof[]> {
  const proofs: Proof[] = [];
  for (const { file, fid, size, content } of FILES) {
    if (file !== owner) continue;
    const answer = await session.send(`prove.read.${fidText(fid)}`, readBinary(fid, size));
    proofs.push(bytesProof(`file.${fidText(fid)}`, answer, content?.(card) ?? new Uint8Array(size)));
  }
  return proofs;
}

/** INIT_FOR_DESCRYPT and DES CRYPT of zeros: the first 3 bytes are the check value that the token computes. */
async function proveDataKey({ session, hsm, device, card, keySet }: Subject): Promise<Proof> {
  const { usage, keyId } = KEY_SLOTS.data;
  const [expected] = await hsm.checkValues(device, [{ key: belowRegion('data', card, keySet), method: 'zero3' }]);
  const ready = await session.send('prove.data.init', initForDescrypt(usage, keyId, [TEST_CARD_FACTOR]));
  const answer = ready.sw === OK ? await session.send('prove.data.crypt', desEncrypt(new Uint8Array(8))) : ready;
  return bytesProof('key.data', answer, expected as Uint8Array);
}

/** Two purchases with a card that never existed, each with MAC1 and MAC2; the terminal counter must go 1, 2. */
async function provePurchases({ session, hsm, device, card, keySet }: Subject): Promise<Proof[]> {
  const key = belowRegion('purchase', card, keySet);
  const proofs: Proof[] = [];
  const counters: string[] = [];
  for (const run of ['1', '2']) {
    const random = new Uint8Array(randomBytes(4));
    const started = await session.send(`prove.purchase${run}.init`, initSamForPurchase(purchaseCommand(random)));
    const terminalSequence = started.data.slice(0, 4);
    counters.push(toHex(terminalSequence));
    if (terminalSequence.length < 4) {
      proofs.push(statusProof(`key.purchase.mac1.${run}`, started, OK));
      continue;
    }
    const { sessionInput, mac1, mac2 } = purchaseMacInputs(random, terminalSequence, card.terminalNumber);
    const [expected, buyers] = await hsm.purchaseMacs(device, [{ key, sessionInput, data: mac1 }, { key, sessionInput, data: mac2 }]);
    const credited = await session.send(`prove.purchase${run}.credit`, creditSamForPurchase(buyers as Uint8Array));
    proofs.push(bytesProof(`key.purchase.mac1.${run}`, { data: started.data.slice(4), sw: started.sw }, expected as Uint8Array));
    proofs.push(statusProof(`key.purchase.mac2.${run}`, credited, OK));
  }
  const expectedCounters = ['00000001', '00000002'].join(',');
  const actualCounters = counters.join(',');
  return [...proofs, { name: 'purchase.counter', expected: expectedCounters, actual: actualCounters, ok: expectedCounters === actualCounters }];
}

/** The key that the PSAM makes by itself for a buyer's card: slot key, one level down. */
function belowRegion(slot: SlotName, card: CardIdentity, keySet: PsamKeySet): ReturnType<typeof keyPath> {
  const { root, factors, file } = KEY_SLOTS[slot];
  return keyPath({ root, file, factors: [...factors, 'test'] }, card, keySet);
}
