import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ascii, fromHex, isAppError, toHex } from '#libs/platform/domain';
import { authentication, blockOf, childOf, commandMac, keyLoad, openEcb, purchaseMac, tac, zeroCheck } from '../../../../test/builders/card-arithmetic.js';
import { keyIdOf, TestAgent } from '../../../../test/env/test-agent.js';
import { SYMMETRIC_ALGORITHMS, type SymmetricAlgorithm } from '../domain/algorithms.js';
import { type ItemFields, PACKED_RECIPES, type PackedRecipe } from '../domain/batch.js';
import type { DiversificationClass } from '../domain/key-class.js';
import { KNOWN_ANSWERS } from '../domain/known-answers.js';
import { loadProfiles } from '../profile-files.js';

const SIMULATORS = [...loadProfiles('libs/hsm/profiles').values()].filter(({ simulator }) => simulator).map(({ name }) => name);
const CHIP = fromHex('00112233445566AA');
const REGION = ascii('110000sx');
const TRANSPORT_KEY = fromHex('404142434445464748494A4B4C4D4E4F');
const COMMAND = fromHex('84D40100');
const HEADER = fromHex('010100080F040F33');
const ITEMS = 3000;

/** Reproducible numbers: a failure can be run again. */
class Numbers {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  below(limit: number): number {
    this.#state = (Math.imul(this.#state ^ (this.#state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0;
    return ((this.#state ^ (this.#state >>> 13)) >>> 0) % limit;
  }
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
  /** Never reserved: the second octet differs from the first. */
  factor(): Uint8Array {
    const bytes = this.bytes(8);
    bytes[1] = (bytes[0] as number) ^ 0x5a;
    return bytes;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

const codeOf = async (act: Promise<unknown>): Promise<unknown> => {
  try {
    await act;
    return 'ok';
  } catch (error) {
    return isAppError(error) ? [error.code, error.details] : String(error);
  }
};

let lastId = 0;
async function root(agent: TestAgent, keyClass: DiversificationClass, algorithm: SymmetricAlgorithm): Promise<string> {
  const keyId = keyIdOf(++lastId);
  await agent.run('generateKey', { keyId, label: keyClass, keyClass, algorithm });
  return keyId;
}

describe.each(SIMULATORS)('agent on %s', (name) => {
  let agent: TestAgent;
  beforeAll(async () => {
    agent = await TestAgent.start(name);
  });
  afterAll(() => agent.stop());

  const offers = (recipe: PackedRecipe, algorithm: SymmetricAlgorithm): boolean => agent.profile.recipes[recipe]?.includes(algorithm) ?? false;
  const makeable = (): SymmetricAlgorithm[] => SYMMETRIC_ALGORITHMS.filter((algorithm) => offers('fingerprints', algorithm));
  /** The value of a card key, read the way a card does: loaded under a control key that is known. */
  const learn = async (key: ItemFields['key'], controlKey: ItemFields['key'], algorithm: SymmetricAlgorithm, control: Uint8Array): Promise<Uint8Array> => {
    const [answer] = await agent.batch('protectForCard', [{ key, controlKey, header: HEADER, command: COMMAND, challenge: CHIP.subarray(0, 4) }]);
    return openEcb(algorithm, control, fromHex(answer as string).subarray(0, -4)).subarray(9, 25);
  };

  it('claims nothing that the module lacks', () => {
    expect(agent.token.missing).toEqual([]);
  });

  it('gives every known answer of the recipes that its profile offers', async () => {
    const answers = (await agent.run('knownAnswers', {})) as { name: string; expected: string; actual: string }[];
    const expected = KNOWN_ANSWERS.filter((vector) =>
      vector.recipe === 'checkValues' ? offers('checkValues', vector.algorithm) && agent.profile.checkValueMethods[vector.method]?.includes(vector.algorithm) : offers(vector.recipe, vector.algorithm),
    );
    expect(answers.map(({ name: of, actual }) => `${of} ${actual}`)).toEqual(expected.map(({ name: of, expected: value }) => `${of} ${value}`));
  });

  it('refuses by name what its profile does not offer', async () => {
    for (const algorithm of SYMMETRIC_ALGORITHMS.filter((each) => !offers('fingerprints', each))) {
      const making = agent.run('generateKey', { keyId: keyIdOf(++lastId), label: 'x', keyClass: 'dataRoot', algorithm });
      expect(await codeOf(making)).toEqual(['HSM_CAPABILITY_MISSING', { device: agent.device, recipe: `generateKey (${algorithm})` }]);
    }
    const item = (keyId: string): ItemFields => {
      const key = { keyId, factors: [REGION, CHIP] };
      return { key, controlKey: key, method: 'zero3', command: COMMAND, header: HEADER, challenge: CHIP, sessionInput: CHIP, data: CHIP };
    };
    for (const algorithm of makeable()) {
      const keyId = await root(agent, 'dataRoot', algorithm);
      for (const recipe of PACKED_RECIPES.filter((each) => !offers(each, algorithm))) {
        const named = (agent.profile.recipes[recipe] ?? []).length > 0 ? `${recipe} (${algorithm})` : recipe;
        expect(await codeOf(agent.batch(recipe, [item(keyId)]))).toEqual(['HSM_CAPABILITY_MISSING', { device: agent.device, recipe: named }]);
      }
      for (const method of ['zero3', 'zero4', 'cmac5'] as const) {
        if (agent.profile.checkValueMethods[method]?.includes(algorithm)) continue;
        const asking = agent.batch('checkValues', [{ key: { keyId, factors: [] }, method }]);
        expect(await codeOf(asking)).toEqual(['HSM_CAPABILITY_MISSING', { device: agent.device, recipe: `checkValues (${method}, ${algorithm})` }]);
      }
    }
  });

  it(`makes ${ITEMS} command MACs and authentications as the card does`, async () => {
    const transport = keyIdOf(++lastId);
    await agent.run('importTestTransportKey', { keyId: transport, label: 'factory' });
    const numbers = new Numbers(11);
    const cards = Array.from({ length: 40 }, () => numbers.factor());
    const work = Array.from({ length: ITEMS }, () => ({ card: numbers.pick(cards), challenge: numbers.bytes(numbers.pick([4, 8])), data: numbers.bytes(numbers.below(252)), command: numbers.bytes(4) }));
    const key = (card: Uint8Array): ItemFields['key'] => ({ keyId: transport, factors: [card] });
    const macs = await agent.batch('commandMacs', work.map(({ card, ...item }) => ({ key: key(card), ...item })), false);
    expect(macs).toEqual(work.map(({ card, challenge, command, data }) => toHex(commandMac('3des2', childOf('3des2', TRANSPORT_KEY, card), challenge, command, data))));
    const answers = await agent.batch('authenticateToCard', work.map(({ card, challenge }) => ({ key: key(card), challenge })));
    expect(answers).toEqual(work.map(({ card, challenge }) => toHex(authentication('3des2', childOf('3des2', TRANSPORT_KEY, card), challenge))));
  });

  it(`${ITEMS} items of each card recipe, of all cards and algorithms mixed, equal an independent computation`, async () => {
    if (!offers('protectForCard', '3des2')) return expect(name).toBe('softhsm');
    const numbers = new Numbers(7);
    const transport = { keyId: keyIdOf(++lastId), factors: [CHIP] };
    await agent.run('importTestTransportKey', { keyId: transport.keyId, label: 'factory' });
    const transportValue = childOf('3des2', TRANSPORT_KEY, CHIP);
    const algorithms = makeable().filter((algorithm) => offers('protectForCard', algorithm));

    // Control keys of a few cards, learnt under the transport key; purchase and data keys of a region, learnt under those.
    const regions = [REGION, numbers.factor()];
    const controls: { algorithm: SymmetricAlgorithm; path: ItemFields['key']; value: Uint8Array }[] = [];
    const loads: { algorithm: SymmetricAlgorithm; keyClass: DiversificationClass; path: ItemFields['key']; value: Uint8Array }[] = [];
    for (const algorithm of algorithms) {
      const control = await root(agent, 'psamControlRoot', algorithm);
      for (const region of regions) {
        for (let card = 0; card < 4; card++) {
          const path = { keyId: control, factors: [region, numbers.factor(), numbers.factor()] };
          controls.push({ algorithm, path, value: await learn(path, transport, '3des2', transportValue) });
        }
      }
      const under = controls.at(-1) as (typeof controls)[number];
      for (const keyClass of ['purchaseRoot', 'dataRoot'] as const) {
        const keyId = await root(agent, keyClass, algorithm);
        for (const region of regions) {
          const path = { keyId, factors: [region] };
          loads.push({ algorithm, keyClass, path, value: await learn(path, under.path, algorithm, under.value) });
        }
      }
    }
    const challengeFor = (algorithm: SymmetricAlgorithm): Uint8Array => numbers.bytes(numbers.pick(blockOf(algorithm) === 8 ? [4, 8] : [4, 8, 16]));
    const below = (keyClass: DiversificationClass): { algorithm: SymmetricAlgorithm; path: ItemFields['key']; value: Uint8Array } => {
      const { algorithm, path, value } = numbers.pick(loads.filter((load) => load.keyClass === keyClass));
      const card = numbers.factor();
      return { algorithm, path: { keyId: path.keyId, factors: [...path.factors, card] }, value: childOf(algorithm, value, card) };
    };
    const many = <T>(make: () => T): T[] => Array.from({ length: ITEMS }, make);
    const compare = async (recipe: PackedRecipe, work: readonly { item: ItemFields; expected: Uint8Array }[], online: boolean): Promise<void> => {
      expect(await agent.batch(recipe, work.map(({ item }) => item), online)).toEqual(work.map(({ expected }) => toHex(expected)));
    };

    await compare('protectForCard', many(() => {
      const [control, load] = [numbers.pick(controls), numbers.pick(loads)];
      const [header, command, challenge] = [numbers.bytes(1 + numbers.below(32)), numbers.bytes(4), challengeFor(control.algorithm)];
      return { item: { key: load.path, controlKey: control.path, header, command, challenge }, expected: keyLoad(control.algorithm, control.value, load.value, header, command, challenge) };
    }), false);
    await compare('commandMacs', many(() => {
      const { algorithm, path, value } = numbers.pick(controls);
      const [challenge, command, data] = [challengeFor(algorithm), numbers.bytes(4), numbers.bytes(numbers.below(252))];
      return { item: { key: path, challenge, command, data }, expected: commandMac(algorithm, value, challenge, command, data) };
    }), false);
    await compare('authenticateToCard', many(() => {
      const { algorithm, path, value } = numbers.pick(controls);
      const challenge = challengeFor(algorithm);
      return { item: { key: path, challenge }, expected: authentication(algorithm, value, challenge) };
    }), true);
    await compare('purchaseMacs', many(() => {
      const { algorithm, path, value } = below('purchaseRoot');
      const [sessionInput, data] = [numbers.factor(), numbers.bytes(1 + numbers.below(64))];
      const sm4Session = algorithm === 'sm4' ? numbers.pick(['complement', 'zeros'] as const) : 'complement';
      return { item: { key: path, sessionInput, data, sm4Session }, expected: purchaseMac(algorithm, value, sessionInput, data, sm4Session) };
    }), false);
    await compare('checkValues', many(() => {
      const { algorithm, path, value } = numbers.below(2) === 0 ? below('dataRoot') : numbers.pick(controls);
      const methods = (['zero3', 'zero4'] as const).filter((method) => agent.profile.checkValueMethods[method]?.includes(algorithm));
      const method = numbers.pick(methods);
      return { item: { key: path, method }, expected: zeroCheck(algorithm, value, method === 'zero3' ? 3 : 4) };
    }), false);
    if (!algorithms.every((algorithm) => offers('tacs', algorithm))) return undefined;
    return compare('tacs', many(() => {
      const { algorithm, path, value } = below('dataRoot');
      const data = numbers.bytes(1 + numbers.below(64));
      return { item: { key: path, data }, expected: tac(algorithm, value, data) };
    }), false);
  });

  it('refuses every item that breaks a rule, wherever it stands in a batch', async () => {
    const purchase = await root(agent, 'purchaseRoot', '3des2');
    const good = { key: { keyId: purchase, factors: [REGION, CHIP] }, sessionInput: CHIP, data: CHIP };
    const at = (item: Partial<ItemFields>): Promise<unknown> => codeOf(agent.batch('purchaseMacs', [good, good, { ...good, ...item }]));
    expect(await at({})).toBe('ok');
    for (const octet of [0x00, 0xff]) {
      const reserved = new Uint8Array(8).fill(octet);
      expect(await at({ key: { keyId: purchase, factors: [reserved, CHIP] } })).toEqual(['FACTOR_RESERVED', {}]);
      expect(await at({ key: { keyId: purchase, factors: [REGION, reserved] } })).toEqual(['FACTOR_RESERVED', {}]);
      expect(await at({ sessionInput: reserved })).toEqual(['FACTOR_RESERVED', {}]);
    }
    expect(await at({ key: { keyId: purchase, factors: [REGION] } })).toMatchObject(['KEY_PATH_DEPTH', { actual: 1 }]);
    expect(await at({ key: { keyId: keyIdOf(0xffff), factors: [REGION, CHIP] } })).toMatchObject(['KEY_NOT_FOUND', {}]);
    expect(await at({ sm4Session: 'zeros' })).toMatchObject(['REQUEST_INVALID', {}]);
    const transport = keyIdOf(++lastId);
    await agent.run('importTestTransportKey', { keyId: transport, label: 'factory' });
    expect(await codeOf(agent.batch('authenticateToCard', [{ key: { keyId: transport, factors: [CHIP] }, challenge: new Uint8Array(16).fill(7) }]))).toMatchObject(['REQUEST_INVALID', {}]);
    expect(await codeOf(agent.batch('authenticateToCard', [{ key: { keyId: purchase, factors: [REGION] }, challenge: CHIP }]))).toMatchObject(['KEY_CLASS_MISMATCH', {}]);
    expect(await codeOf(agent.batch('checkValues', [{ key: { keyId: purchase, factors: [REGION, CHIP, CHIP, CHIP] }, method: 'zero3' }]))).toMatchObject(['KEY_PATH_DEPTH', { most: 3 }]);
    expect(await codeOf(agent.run('commandMacs', { batch: Uint8Array.of(3, 1, 0, 1, 0, 0, 0, 1) }))).toMatchObject(['REQUEST_INVALID', {}]);
  });

  it('serves many batches and single items at once', async () => {
    const keyId = await root(agent, 'dataRoot', '3des2');
    const numbers = new Numbers(3);
    const items = Array.from({ length: 2000 }, () => ({ key: { keyId, factors: [REGION, numbers.factor()] }, method: 'zero3' as const }));
    const batches = Array.from({ length: 4 }, () => agent.batch('checkValues', items, false));
    const singles = items.slice(0, 20).map((item) => agent.batch('checkValues', [item], true));
    const [first, ...others] = await Promise.all(batches);
    for (const other of others) expect(other).toEqual(first);
    expect((await Promise.all(singles)).flat()).toEqual(first?.slice(0, 20));
  });

  it('uses a key only with the fingerprint that was recorded for it', async () => {
    const keyId = await root(agent, 'dataRoot', '3des2');
    const [value] = await agent.batch('fingerprints', [{ key: { keyId, factors: [] } }]);
    expect(agent.fingerprints()[keyId]).toBe(value);
    agent = await agent.restart({ [keyId]: '00'.repeat(16) });
    for (let again = 0; again < 2; again++) {
      expect(await codeOf(agent.batch('checkValues', [{ key: { keyId, factors: [] }, method: 'zero3' }]))).toEqual(['HSM_ANSWER_WRONG', { device: agent.device, what: `fingerprint of ${keyId}` }]);
    }
    agent = await agent.restart({ [keyId]: value as string });
    expect(await codeOf(agent.batch('checkValues', [{ key: { keyId, factors: [] }, method: 'zero3' }]))).toBe('ok');
    expect(await agent.run('destroy', { keyId })).toBe(1);
    expect(await codeOf(agent.batch('fingerprints', [{ key: { keyId, factors: [] } }]))).toMatchObject(['KEY_NOT_FOUND', {}]);
  });
});
