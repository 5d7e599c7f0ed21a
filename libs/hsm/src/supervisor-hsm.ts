import { connect, type Socket } from 'node:net';
import { socketPath } from '#libs/platform';
import { AppError, ERROR_TEXTS, type ErrorCode } from '#libs/platform/domain';
import { BATCH_MOST, type RecipeName, SupervisorReply } from './domain/recipes.js';
import type { DiversificationClass, SigningClass } from './domain/key-class.js';
import {
  type AsymmetricAlgorithm, type CardAuthentication, type CommandMac, type DeviceName, type DeviceStatus, Hsm, type KcvMethod, type KeyId,
  type KeyObject, type KeyPath, type KnownAnswer, type ProtectedKey, type ProtectedKeyLoad, type PurchaseMac, type SignItem, type SymmetricAlgorithm,
} from './hsm.js';
import { encodeFrame, FRAME_MOST, FrameReader } from './wire.js';

/** Longer than any deadline of the supervisor (its answer says more), shorter than a person's patience. */
const DEADLINE_SECONDS = 120;
/** Room for the envelope of a batch in its frame. */
const BATCH_BYTES_MOST = FRAME_MOST - 64 * 1024;
const BYTES_PER_ITEM = 160;

interface Pending {
  readonly device: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * The port over one Unix socket of the supervisor. Requests are pipelined; the connection is made at the first call and
 * again after it broke. Every method throws AppError; HSM_UNREACHABLE when there is no supervisor, HSM_TIMEOUT when it is
 * silent. After either, what was asked may have been done: callers have their intent rows for that.
 */
export class SupervisorHsm extends Hsm {
  readonly #socketPath: string;
  readonly #deadlineMs: number;
  readonly #pending = new Map<number, Pending>();
  #socket: Socket | undefined;
  #nextId = 1;

  constructor(socketPath: string, options: { readonly deadlineSeconds?: number } = {}) {
    super();
    this.#socketPath = socketPath;
    this.#deadlineMs = (options.deadlineSeconds ?? DEADLINE_SECONDS) * 1000;
  }

  close(): void {
    this.#socket?.destroy();
    this.#drop('closed');
  }

  devices(): Promise<DeviceStatus[]> {
    return this.#call('devices', '', {});
  }

  async generateKey(
    device: DeviceName,
    key: { keyId: KeyId; label: string; keyClass: DiversificationClass; algorithm: SymmetricAlgorithm },
  ): Promise<void> {
    await this.#call('generateKey', device, key);
  }

  generateKeyPair(
    device: DeviceName,
    key: { keyId: KeyId; label: string; keyClass: SigningClass; algorithm: AsymmetricAlgorithm },
  ): Promise<{ publicKey: Uint8Array }> {
    return this.#call('generateKeyPair', device, key);
  }

  async importTestTransportKey(device: DeviceName, key: { keyId: KeyId; label: string }): Promise<void> {
    await this.#call('importTestTransportKey', device, key);
  }

  async transfer(key: { keyId: KeyId; from: DeviceName; to: DeviceName }): Promise<void> {
    await this.#call('transfer', '', key);
  }

  async seal(device: DeviceName, keyId: KeyId): Promise<void> {
    await this.#call('seal', device, { keyId });
  }

  checkValues(device: DeviceName, items: readonly { key: KeyPath; method: KcvMethod }[]): Promise<Uint8Array[]> {
    return this.#batch('checkValues', device, 'items', items);
  }

  fingerprints(device: DeviceName, keyIds: readonly KeyId[]): Promise<Uint8Array[]> {
    return this.#batch('fingerprints', device, 'keyIds', keyIds);
  }

  protectForCard(device: DeviceName, items: readonly ProtectedKeyLoad[]): Promise<ProtectedKey[]> {
    return this.#batch('protectForCard', device, 'items', items);
  }

  commandMacs(device: DeviceName, items: readonly CommandMac[]): Promise<Uint8Array[]> {
    return this.#batch('commandMacs', device, 'items', items);
  }

  authenticateToCard(device: DeviceName, items: readonly CardAuthentication[]): Promise<Uint8Array[]> {
    return this.#batch('authenticateToCard', device, 'items', items);
  }

  purchaseMacs(device: DeviceName, items: readonly PurchaseMac[]): Promise<Uint8Array[]> {
    return this.#batch('purchaseMacs', device, 'items', items);
  }

  sign(device: DeviceName, items: readonly SignItem[]): Promise<Uint8Array[]> {
    return this.#batch('sign', device, 'items', items, (item) => item.bytes.length);
  }

  destroy(device: DeviceName, keyId: KeyId): Promise<number> {
    return this.#call('destroy', device, { keyId });
  }

  inventory(device: DeviceName): Promise<KeyObject[]> {
    return this.#call('inventory', device, {});
  }

  knownAnswers(device: DeviceName): Promise<KnownAnswer[]> {
    return this.#call('knownAnswers', device, {});
  }

  /** Sends a batch of any size in calls that fit a frame; all answers in order. */
  async #batch<I, O>(recipe: RecipeName, device: DeviceName, field: string, items: readonly I[], sizeOf: (item: I) => number = () => 0): Promise<O[]> {
    const calls: Promise<O[]>[] = [];
    for (const chunk of chunks(items, sizeOf)) calls.push(this.#call<O[]>(recipe, device, { [field]: chunk }));
    return (await Promise.all(calls)).flat();
  }

  #call<T>(recipe: RecipeName, device: DeviceName, request: object): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const id = this.#nextId++;
      const frame = encodeFrame({ id, recipe, device, request });
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new AppError('HSM_TIMEOUT', { device: device || 'supervisor' }));
      }, this.#deadlineMs);
      this.#pending.set(id, { device, resolve: resolve as (value: unknown) => void, reject, timer });
      (this.#socket ??= this.#open()).write(frame);
    });
  }

  #open(): Socket {
    const socket = connect(socketPath(this.#socketPath));
    const reader = new FrameReader();
    socket.on('data', (piece) => {
      try {
        for (const value of reader.push(piece)) this.#settle(value);
      } catch {
        // A stream that is out of step cannot be mended; the pending calls end as unreachable.
        socket.destroy();
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#socket === socket) this.#drop('connection closed');
    });
    return socket;
  }

  #settle(value: unknown): void {
    const reply = SupervisorReply.parse(value);
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#pending.delete(reply.id);
    clearTimeout(pending.timer);
    if ('ok' in reply) return pending.resolve(reply.ok);
    const { code, details } = reply.error;
    pending.reject(new AppError(isErrorCode(code) ? code : 'INTERNAL', details));
  }

  #drop(reason: string): void {
    this.#socket = undefined;
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject, timer } of waiting) {
      clearTimeout(timer);
      reject(new AppError('HSM_UNREACHABLE', { reason }));
    }
  }
}

function* chunks<I>(items: readonly I[], sizeOf: (item: I) => number): Generator<I[]> {
  let chunk: I[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = sizeOf(item) + BYTES_PER_ITEM;
    if (chunk.length > 0 && (chunk.length === BATCH_MOST || bytes + size > BATCH_BYTES_MOST)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(item);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_TEXTS, code);
}
