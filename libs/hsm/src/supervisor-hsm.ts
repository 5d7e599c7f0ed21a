import { connect, type Socket } from 'node:net';
import { socketPath } from '#libs/platform/host';
import { AppError, ERROR_TEXTS, type ErrorCode, isAppError } from '#libs/platform/domain';
import type { Authorisation, SignedPolicy } from '#libs/signature';
import type { Authoriser, AuthorisationNeed } from './authoriser.js';
import { authorityOf } from './domain/authority.js';
import { BATCH_MOST, type ItemFields, packBatch, type PackedRecipe, readAnswers } from './domain/batch.js';
import { type RecipeName, SIGN_MOST, SupervisorReply } from './domain/recipes.js';
import { describeRequest } from './domain/request-description.js';
import type { DiversificationClass, SigningClass } from './domain/key-class.js';
import {
  type AsymmetricAlgorithm, type CallOptions, type CardAuthentication, type CommandMac, type DeviceChoice, type DeviceName, type DeviceStatus, type EscrowCustodian, type EscrowPackage, type EscrowTarget, type FleetStatus, Hsm, type KcvMethod,
  type KeyId, type KeyObject, type KeyPath, type KnownAnswer, type PinAnswer, type PinQuestion, type ProtectedKey, type ProtectedKeyLoad, type PurchaseMac, type ShareAlgorithm, type SignItem, type SymmetricAlgorithm, type Tac, type WrappingKey,
} from './hsm.js';
import { ShownTickets } from './shown-tickets.js';
import { encodeFrame, FRAME_MOST, FrameReader } from './wire.js';

/** Longer than any deadline of the supervisor (its answer says more), shorter than a person's patience. */
const DEADLINE_SECONDS = 120;
/** Room for the envelope of a batch in its frame. */
const BATCH_BYTES_MOST = FRAME_MOST - 64 * 1024;
const BYTES_PER_SIGNED_ITEM = 160;
/** cipher ‖ MAC of a protected key. */
const MAC_BYTES = 4;
/** An authoriser that brings what is refused again is not asked for ever. */
const AUTHORISATIONS_MOST = 3;

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

  readonly #authoriser: Authoriser | undefined;
  readonly #shown = new ShownTickets();

  constructor(socketPath: string, options: { readonly deadlineSeconds?: number; readonly authoriser?: Authoriser | undefined } = {}) {
    super();
    this.#socketPath = socketPath;
    this.#deadlineMs = (options.deadlineSeconds ?? DEADLINE_SECONDS) * 1000;
    this.#authoriser = options.authoriser;
  }

  close(): void {
    this.#socket?.destroy();
    this.#drop('closed');
  }

  devices(): Promise<DeviceStatus[]> {
    return this.#call('devices', '', {});
  }

  fleet(): Promise<FleetStatus> {
    return this.#call('fleet', '', {});
  }

  async noteDevice(device: DeviceName, entry: { step: string; by: string; note: string }): Promise<void> {
    await this.#call('deviceNote', '', { device, ...entry });
  }

  policyChain(): Promise<SignedPolicy[]> {
    return this.#call('policyChain', '', {});
  }

  async addPolicy(signed: SignedPolicy): Promise<void> {
    await this.#call('addPolicy', '', { signed: JSON.stringify(signed) });
  }

  async stop(rule: string): Promise<void> {
    await this.#call('stop', '', { rule });
  }

  async start(rule: string): Promise<void> {
    await this.#call('start', '', { rule });
  }

  pinQuestions(): Promise<PinQuestion[]> {
    return this.#call('pinQuestions', '', {});
  }

  async answerPin({ device, tokenSerial, pinId }: PinQuestion, answer: PinAnswer): Promise<void> {
    await this.#call('pinAnswer', '', { device, tokenSerial, pinId, answer });
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

  checkValues(device: DeviceChoice, items: readonly { key: KeyPath; method: KcvMethod }[], options?: CallOptions): Promise<Uint8Array[]> {
    return this.#packed('checkValues', device, items, options);
  }

  fingerprints(device: DeviceChoice, keyIds: readonly KeyId[], options?: CallOptions): Promise<Uint8Array[]> {
    return this.#packed('fingerprints', device, keyIds.map((keyId) => ({ key: { keyId, factors: [] } })), options);
  }

  async protectForCard(device: DeviceChoice, items: readonly ProtectedKeyLoad[], options?: CallOptions): Promise<ProtectedKey[]> {
    const answers = await this.#packed('protectForCard', device, items, options);
    return answers.map((answer) => ({ cipher: answer.subarray(0, -MAC_BYTES), mac: answer.subarray(-MAC_BYTES) }));
  }

  commandMacs(device: DeviceChoice, items: readonly CommandMac[], options?: CallOptions): Promise<Uint8Array[]> {
    return this.#packed('commandMacs', device, items, options);
  }

  authenticateToCard(device: DeviceChoice, items: readonly CardAuthentication[], options?: CallOptions): Promise<Uint8Array[]> {
    return this.#packed('authenticateToCard', device, items, options);
  }

  purchaseMacs(device: DeviceChoice, items: readonly PurchaseMac[], options?: CallOptions): Promise<Uint8Array[]> {
    return this.#packed('purchaseMacs', device, items, options);
  }

  tacs(device: DeviceChoice, items: readonly Tac[], options?: CallOptions): Promise<Uint8Array[]> {
    return this.#packed('tacs', device, items, options);
  }

  async sign(device: DeviceChoice, items: readonly SignItem[], options?: CallOptions): Promise<Uint8Array[]> {
    const calls = [...chunks(items, SIGN_MOST, (item) => item.bytes.length + BYTES_PER_SIGNED_ITEM)].map((chunk) => this.#call<Uint8Array[]>('sign', device, { items: chunk }, options));
    return (await Promise.all(calls)).flat();
  }

  async escrowTrust(device: DeviceName, keys: readonly WrappingKey[]): Promise<void> {
    await this.#call('escrowTrust', device, { keys });
  }

  escrowSplit(device: DeviceName, split: { keyId: KeyId; splitId: string; m: number; custodians: readonly EscrowCustodian[] }): Promise<EscrowPackage> {
    return this.#call('escrowSplit', device, split);
  }

  escrowTarget(device: DeviceName, target: { splitId: string; algorithm: ShareAlgorithm }): Promise<EscrowTarget> {
    return this.#call('escrowTarget', device, target);
  }

  async escrowRecover(device: DeviceName, recovery: { keyId: KeyId; escrow: EscrowPackage; shares: readonly { index: number; wrapped: Uint8Array }[] }): Promise<void> {
    await this.#call('escrowRecover', device, recovery);
  }

  escrowAbort(device: DeviceName, splitId: string): Promise<number> {
    return this.#call('escrowAbort', device, { splitId });
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

  /** Sends a batch of any size in calls of at most BATCH_MOST items; all answers in order. */
  async #packed(recipe: PackedRecipe, device: DeviceChoice, items: readonly ItemFields[], options?: CallOptions): Promise<Uint8Array[]> {
    const calls = [...chunks(items, BATCH_MOST, () => 0)].map(async (chunk) => {
      const answers = await this.#call<Uint8Array>(recipe, device, { batch: packBatch(recipe, chunk) }, options);
      return readAnswers(device, answers, chunk.length);
    });
    return (await Promise.all(calls)).flat();
  }

  /** Sends a request; what it needs beside the client's right is fetched from the authoriser, and the same request sent again. */
  async #call<T>(recipe: RecipeName, device: DeviceChoice | '', request: object, options: CallOptions = {}): Promise<T> {
    const ticketed = this.#authoriser !== undefined && authorityOf(recipe, request).authority === 'ticket';
    let authorisation: Authorisation | undefined = undefined;
    if (ticketed) {
      const { keys, count } = describeRequest(recipe, request);
      authorisation = this.#authoriser?.known(recipe, keys, count);
    }
    for (let asked = 0; ; asked++) {
      const sent = this.#shown.sent(authorisation);
      try {
        const answer = await this.#send<T>(recipe, device, request, options, sent);
        this.#shown.taken(authorisation);
        return answer;
      } catch (error) {
        // Another supervisor than the one it was shown to, or one that has seen many since.
        if (isAppError(error) && error.code === 'TICKET_UNKNOWN' && sent?.kind === 'ticketDigest') {
          this.#shown.forget(authorisation);
          continue;
        }
        if (this.#authoriser === undefined || !isAppError(error) || asked === AUTHORISATIONS_MOST) throw error;
        // Of a ticket at hand also the approvals may run out: their approver did.
        const renewable = RENEWABLE.has(error.code) || (ticketed && error.code === 'APPROVAL_EXPIRED');
        if (renewable) this.#authoriser.forget(authorisation);
        else if (error.code !== 'APPROVAL_REQUIRED' && error.code !== 'TICKET_REQUIRED') throw error;
        if (error.code !== 'APPROVAL_REQUIRED' && error.code !== 'TICKET_REQUIRED') {
          authorisation = undefined;
          continue;
        }
        authorisation = await this.#authoriser.authorise(needOf(recipe, request, error));
      }
    }
  }

  #send<T>(recipe: RecipeName, device: DeviceChoice | '', request: object, { priority, paired }: CallOptions, authorisation: Authorisation | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const id = this.#nextId++;
      const frame = encodeFrame({
        id, recipe, device, request,
        ...(priority === 'batch' ? { online: false } : {}),
        ...(paired === true ? { paired } : {}),
        ...(authorisation === undefined ? {} : { authorisation }),
      });
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

function* chunks<I>(items: readonly I[], most: number, sizeOf: (item: I) => number): Generator<I[]> {
  let chunk: I[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = sizeOf(item);
    if (chunk.length > 0 && (chunk.length === most || bytes + size > BATCH_BYTES_MOST)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(item);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}

/** A ticket that is over is asked for anew. */
const RENEWABLE: ReadonlySet<ErrorCode> = new Set(['TICKET_SPENT', 'TICKET_EXPIRED', 'TICKET_INVALID']);

/** What the supervisor says that it lacks, with what will be done in the words that approvers read. */
function needOf(recipe: RecipeName, request: object, refusal: AppError): AuthorisationNeed {
  const { details } = refusal;
  const devices = (details['devices'] as readonly string[]).map((each) => ({ device: each.slice(0, each.indexOf(' ')), tokenSerial: each.slice(each.indexOf(' ') + 1) }));
  return {
    ...describeRequest(recipe, request),
    kind: refusal.code === 'TICKET_REQUIRED' ? 'ticket' : 'approvals',
    recipe,
    rule: String(details['rule']),
    policyVersion: Number(details['policyVersion']),
    devices,
  };
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_TEXTS, code);
}
