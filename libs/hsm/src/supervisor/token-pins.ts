import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { toHex } from '#libs/platform/domain';
import { writeFileAtomic, zodReason } from '#libs/platform/host';
import { identityHolds, type IdentityProof } from '../domain/token-identity.js';

const hex = z.string().regex(/^([0-9A-F]{2})*$/);
const Pin = z.strictObject({
  serial: z.string(),
  /** SubjectPublicKeyInfo of the token's own pair; absent where the profile has none. */
  identity: hex.optional(),
  /** CKA_IDs of keys that it held. */
  keys: z.array(hex),
});
type Pin = z.infer<typeof Pin>;

/** So many keys tell a token from another; more would only make the file long. */
const KEYS_MOST = 256;
/** Objects without CKA_ID are the device's own. */
const isKey = (keyId: string): boolean => keyId !== '';

/** What the token at a device shows at one login. */
export interface Shown {
  readonly serial: string;
  /** The token's answer to `nonce`; undefined where it gave none. */
  readonly proof: IdentityProof | undefined;
  readonly nonce: Uint8Array;
}

export interface Expectations {
  /** The profile says that the token has a pair of its own. */
  readonly identity: boolean;
  /** The profile says that no two tokens have the same serial number. */
  readonly uniqueSerial: boolean;
}

/**
 * Which token each device is: serial number, identity key and keys, written down at its first login on this host and compared at each
 * later one. A label or a slot proves nothing: whoever puts another token there, or a copy of a sibling's, gets no requests. Only
 * somebody on this host takes a pin away, by removing its file. Faults are texts for the device's state, undefined = none.
 */
export class TokenPins {
  readonly #folder: string;

  constructor(
    stateDir: string,
    private readonly devices: readonly string[],
  ) {
    this.#folder = join(stateDir, 'devices');
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
  }

  fileOf(device: string): string {
    return join(this.#folder, `${device}.token.json`);
  }

  /** Before the PIN is given: a look-alike must not learn it. */
  serialFault(device: string, serial: string, { uniqueSerial }: Expectations): string | undefined {
    const pin = this.#read(device);
    if (pin !== undefined && pin.serial !== serial) return `serial number ${serial}, pinned ${pin.serial}`;
    const twin = uniqueSerial ? this.#other(device, (each) => each.serial === serial) : undefined;
    return twin === undefined ? undefined : `serial number ${serial} is that of ${twin}`;
  }

  /** After the login: the token has to prove that it holds the pinned identity key. */
  identityFault(device: string, { proof, nonce }: Shown, expected: Expectations): string | undefined {
    if (!expected.identity) return undefined;
    if (proof === undefined) return 'no identity key';
    if (!identityHolds(proof, nonce)) return 'identity not proven';
    const identity = toHex(proof.spki);
    const pinned = this.#read(device)?.identity;
    if (pinned !== undefined && pinned !== identity) return 'another identity key';
    const twin = this.#other(device, (each) => each.identity === identity);
    return twin === undefined ? undefined : `the identity key is that of ${twin}`;
  }

  /** Of the keys that it held, not one is left: another token, or one that was zeroised. */
  keysFault(device: string, keys: ReadonlySet<string>): string | undefined {
    const known = this.#read(device)?.keys ?? [];
    return known.length === 0 || known.some((keyId) => keys.has(keyId)) ? undefined : `none of its ${known.length} keys`;
  }

  /** The token is the right one, or the first: what it is counts from now on. Returns whether it is the first. */
  take(device: string, { serial, proof }: Shown, keys: ReadonlySet<string>): boolean {
    const before = this.#read(device);
    const identity = before?.identity ?? (proof === undefined ? undefined : toHex(proof.spki));
    this.#write(device, { serial, ...(identity === undefined ? {} : { identity }), keys: [...keys].filter(isKey).sort().slice(0, KEYS_MOST) });
    return before === undefined;
  }

  /** A key that it makes or takes in is one that it is known by from then on. */
  holds(device: string, keyId: string): void {
    const pin = this.#read(device);
    if (pin !== undefined && pin.keys.length < KEYS_MOST && !pin.keys.includes(keyId)) this.#write(device, { ...pin, keys: [...pin.keys, keyId].sort() });
  }

  /** It destroyed the key by order. */
  destroyed(device: string, keyId: string): void {
    const pin = this.#read(device);
    if (pin?.keys.includes(keyId) === true) this.#write(device, { ...pin, keys: pin.keys.filter((each) => each !== keyId) });
  }

  #other(device: string, is: (pin: Pin) => boolean): string | undefined {
    return this.devices.find((each) => {
      const pin = each === device ? undefined : this.#read(each);
      return pin !== undefined && is(pin);
    });
  }

  /** A pin that cannot be read refuses the device: it must not be forgotten by damaging it. */
  #read(device: string): Pin | undefined {
    const file = this.fileOf(device);
    if (!existsSync(file)) return undefined;
    const parsed = Pin.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    if (!parsed.success) throw new Error(`${file}: ${zodReason(parsed.error)}`);
    return parsed.data;
  }

  #write(device: string, pin: Pin): void {
    writeFileAtomic(this.fileOf(device), `${JSON.stringify(pin)}\n`, 0o600);
  }
}
