import { randomBytes } from 'node:crypto';
import type { CallOptions, KeyPath, SupervisorHsm } from '#libs/hsm';
import { AppError, fromHex, isAppError, toHex } from '#libs/platform';
import { childOf, commandMac, zeroCheck } from './card-arithmetic.js';
import { seededRandom } from '../../apps/cli/src/soak/random.js';

/** The published factory key of virtual cards (`importTestTransportKey`). */
const TRANSPORT_KEY = fromHex('404142434445464748494A4B4C4D4E4F');
const GROUP = '@diversification';
const CARDS = 40;
const COMMAND = Uint8Array.of(0x84, 0x16, 0, 0);
const SESSION_INPUT = fromHex('1122334400010005');
const DATA = fromHex('0000000123450100000000012026112409301500');
/** Transfers at once: each makes an RSA key. */
const LANES = 2;

/** Two roots on every device of a fleet, and what they answer for a number of cards. */
export interface FleetKeys {
  /** Its value is published: expected answers are computed by node:crypto. */
  readonly transport: string;
  /** Made in the first device: expected answers are what every device gave while all were well. */
  readonly purchase: string;
  readonly purchaseMacs: readonly string[];
}

const factor = (n: number): Uint8Array => fromHex(n.toString(16).padStart(16, '0'));
const cardKey = (keyId: string, card: number): KeyPath => ({ keyId, factors: [factor(card + 1)] });
const userKey = (keyId: string, card: number): KeyPath => ({ keyId, factors: [factor(77), factor(card + 1)] });

/** Puts the roots into `devices`, the first of which makes them. Throws when two devices answer differently. */
export async function makeFleetKeys(hsm: SupervisorHsm, devices: readonly string[]): Promise<FleetKeys> {
  const [transport, purchase] = [toHex(randomBytes(16)), toHex(randomBytes(16))];
  const [first, ...others] = devices as [string, ...string[]];
  await hsm.generateKey(first, { keyId: purchase, label: 'purchase', keyClass: 'purchaseRoot', algorithm: '3des2' });
  await inLanes(devices, (device) => hsm.importTestTransportKey(device, { keyId: transport, label: 'factory' }));
  await inLanes(others, (to) => hsm.transfer({ keyId: purchase, from: first, to }));
  const cards = Array.from({ length: CARDS }, (_, card) => card);
  const answers = await Promise.all(devices.map(async (device) => (await hsm.purchaseMacs(device, cards.map((card) => purchaseItem(purchase, card)))).map(toHex)));
  if (new Set(answers.map((each) => each.join())).size !== 1) throw new Error('the devices differ before any fault');
  return { transport, purchase, purchaseMacs: answers[0] as string[] };
}

/** MAC1 of a purchase with the user card of this number. */
export const purchaseItem = (keyId: string, card: number): { key: KeyPath; sessionInput: Uint8Array; data: Uint8Array } => ({ key: userKey(keyId, card), sessionInput: SESSION_INPUT, data: DATA });

async function inLanes<T>(items: readonly T[], act: (item: T) => Promise<unknown>): Promise<void> {
  const waiting = [...items];
  const lane = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

type Ask = (hsm: SupervisorHsm, keys: FleetKeys, cards: readonly number[], options: CallOptions) => Promise<Uint8Array[]>;
type Expect = (keys: FleetKeys, card: number) => string;

const KINDS: Readonly<Record<'checkValues' | 'commandMacs' | 'purchaseMacs', { readonly ask: Ask; readonly expected: Expect }>> = {
  checkValues: {
    ask: (hsm, { transport }, cards, options) => hsm.checkValues(GROUP, cards.map((card) => ({ key: cardKey(transport, card), method: 'zero3' as const })), options),
    expected: (_, card) => toHex(zeroCheck('3des2', childOf('3des2', TRANSPORT_KEY, factor(card + 1)), 3)),
  },
  commandMacs: {
    ask: (hsm, { transport }, cards, options) => hsm.commandMacs(GROUP, cards.map((card) => ({ key: cardKey(transport, card), command: COMMAND, data: DATA, challenge: factor(card + 9) })), options),
    expected: (_, card) => toHex(commandMac('3des2', childOf('3des2', TRANSPORT_KEY, factor(card + 1)), factor(card + 9), COMMAND, DATA)),
  },
  purchaseMacs: {
    ask: (hsm, { purchase }, cards, options) => hsm.purchaseMacs(GROUP, cards.map((card) => purchaseItem(purchase, card)), options),
    expected: ({ purchaseMacs }, card) => purchaseMacs[card] as string,
  },
};
export type RequestKind = keyof typeof KINDS;

export interface LoadEvent {
  readonly kind: RequestKind;
  readonly keyId: string;
  readonly paired: boolean;
  readonly batch: boolean;
  /** performance.now() when it was asked and when it ended. */
  readonly askedMs: number;
  readonly endedMs: number;
  /** `wrong`, or the code of the error with its details. */
  readonly what: string;
}

export interface LoadOptions {
  readonly seed?: number;
  readonly inFlight?: number;
  readonly pauseMs?: number;
  /** Some requests are computed on two devices; false where only one is there. */
  readonly pairing?: boolean;
}

/** Requests without end, several in flight, each with its answer compared. What is not right stands in `events`. */
export class FleetLoad {
  readonly events: LoadEvent[] = [];
  right = 0;
  slowestMs = 0;
  #stopped = false;
  readonly #lanes: Promise<void>[];
  readonly #random: () => number;
  readonly #pairing: boolean;

  constructor(
    private readonly hsm: SupervisorHsm,
    private readonly keys: FleetKeys,
    { seed = 1, inFlight = 6, pauseMs = 8, pairing = true }: LoadOptions = {},
  ) {
    this.#pairing = pairing;
    this.#random = seededRandom(seed);
    this.#lanes = Array.from({ length: inFlight }, () => this.#lane(pauseMs));
  }

  get asked(): number {
    return this.right + this.events.length;
  }

  get wrong(): LoadEvent[] {
    return this.events.filter(({ what }) => what === 'wrong');
  }

  get failed(): LoadEvent[] {
    return this.events.filter(({ what }) => what !== 'wrong');
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
  }

  async #lane(pauseMs: number): Promise<void> {
    while (!this.#stopped) {
      await this.#one();
      await new Promise((next) => setTimeout(next, pauseMs));
    }
  }

  async #one(): Promise<void> {
    const [pickKind, pickCards, pickWay] = [this.#random(), this.#random(), this.#random()];
    const kind = (Object.keys(KINDS) as RequestKind[])[Math.floor(pickKind * 3)] as RequestKind;
    const { ask, expected } = KINDS[kind];
    const batch = pickWay < 0.4;
    const paired = this.#pairing && (pickWay < 0.2 || pickWay > 0.95);
    const first = Math.floor(pickCards * (CARDS - 8));
    const cards = Array.from({ length: batch ? 8 : 2 }, (_, i) => first + i);
    const askedMs = performance.now();
    const outcome = await ask(this.hsm, this.keys, cards, { priority: batch ? 'batch' : 'online', paired }).then(
      (answers) => (answers.map(toHex).join() === cards.map((card) => expected(this.keys, card)).join() ? 'right' : 'wrong'),
      (error: unknown) => (isAppError(error) ? `${error.code} ${JSON.stringify((error as AppError).details)}` : String(error)),
    );
    const endedMs = performance.now();
    this.slowestMs = Math.max(this.slowestMs, endedMs - askedMs);
    if (outcome === 'right') this.right++;
    else this.events.push({ kind, keyId: kind === 'purchaseMacs' ? this.keys.purchase : this.keys.transport, paired, batch, askedMs, endedMs, what: outcome });
  }
}
