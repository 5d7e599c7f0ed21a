/** `cleared`: an operator has looked at the token and says that it may be tried again. */
export type PinLoginState = 'attempting' | 'accepted' | 'refused' | 'cleared';

/** The last thing known of logins to a token, whichever host they came from. */
export interface PinLogin {
  readonly tokenSerial: string;
  readonly device: string;
  readonly pinId: string;
  readonly state: PinLoginState;
}

/** What a host says of the PIN in its file (the HSM room's PinQuestion). */
export interface PinAsked {
  readonly pinId: string;
  readonly state: 'awaited' | 'tried' | 'accepted' | 'refused';
}

export interface PinDecision {
  /** Written down before the answer goes out. */
  readonly record?: 'attempting' | 'accepted' | 'refused';
  /** None: the host waits, since another one is at it. */
  readonly answer?: 'leave' | 'latched' | 'noted';
}

/**
 * One host at a time tries an unproven PIN on a token, and after a refusal nobody does until an operator has cleared it: tokens
 * lock after a few wrong PINs, and every host with the same wrong file would use one up.
 */
export function decidePin({ state, pinId }: PinAsked, last: Pick<PinLogin, 'state' | 'pinId'> | undefined): PinDecision {
  const isOwnAttempt = last?.state === 'attempting' && last.pinId === pinId;
  switch (state) {
    case 'accepted':
      return isOwnAttempt ? { record: 'accepted', answer: 'noted' } : { answer: 'noted' };
    case 'refused':
      return last?.state === 'refused' ? { answer: 'noted' } : { record: 'refused', answer: 'noted' };
    case 'awaited':
      if (last?.state === 'refused') return { answer: 'latched' };
      if (isOwnAttempt) return { answer: 'leave' };
      return last?.state === 'attempting' ? {} : { record: 'attempting', answer: 'leave' };
    case 'tried':
      // What it answered is lost: taken for a refusal, since one more try may be the last.
      if (last?.state === 'cleared') return { record: 'attempting', answer: 'leave' };
      if (last?.state === 'refused') return { answer: 'latched' };
      return last?.state === 'attempting' && !isOwnAttempt ? {} : { record: 'refused', answer: 'latched' };
  }
}
