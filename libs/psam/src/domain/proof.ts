import { concatBytes, equalBytes, fromHex, toHex } from '#libs/platform/domain';
import type { CardAnswer } from './apdu.js';
import { ALGORITHM_3DES, KEY_SLOTS, TEST_CARD_FACTOR } from './card-profile.js';
import type { Proof } from './psam.js';
import { statusHex } from './status-words.js';

export const OK = 0x9000;

/** The card must end with one of these status words. */
export function statusProof(name: string, answer: CardAnswer, ...accepted: readonly number[]): Proof {
  return { name, expected: accepted.map(statusHex).join('/'), actual: statusHex(answer.sw), ok: accepted.includes(answer.sw) };
}

/** The card must answer these bytes (at least; `expected` may be a beginning, as check values are). */
export function bytesProof(name: string, answer: CardAnswer, expected: Uint8Array): Proof {
  if (answer.sw !== OK) return { name, expected: toHex(expected), actual: `SW ${statusHex(answer.sw)}`, ok: false };
  const actual = answer.data.slice(0, expected.length);
  return { name, expected: toHex(expected), actual: toHex(actual), ok: equalBytes(actual, expected) };
}

/** A purchase that never happens: 50.00 yuan, EP, with the test card. */
const DRY_RUN = { cardSequence: fromHex('0001'), amount: fromHex('00001388'), type: fromHex('06'), date: fromHex('20260102'), time: fromHex('030405') };

/** Data of INIT_SAM_FOR_PURCHASE. `random`: 4 bytes of the buyer's card. */
export function purchaseCommand(random: Uint8Array): Uint8Array {
  const { cardSequence, amount, type, date, time } = DRY_RUN;
  return concatBytes(random, cardSequence, amount, type, date, time, Uint8Array.of(KEY_SLOTS.purchase.version, ALGORITHM_3DES), TEST_CARD_FACTOR);
}

/** What the token needs for the same MACs, given the terminal sequence that the PSAM answered (PBOC 2.0 part 2). */
export function purchaseMacInputs(random: Uint8Array, terminalSequence: Uint8Array, terminalNumber: Uint8Array): { sessionInput: Uint8Array; mac1: Uint8Array; mac2: Uint8Array } {
  const { cardSequence, amount, type, date, time } = DRY_RUN;
  return {
    sessionInput: concatBytes(random, cardSequence, terminalSequence.slice(-2)),
    mac1: concatBytes(amount, type, terminalNumber, date, time),
    mac2: amount,
  };
}
