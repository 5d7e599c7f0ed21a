import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { writeFileAtomic } from '#libs/platform/host';

/**
 *   made      the token was made here with this PIN
 *   unproven  never used
 *   tried     given to the token; nobody has said yet what it answered
 *   proven    the token took it
 */
const Known = z.strictObject({
  /** Of the file, not of the PIN: another file is another PIN. */
  identity: z.string(),
  pinId: z.string().regex(/^[0-9A-F]{32}$/),
  state: z.enum(['made', 'unproven', 'tried', 'proven']),
  tokenSerial: z.string(),
  /** The service knows how it ended. */
  told: z.boolean(),
});
type Known = z.infer<typeof Known>;

/**
 * What this host knows of the PIN in one device's PIN file: a random id and whether the token has taken it, never anything
 * computed from the PIN. A token locks after a few wrong PINs, whichever host sends them, so a PIN that is not proven here is
 * only tried with the leave of the service, which knows of all hosts.
 */
export class PinRecord {
  constructor(
    private readonly file: string,
    private readonly pinFile: string,
  ) {}

  get pinId(): string {
    return this.#known().pinId;
  }

  /** It was given to a token, and the answer is not known. */
  get isTried(): boolean {
    return this.#known().state === 'tried';
  }

  /** The token that it was given to, while the service does not know how that ended. */
  get untold(): string | undefined {
    const { told, tokenSerial } = this.#known();
    return told ? undefined : tokenSerial;
  }

  isProven(tokenSerial: string): boolean {
    const known = this.#known();
    return known.state === 'made' || (known.state === 'proven' && known.tokenSerial === tokenSerial);
  }

  /** The token was made with it on this host. Once: a PIN file that is replaced later is another PIN. */
  made(): void {
    if (!existsSync(this.file)) this.#write({ ...this.#fresh(), state: 'made' });
  }

  /** On disk before the token hears of it. */
  trying(tokenSerial: string): void {
    this.#write({ ...this.#known(), state: 'tried', tokenSerial, told: false });
  }

  proved(tokenSerial: string): void {
    if (!this.isProven(tokenSerial)) this.#write({ ...this.#known(), state: 'proven', tokenSerial });
  }

  told(): void {
    this.#write({ ...this.#known(), told: true });
  }

  #known(): Known {
    const identity = identityOf(this.pinFile);
    const known = this.#read();
    return known?.identity === identity ? known : this.#write(this.#fresh());
  }

  /** A record that cannot be read proves nothing: the PIN is a new one, and waits for its leave. */
  #read(): Known | undefined {
    if (!existsSync(this.file)) return undefined;
    try {
      return Known.safeParse(JSON.parse(readFileSync(this.file, 'utf8'))).data;
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  #fresh(): Known {
    return { identity: identityOf(this.pinFile), pinId: randomBytes(16).toString('hex').toUpperCase(), state: 'unproven', tokenSerial: '', told: true };
  }

  #write(known: Known): Known {
    writeFileAtomic(this.file, `${JSON.stringify(known)}\n`, 0o600);
    return known;
  }
}

/** A file that was written anew has another time; one that was restored from a backup has not (archives keep whole seconds). */
function identityOf(file: string): string {
  if (!existsSync(file)) return 'absent';
  const { mtimeMs, size } = statSync(file);
  return [Math.floor(mtimeMs / 1000), size].join(':');
}
