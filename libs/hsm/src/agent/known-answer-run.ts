import type { Handle } from 'pkcs11js';
import { AppError, concatBytes, fromHex, toHex } from '#libs/platform/domain';
import { SYMMETRIC_ALGORITHMS, type SymmetricAlgorithm } from '../domain/algorithms.js';
import { type ItemFields, packBatch } from '../domain/batch.js';
import type { Capabilities } from '../domain/capabilities.js';
import { KNOWN_ANSWERS, type KnownAnswerVector } from '../domain/known-answers.js';
import type { KnownAnswer } from '../hsm.js';
import type { BatchWork } from './batch-run.js';
import { KEY_BYTES, testKeyTemplate } from './templates.js';
import { withTemporaries } from './token.js';

/**
 * Runs every published vector that the module offers: its test keys are imported as session objects, the executor computes
 * with them as with any others, and they are destroyed. Throws HSM_REFUSED where test keys are not allowed.
 */
export async function knownAnswers(work: BatchWork, testKeys: boolean, online: boolean): Promise<KnownAnswer[]> {
  if (!testKeys) throw new AppError('HSM_REFUSED', { reason: `test keys in ${work.token.device}` });
  const answers: KnownAnswer[] = [];
  for (const vector of KNOWN_ANSWERS) {
    if (!offered(work.token.capabilities, vector)) continue;
    answers.push({ name: vector.name, expected: vector.expected, actual: await computed(work, vector, online) });
  }
  return answers;
}

function offered(capabilities: Capabilities, vector: KnownAnswerVector): boolean {
  return vector.recipe === 'checkValues' ? capabilities.offersMethod(vector.method, vector.algorithm) : capabilities.offers(vector.recipe, vector.algorithm);
}

async function computed({ token, executor }: BatchWork, vector: KnownAnswerVector, online: boolean): Promise<string> {
  return withTemporaries(token, async (temporaries) => {
    const create = (usage: 'CKA_DERIVE' | 'CKA_ENCRYPT' | 'CKA_WRAP', value: Uint8Array): Handle =>
      temporaries.keep(token.create(testKeyTemplate(token.profile, vector.algorithm, usage, value)));
    const keys = [
      ...(vector.root === undefined ? [] : [create('CKA_DERIVE', fromHex(vector.root))]),
      ...(vector.cardKey === undefined ? [] : readyCardKey(vector.algorithm, fromHex(vector.cardKey), create)),
    ];
    const algorithm = SYMMETRIC_ALGORITHMS.indexOf(vector.algorithm);
    const answer = await executor.run(
      packBatch(vector.recipe, [itemOf(vector)]),
      BigUint64Array.from(keys, (key) => key.readBigUInt64LE(0)),
      Uint8Array.from(keys, () => algorithm),
      online,
    );
    return toHex(answer.subarray(1));
  });
}

/**
 * A card key that vectors give as it is, in the three uses of the executor's recipes: wrapping, encrypting, and its left
 * half twice. In a batch it is a path without factors, which the class rules refuse to every client.
 */
function readyCardKey(algorithm: SymmetricAlgorithm, value: Uint8Array, create: (usage: 'CKA_ENCRYPT' | 'CKA_WRAP', value: Uint8Array) => Handle): Handle[] {
  const left = value.subarray(0, KEY_BYTES / 2);
  const twin = algorithm === '3des2' ? [create('CKA_ENCRYPT', concatBytes(left, left))] : [];
  return [create('CKA_WRAP', value), create('CKA_ENCRYPT', value), ...twin];
}

const ROOT_ID = '0'.repeat(32);
const CARD_KEY_ID = 'F'.repeat(32);

function itemOf(vector: KnownAnswerVector): ItemFields {
  const path = { keyId: ROOT_ID, factors: ('factors' in vector ? vector.factors : []).map(fromHex) };
  const cardKey = { keyId: CARD_KEY_ID, factors: [] };
  switch (vector.recipe) {
    case 'checkValues':
      return { key: path, method: vector.method };
    case 'fingerprints':
      return { key: path };
    case 'protectForCard':
      return { key: path, controlKey: cardKey, header: fromHex(vector.header), command: fromHex(vector.command), challenge: fromHex(vector.challenge) };
    case 'commandMacs':
      return { key: cardKey, command: fromHex(vector.command), data: fromHex(vector.data), challenge: fromHex(vector.challenge) };
    case 'authenticateToCard':
      return { key: cardKey, challenge: fromHex(vector.challenge) };
    case 'purchaseMacs':
      return { key: path, sessionInput: fromHex(vector.sessionInput), data: fromHex(vector.data), ...(vector.sm4Session === undefined ? {} : { sm4Session: vector.sm4Session }) };
    case 'tacs':
      return { key: path, data: fromHex(vector.data) };
  }
}
