import { UserToken, type UserTokenPlace } from '#libs/hsm/token';
import type { SecretBytes } from '#libs/platform/domain';
import type { UkeyDriver, UkeyKey } from './ukey-driver.js';

const ALGORITHMS = { p256: 'p256Sha256', sm2: 'sm2Sm3' } as const;

/** A UKey behind its vendor's PKCS#11 module, which is loaded at the first question: the key may be plugged in later. */
export class Pkcs11Driver implements UkeyDriver {
  #token: UserToken | undefined;

  constructor(private readonly place: UserTokenPlace) {}

  async keys(): Promise<UkeyKey[]> {
    const { serial, pin, keys } = this.token().keys();
    return keys.map(({ keyDigest, algorithm, spki, label }) => ({ keyDigest, algorithm: ALGORITHMS[algorithm], publicKey: spki, label, tokenSerial: serial, pin }));
  }

  async sign(keyDigest: string, bytes: Uint8Array, pin: SecretBytes): Promise<Uint8Array> {
    return this.token().sign(keyDigest, bytes, pin);
  }

  private token(): UserToken {
    return (this.#token ??= UserToken.open(this.place));
  }
}
