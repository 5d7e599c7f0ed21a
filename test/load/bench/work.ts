import type { CallOptions, DeviceChoice, ProtectedKeyLoad, SupervisorHsm } from '#libs/hsm';

/** The roots of a benchmark: what is loaded, and what protects the load. */
export const DATA_ROOT = 'B0000000000000000000000000000001';
export const CONTROL_ROOT = 'B0000000000000000000000000000002';
const ROOTS = [
  { keyId: DATA_ROOT, keyClass: 'dataRoot' },
  { keyId: CONTROL_ROOT, keyClass: 'psamControlRoot' },
] as const;

const REGION = factor(77);
const CONTROL_FILE = factor(3);
const HEADER = Uint8Array.of(1, 1, 0, 8, 0x0f, 4, 0x0f, 0x33);
const COMMAND = Uint8Array.of(0x84, 0xd4, 1, 0);
const CHALLENGE = Uint8Array.of(1, 2, 3, 4);

export function factor(number: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(number, 4);
  return new Uint8Array(bytes);
}

/** A transfer makes an RSA key: as many at once as there are processors. */
const TRANSFERS_AT_ONCE = 2;

/** Both roots on `first`, copied under a wrap to every other device. */
export async function makeRoots(hsm: SupervisorHsm, [first, ...others]: readonly string[]): Promise<void> {
  for (const { keyId, keyClass } of ROOTS) {
    await hsm.generateKey(first as string, { keyId, label: 'bench', keyClass, algorithm: '3des2' });
    const waiting = [...others];
    const lane = async (): Promise<void> => {
      for (let to = waiting.shift(); to !== undefined; to = waiting.shift()) await hsm.transfer({ keyId, from: first as string, to });
    };
    await Promise.all(Array.from({ length: TRANSFERS_AT_ONCE }, lane));
  }
}

export type Recipe = (hsm: SupervisorHsm, device: DeviceChoice, cards: readonly number[], options?: CallOptions) => Promise<unknown>;

/** A data key two levels below its root, under the card's control key: a WRITE KEY (PBOC 2.0). What hsm-loop.c does. */
export const protectForCard: Recipe = (hsm, device, cards, options) => hsm.protectForCard(device, cards.map(cardLoad), options);

function cardLoad(card: number): ProtectedKeyLoad {
  const serial = factor(card);
  return { key: { keyId: DATA_ROOT, factors: [REGION, serial] }, controlKey: { keyId: CONTROL_ROOT, factors: [REGION, serial, CONTROL_FILE] }, header: HEADER, command: COMMAND, challenge: CHALLENGE };
}

/** The check value of a key two levels below its root. */
export const checkValues: Recipe = (hsm, device, cards, options) =>
  hsm.checkValues(device, cards.map((card) => ({ key: { keyId: DATA_ROOT, factors: [REGION, factor(card)] }, method: 'zero3' as const })), options);

/** Cards from 1 on, so that no factor is the reserved zero. */
export function cards(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

/** Items a second while `atOnce` batches are always on their way. */
export async function batchRate(hsm: SupervisorHsm, recipe: Recipe, device: DeviceChoice, { items, atOnce, seconds }: { items: number; atOnce: number; seconds: number }): Promise<number> {
  const batch = cards(items);
  const started = performance.now();
  const until = started + seconds * 1000;
  let done = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < until) {
      await recipe(hsm, device, batch, { priority: 'batch' });
      done += items;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return done / ((performance.now() - started) / 1000);
}

/** Items a second of a fixed amount of work: one batch. */
export async function jobRate(hsm: SupervisorHsm, recipe: Recipe, device: DeviceChoice, items: number): Promise<number> {
  const batch = cards(items);
  const started = performance.now();
  await recipe(hsm, device, batch);
  return items / ((performance.now() - started) / 1000);
}

/** Items a second in the steady state: what is answered in a window that begins when every lane has been filled once. */
export async function steadyRate(hsm: SupervisorHsm, recipe: Recipe, device: DeviceChoice, { items, atOnce, seconds }: { items: number; atOnce: number; seconds: number }): Promise<number> {
  const batch = cards(items);
  let answered = 0;
  let [fromMs, toMs] = [0, Infinity];
  const lane = async (): Promise<void> => {
    while (performance.now() < toMs) {
      await recipe(hsm, device, batch);
      if (fromMs > 0 && performance.now() < toMs) answered += items;
    }
  };
  const first = Promise.all(Array.from({ length: atOnce }, () => recipe(hsm, device, batch)));
  const lanes = first.then(() => {
    fromMs = performance.now();
    toMs = fromMs + seconds * 1000;
    return Promise.all(Array.from({ length: atOnce }, lane));
  });
  await lanes;
  return answered / seconds;
}
