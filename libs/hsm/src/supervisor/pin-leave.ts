import { AppError } from '#libs/platform/domain';
import type { PinAnswer, PinQuestion } from '../domain/pin-question.js';
import type { PinRecord } from './pin-record.js';

/** What the device does next. */
export type PinStep = 'logIn' | 'latch' | 'none';

/**
 * The conversation about one device's PIN with whoever knows of all hosts: a PIN that this token has taken before needs no leave, any
 * other waits for one, and what the token said to it is told until it is noted, also after a restart.
 */
export class PinLeave {
  #question: PinQuestion | undefined;

  constructor(
    private readonly device: string,
    private readonly record: PinRecord,
  ) {}

  get question(): PinQuestion | undefined {
    return this.#question;
  }

  /** A token stands there and nobody has logged in: whether the PIN may be given at once. */
  found(tokenSerial: string): boolean {
    if (this.record.isProven(tokenSerial)) return true;
    this.#question = { device: this.device, tokenSerial, pinId: this.record.pinId, state: this.record.isTried ? 'tried' : 'awaited' };
    return false;
  }

  /** What the service says to `question`. Throws HSM_REFUSED for what is no answer to it. `waits`: the token still stands there. */
  answer(answer: PinAnswer, waits: boolean): PinStep {
    const asked = this.#question;
    if (asked === undefined) return 'none';
    const isOutcome = asked.state === 'accepted' || asked.state === 'refused';
    if (isOutcome !== (answer === 'noted')) throw new AppError('HSM_REFUSED', { reason: `${answer} is no answer to ${asked.state}` });
    if (isOutcome) this.record.told();
    if (isOutcome || answer === 'latched') {
      this.#question = undefined;
      return isOutcome ? 'none' : 'latch';
    }
    if (!waits) return 'none';
    // Written down first: a crash after this line must not lead to a second try.
    this.record.trying(asked.tokenSerial);
    this.#question = { ...asked, state: 'tried' };
    return 'logIn';
  }

  proved(tokenSerial: string): void {
    this.record.proved(tokenSerial);
    this.tell('accepted');
  }

  /** What the token said to a PIN that the service gave leave for, until the service knows. */
  tell(state: 'accepted' | 'refused'): void {
    const tokenSerial = this.record.untold;
    this.#question = tokenSerial === undefined ? undefined : { device: this.device, tokenSerial, pinId: this.record.pinId, state };
  }
}
