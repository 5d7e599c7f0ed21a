import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#libs/platform/domain';
import { writeFileAtomic } from '#libs/platform/host';
import { isDeviceStep } from '../domain/device-steps.js';
import type { DeviceRecord } from '../domain/fleet-status.js';
import type { DeviceConfig } from '../hsm-config.js';
import type { TokenDescription } from '../ipc.js';

interface Snapshot {
  readonly token: TokenDescription;
  readonly digest: string;
  readonly changedAt: string;
}

/**
 * What each device is: the snapshot of its configuration as the token described it at its last login, and a history file a device
 * with every change of it, every patrol note and every step that somebody took.
 */
export class DeviceRecords {
  readonly #folder: string;
  readonly #snapshots = new Map<string, Snapshot>();

  constructor(
    stateDir: string,
    private readonly now: () => Date,
  ) {
    this.#folder = join(stateDir, 'devices');
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
  }

  /** Takes the description of a login; returns what is different from the one before, as `field: before → now`. */
  take(device: string, token: TokenDescription): string[] {
    const before = this.#snapshot(device);
    const digest = createHash('sha256').update(JSON.stringify(token)).digest('hex').toUpperCase();
    if (before?.digest === digest) return [];
    const snapshot = { token, digest, changedAt: this.now().toISOString() };
    this.#snapshots.set(device, snapshot);
    writeFileAtomic(this.#file(device, 'json'), `${JSON.stringify(snapshot)}\n`, 0o600);
    const changes = before === undefined ? [] : differences(before.token, token);
    this.#write(device, { step: 'snapshot', by: 'supervisor', note: changes.join('; ') });
    return changes;
  }

  /** Throws REQUEST_INVALID for a step that is on no list. */
  note(device: string, step: string, by: string, note: string): void {
    if (!isDeviceStep(step)) throw new AppError('REQUEST_INVALID', { reason: `step ${step}` });
    this.#write(device, { step, by, note });
  }

  record(config: DeviceConfig): DeviceRecord {
    const snapshot = this.#snapshot(config.device);
    const token = snapshot?.token;
    return {
      serial: token?.serial ?? '',
      label: token?.label ?? '',
      manufacturer: token?.manufacturer ?? '',
      model: token?.model ?? '',
      firmware: token?.firmware ?? '',
      moduleSha256: token?.moduleSha256 ?? '',
      site: config.site,
      productCertificate: config.productCertificate,
      missing: token?.missing ?? [],
      snapshotDigest: snapshot?.digest ?? '',
      snapshotChangedAt: snapshot?.changedAt ?? '',
      history: this.#history(config.device),
    };
  }

  #history(device: string): string[] {
    const file = this.#file(device, 'jsonl');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').slice(-HISTORY_SHOWN) : [];
  }

  #snapshot(device: string): Snapshot | undefined {
    const file = this.#file(device, 'json');
    if (!this.#snapshots.has(device) && existsSync(file)) this.#snapshots.set(device, JSON.parse(readFileSync(file, 'utf8')) as Snapshot);
    return this.#snapshots.get(device);
  }

  #write(device: string, entry: { step: string; by: string; note: string }): void {
    appendFileSync(this.#file(device, 'jsonl'), `${JSON.stringify({ at: this.now().toISOString(), ...entry })}\n`, { mode: 0o600, flush: true });
  }

  #file(device: string, ending: string): string {
    return join(this.#folder, `${device}.${ending}`);
  }
}

const HISTORY_SHOWN = 20;

function differences(before: TokenDescription, now: TokenDescription): string[] {
  const plain = (['serial', 'label', 'manufacturer', 'model', 'firmware', 'flags', 'moduleSha256'] as const).flatMap((field) => (before[field] === now[field] ? [] : [`${field}: ${before[field]} → ${now[field]}`]));
  const hex = (numbers: readonly number[]): string => numbers.map((number) => `0x${number.toString(16)}`).join(' ');
  const gone = before.mechanisms.filter((number) => !now.mechanisms.includes(number));
  const fresh = now.mechanisms.filter((number) => !before.mechanisms.includes(number));
  return [...plain, ...(gone.length > 0 ? [`mechanisms gone: ${hex(gone)}`] : []), ...(fresh.length > 0 ? [`mechanisms new: ${hex(fresh)}`] : [])];
}
