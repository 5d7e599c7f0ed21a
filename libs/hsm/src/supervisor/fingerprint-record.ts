import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '#libs/platform/host';
import { KEY_CLASSES, type KeyClass } from '../domain/key-class.js';

interface Recorded {
  readonly value: string;
  readonly keyClass: KeyClass;
}

/**
 * keyId → fingerprint as it was when the key was made or first seen on this host. A device that computes another for the same id
 * holds another key, or lies.
 */
export class FingerprintRecord {
  readonly #file: string;
  readonly #known = new Map<string, Recorded>();

  constructor(stateDir: string) {
    this.#file = join(stateDir, 'fingerprints.json');
    if (existsSync(this.#file)) for (const [keyId, recorded] of Object.entries(JSON.parse(readFileSync(this.#file, 'utf8')) as Record<string, Recorded>)) this.#known.set(keyId, recorded);
  }

  values(): Record<string, string> {
    return Object.fromEntries([...this.#known].map(([keyId, { value }]) => [keyId, value]));
  }

  /** The recorded fingerprint of a diversification root, which a device computes with the key itself. */
  ofRoot(keyId: string): string | undefined {
    const recorded = this.#known.get(keyId);
    return recorded !== undefined && KEY_CLASSES[recorded.keyClass].kind === 'diversification' ? recorded.value : undefined;
  }

  /** False when another value stands there already. */
  add(keyId: string, value: string, keyClass: KeyClass): boolean {
    const known = this.#known.get(keyId);
    if (known !== undefined) return known.value === value;
    this.#known.set(keyId, { value, keyClass });
    this.#save();
    return true;
  }

  /** No device holds the key any more. */
  forget(keyId: string): void {
    if (this.#known.delete(keyId)) this.#save();
  }

  #save(): void {
    writeFileAtomic(this.#file, `${JSON.stringify(Object.fromEntries(this.#known))}\n`, 0o600);
  }
}
