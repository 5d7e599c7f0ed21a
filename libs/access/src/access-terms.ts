import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { AppError, fromHex, SecretBytes, toHex } from '#libs/platform';
import { SignInConfig } from './sign-in-terms.js';

/** What the app's configuration says about access. */
export const AccessConfig = z.strictObject({
  /** 32 random bytes, 0600: names and identity numbers stand in the journal only as HMAC-SHA-256 under them. */
  nameKeyFile: z.string().min(1),
  /** Hours between the second confirmation of a change and its effect. */
  changeDelayHours: z.int().min(1).max(720).default(24),
  /** Days within which a change must be confirmed. */
  changeDays: z.int().min(1).max(90).default(7),
  /** How far back the acts go that an auditor judges. */
  lookBackDays: z.int().min(1).max(3660).default(365),
  signIn: SignInConfig,
});
export type AccessConfig = z.infer<typeof AccessConfig>;

const NAME_KEY_BYTES = 32;

export class AccessTerms {
  readonly #nameKey: SecretBytes;

  /** Throws CONFIG_INVALID when the key file is missing or not of 32 bytes. */
  constructor(readonly config: AccessConfig) {
    this.#nameKey = new SecretBytes(keyIn(config.nameKeyFile));
  }

  /** The same name gives the same hash; without the key nobody can try names. */
  nameHash(name: string): string {
    return this.hashed('name', name.normalize('NFC'));
  }

  identityHash(identityNumber: string): string {
    return this.hashed('identity', identityNumber);
  }

  /** What stands for the credential of an account that has none: the same at every asking and in every process, so that nobody learns which accounts exist. */
  decoy(operatorId: string): Uint8Array {
    return fromHex(this.hashed('decoy', operatorId));
  }

  private hashed(what: string, text: string): string {
    return this.#nameKey.reveal((key) => toHex(createHmac('sha256', key).update(`hufu/${what}/1\0${text}`).digest()));
  }
}

function keyIn(file: string): Uint8Array {
  const reason = (text: string, cause?: unknown): AppError => new AppError('CONFIG_INVALID', { file, reason: text }, { cause });
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw reason((error as Error).message, error);
  }
  if (bytes.length !== NAME_KEY_BYTES) throw reason(`${NAME_KEY_BYTES} bytes wanted, ${bytes.length} found`);
  return Uint8Array.from(bytes);
}
