import { AppError } from './app-error.js';

const REDACTED = '[redacted]';

/** Bytes that must not be printed. Every way of turning it into text gives `[redacted]`; `zero()` wipes it. */
export class SecretBytes {
  #bytes: Uint8Array | undefined;

  /** Takes ownership: the caller must not keep another view of `bytes`. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Runs `use` over the bytes; they must not outlive the call. */
  reveal<T>(use: (bytes: Uint8Array) => T): T {
    if (this.#bytes === undefined) throw new AppError('SECRET_ALREADY_ZEROED');
    return use(this.#bytes);
  }

  zero(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED;
  }
}
