import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type AsymmetricAlgorithm, type DiversificationClass, Hsm, type KcvMethod, type SigningClass, type SymmetricAlgorithm } from '#libs/hsm';
import { Journal } from '#libs/journal';
import { Clock, Logger } from '#libs/platform';
import { AppError, type ErrorCode, isAppError, toHex } from '#libs/platform/domain';
import { holders, type KeyCopy, type KeyRecord } from './key-record.js';
import { transition } from './domain/key-state.js';
import { GENERATE_FAILED, type KeyFailure, type KeyMaterial, KeysRepository } from './keys.repository.js';

/** A root serves cards only when two devices hold it (design: nothing hangs on one device). */
const COPIES_FOR_ACTIVATION = 2;

/** Refusals that come before any device has heard of the act: nothing was made. */
const NOTHING_DONE: ReadonlySet<ErrorCode> = new Set(['APPROVAL_REFUSED', 'APPROVAL_EXPIRED', 'APPROVAL_REQUIRED', 'APPROVAL_INVALID', 'QUORUM_NOT_MET', 'REQUEST_DIFFERS', 'RULE_STOPPED', 'JOURNAL_STALE']);

type NewKey<C, A> = { readonly label: string; readonly keyClass: C; readonly algorithm: A; readonly device: string };

/** An intent that is committed and not carried out. */
interface PlannedKey {
  readonly key: Pick<KeyRecord, 'keyId' | 'label' | 'keyClass' | 'algorithm'>;
  readonly copy: KeyCopy;
  /** Its journal entry. */
  readonly intent: string;
}

@Injectable()
export class Keys {
  constructor(
    private readonly dataSource: DataSource,
    private readonly repository: KeysRepository,
    private readonly journal: Journal,
    private readonly hsm: Hsm,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Makes a diversification root in one device. It is preActive until a second device holds it. */
  async generateRoot(key: NewKey<DiversificationClass, SymmetricAlgorithm>): Promise<KeyRecord> {
    return this.finish(await this.plan(key), (keyId) => this.makeRoot(key, keyId));
  }

  /**
   * The same, and returns when the intent stands: the rest waits for approvers. How it goes on is seen by `get` and, when it fails, by
   * `failure`. Throws KEY_LABEL_TAKEN, TOKEN_MISSING.
   */
  async requestRoot(key: NewKey<DiversificationClass, SymmetricAlgorithm>): Promise<KeyRecord> {
    const planned = await this.plan(key);
    this.finish(planned, (keyId) => this.makeRoot(key, keyId)).catch((error: unknown) => this.noteFailure(planned.key, error));
    return this.get(key.label);
  }

  /** Why the last attempt to make this key failed; undefined when none did. */
  async failure(keyId: string): Promise<KeyFailure | undefined> {
    return this.repository.lastFailure(keyId);
  }

  /** Makes a signing pair in one device; it is active at once and never leaves that device. */
  async generateSigning(key: NewKey<SigningClass, AsymmetricAlgorithm>): Promise<KeyRecord & { publicKey: Uint8Array }> {
    const made = await this.finish(await this.plan(key), (keyId) =>
      this.hsm.generateKeyPair(key.device, { keyId, label: key.label, keyClass: key.keyClass, algorithm: key.algorithm }),
    );
    return (await this.moveTo(made, 'active')) as KeyRecord & { publicKey: Uint8Array };
  }

  /**
   * Enters the published transport key that virtual cards leave the factory with, in a device that allows test keys.
   * A real manufacturer's key comes by ceremony.
   */
  async enterTestTransportKey(label: string, device: string): Promise<KeyRecord> {
    return this.finish(await this.plan({ label, keyClass: 'psamTransportRoot', algorithm: '3des2', device }), async (keyId) => {
      await this.hsm.importTestTransportKey(device, { keyId, label });
      const { kcv, fingerprint } = await this.measure(device, keyId, 'zero3');
      return { kcv, kcvMethod: 'zero3', fingerprint };
    });
  }

  /** Enters a test transport key that is in the register into one more device. Throws KEY_CLASS_MISMATCH: under another key's id it would be a lie. */
  async copyTestTransportKey(label: string, to: string): Promise<KeyRecord> {
    const { keyId: known, keyClass } = await this.get(label);
    if (keyClass !== 'psamTransportRoot') throw new AppError('KEY_CLASS_MISMATCH', { keyId: known, keyClass, recipe: 'importTestTransportKey' });
    return this.addCopy(label, to, (keyId) => this.hsm.importTestTransportKey(to, { keyId, label }));
  }

  /** Copies a root to a second device under a wrap. */
  copy(label: string, to: string): Promise<KeyRecord> {
    return this.addCopy(label, to, (keyId, from) => this.hsm.transfer({ keyId, from, to }));
  }

  /** Check value and fingerprint must come out equal there. Throws KEY_COPY_DIFFERS. */
  private async addCopy(label: string, to: string, bring: (keyId: string, from: string) => Promise<unknown>): Promise<KeyRecord> {
    const key = await this.get(label);
    const [from] = holders(key);
    if (from === undefined) throw new AppError('KEY_NOT_FOUND', { device: '-', keyId: key.keyId });
    const copy = await this.copyOn(to, 'planned');
    const intent = await this.store(key, 'keys.copyIntent', { from, to }, (tx, entryId) => this.repository.putCopy(tx, key.keyId, copy, entryId));
    await this.anchoredOr(intent, () => this.abortCopy(key, copy));
    await this.doneOr(() => bring(key.keyId, from), () => this.abortCopy(key, copy));
    const there = await this.measure(to, key.keyId, key.kcvMethod ?? 'zero3');
    if (there.kcv !== key.kcv || there.fingerprint !== key.fingerprint) {
      await this.abortCopy(key, copy);
      throw new AppError('KEY_COPY_DIFFERS', { label, device: to });
    }
    await this.store(key, 'keys.copy', { from, to, kcv: there.kcv }, (tx, entryId) =>
      this.repository.putCopy(tx, key.keyId, { ...copy, state: 'present' }, entryId),
    );
    return this.get(label);
  }

  /** Takes EXTRACTABLE off every copy, then makes the root active. Throws KEY_COPIES_MISSING with fewer than two. */
  async activate(label: string): Promise<KeyRecord> {
    const key = await this.get(label);
    const devices = holders(key);
    if (devices.length < COPIES_FOR_ACTIVATION) throw new AppError('KEY_COPIES_MISSING', { label, copies: devices.length });
    for (const device of devices) await this.hsm.seal(device, key.keyId);
    return this.moveTo(key, 'active');
  }

  /** Throws KEY_UNKNOWN. */
  async get(label: string): Promise<KeyRecord> {
    const key = await this.repository.find(label);
    if (key === undefined) throw new AppError('KEY_UNKNOWN', { label });
    return key;
  }

  list(): Promise<KeyRecord[]> {
    return this.repository.list();
  }

  /** Check value and fingerprint as a device computes them now. */
  async measure(device: string, keyId: string, method: KcvMethod): Promise<{ kcv: string; fingerprint: string }> {
    const [kcv] = await this.hsm.checkValues(device, [{ key: { keyId, factors: [] }, method }]);
    const [fingerprint] = await this.hsm.fingerprints(device, [keyId]);
    return { kcv: toHex(kcv as Uint8Array), fingerprint: toHex(fingerprint as Uint8Array) };
  }

  /** Check value of the key at `factors` below a root, computed in a device that holds it. */
  async childCheckValue(label: string, factors: readonly Uint8Array[], device?: string): Promise<string> {
    const key = await this.get(label);
    const where = device ?? holders(key)[0];
    if (where === undefined) throw new AppError('KEY_NOT_FOUND', { device: '-', keyId: key.keyId });
    const [kcv] = await this.hsm.checkValues(where, [{ key: { keyId: key.keyId, factors }, method: 'zero3' }]);
    return toHex(kcv as Uint8Array);
  }

  /**
   * Start-up: an intent without an outcome is a key that nobody was told of. Whatever the device made under its CKA_ID is
   * destroyed and the intent is closed; the caller asks again under a new id. A signing pair whose outcome was stored goes
   * into use, as it was about to.
   */
  async settleIntents(): Promise<{ aborted: number }> {
    let aborted = 0;
    for (const key of await this.repository.listUnsettled()) {
      for (const copy of key.copies.filter((each) => each.state === 'planned')) {
        await this.hsm.destroy(copy.device, key.keyId);
        await this.abortCopy(key, copy);
        aborted++;
      }
      if (key.state === 'planned') await this.moveTo(key, 'aborted');
      else if (key.state === 'preActive' && key.publicKey !== undefined) await this.moveTo(key, 'active');
    }
    return { aborted };
  }

  /**
   * The watch list: a command that was given up may still be completed by a network device. Whatever stands in a device
   * under an aborted CKA_ID is destroyed and journalled. Devices that are not up are looked at another time.
   */
  async destroyLate(): Promise<number> {
    const aborted = await this.repository.listAbortedCopies();
    const up = new Set((await this.hsm.devices()).filter(({ state }) => state === 'up').map(({ device }) => device));
    let destroyed = 0;
    for (const device of new Set(aborted.map((copy) => copy.device))) {
      if (!up.has(device)) continue;
      const present = new Set((await this.hsm.inventory(device)).map(({ keyId }) => keyId));
      for (const late of aborted.filter((copy) => copy.device === device && present.has(copy.keyId))) {
        const objects = await this.hsm.destroy(device, late.keyId);
        await this.dataSource.transaction((tx) =>
          this.journal.record(tx, { kind: 'keys.lateObjectDestroyed', subject: late.keyId, data: { label: late.label, device, objects } }),
        );
        destroyed += objects;
      }
    }
    return destroyed;
  }

  private async makeRoot(key: NewKey<DiversificationClass, SymmetricAlgorithm>, keyId: string): Promise<KeyMaterial> {
    const method: KcvMethod = 'zero3';
    await this.hsm.generateKey(key.device, { keyId, label: key.label, keyClass: key.keyClass, algorithm: key.algorithm });
    const { kcv, fingerprint } = await this.measure(key.device, keyId, method);
    return { kcv, kcvMethod: method, fingerprint };
  }

  /** The intent, committed. */
  private async plan(key: NewKey<KeyRecord['keyClass'], KeyRecord['algorithm']>): Promise<PlannedKey> {
    const keyId = toHex(randomBytes(16));
    const planned = { keyId, label: key.label, keyClass: key.keyClass, algorithm: key.algorithm };
    const copy = await this.copyOn(key.device, 'planned');
    let intent: string;
    try {
      intent = await this.store(planned, 'keys.generateIntent', { device: key.device, keyClass: key.keyClass }, async (tx, entryId) => {
        await this.repository.insertPlanned(tx, planned, this.clock.now(), entryId);
        await this.repository.putCopy(tx, keyId, copy, entryId);
      });
    } catch (error) {
      if ((error as { code?: string }).code === '23505') throw new AppError('KEY_LABEL_TAKEN', { label: key.label }, { cause: error });
      throw error;
    }
    return { key: planned, copy, intent };
  }

  private async finish({ key: planned, copy, intent }: PlannedKey, make: (keyId: string) => Promise<KeyMaterial>): Promise<KeyRecord> {
    const { keyId, label } = planned;
    const close = async (): Promise<void> => {
      await this.abortCopy(planned, copy);
      await this.moveTo({ ...planned, state: 'planned' }, 'aborted');
    };
    await this.anchoredOr(intent, close);
    const material = await this.doneOr(() => make(keyId), close);
    const shown = 'publicKey' in material ? { publicKey: toHex(material.publicKey) } : { kcv: material.kcv, fingerprint: material.fingerprint };
    await this.store(planned, 'keys.generate', { device: copy.device, ...shown }, async (tx, entryId) => {
      await this.repository.setMaterial(tx, keyId, material, entryId);
      await this.repository.putCopy(tx, keyId, { ...copy, state: 'present' }, entryId);
    });
    return this.get(label);
  }

  /** Closes the intent when approvers or the supervisor said no before a device was asked. */
  private async doneOr<T>(act: () => Promise<T>, close: () => Promise<void>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (isAppError(error) && NOTHING_DONE.has(error.code)) await close();
      throw error;
    }
  }

  /** Nobody waits for the answer: it stands in the journal. */
  private async noteFailure(key: PlannedKey['key'], error: unknown): Promise<void> {
    const { code, details } = isAppError(error) ? error : new AppError('INTERNAL', { requestId: key.keyId });
    if (!isAppError(error)) this.log.error('making a key failed', error, { keyId: key.keyId });
    const reason = Object.entries(details).map(([name, value]) => `${name}: ${String(value)}`).join(', ');
    await this.dataSource
      .transaction((tx) => this.journal.record(tx, { kind: GENERATE_FAILED, subject: key.keyId, data: { label: key.label, code, reason } }))
      .catch((failed: unknown) => this.log.error('a failure is not journalled', failed, { keyId: key.keyId, code }));
  }

  private async copyOn(device: string, state: KeyCopy['state']): Promise<KeyCopy> {
    const status = (await this.hsm.devices()).find((each) => each.device === device);
    if (status === undefined) throw new AppError('TOKEN_MISSING', { device });
    return { device, tokenSerial: status.tokenSerial, state };
  }

  private async abortCopy(key: Pick<KeyRecord, 'keyId' | 'label'>, copy: KeyCopy): Promise<void> {
    await this.store(key, 'keys.copyAborted', { device: copy.device }, (tx, entryId) =>
      this.repository.putCopy(tx, key.keyId, { ...copy, state: 'aborted' }, entryId),
    );
  }

  /** Waits until the intent is in an anchored checkpoint; when it does not get there the device was not asked, and the intent is closed. */
  private async anchoredOr(intent: string, close: () => Promise<void>): Promise<void> {
    try {
      await this.journal.anchored(this.dataSource.manager, intent);
    } catch (error) {
      await close();
      throw error;
    }
  }

  private async moveTo<K extends Pick<KeyRecord, 'keyId' | 'label' | 'state'>>(key: K, to: KeyRecord['state']): Promise<K> {
    const state = transition(key.state, to);
    await this.store(key, 'keys.state', { from: key.state, to: state }, (tx, entryId) => this.repository.setState(tx, key.keyId, state, entryId));
    return { ...key, state };
  }

  /** One transaction: the journal entry and the rows that it speaks of. */
  private async store(
    key: Pick<KeyRecord, 'keyId' | 'label'>,
    kind: string,
    data: Readonly<Record<string, string>>,
    write: (tx: EntityManager, entryId: string) => Promise<void>,
  ): Promise<string> {
    return this.dataSource.transaction(async (tx) => {
      const entryId = await this.journal.record(tx, { kind, subject: key.keyId, data: { label: key.label, ...data } });
      await write(tx, entryId);
      return entryId;
    });
  }
}
