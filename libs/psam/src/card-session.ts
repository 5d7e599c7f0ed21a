import type { CardAuthentication, Hsm, KeyPath, ProtectedKey, ProtectedKeyLoad } from '#libs/hsm';
import { AppError, concatBytes, toHex } from '#libs/platform/domain';
import type { CardChannel } from './card-channel.js';
import { type Apdu, type CardAnswer, CHALLENGE_BYTES, externalAuthenticate, GET_CHALLENGE, secured } from './domain/apdu.js';
import { type LoggedExchange, loggedExchange } from './domain/apdu-log.js';
import type { SlotName } from './domain/card-profile.js';
import type { SecuredCommand } from './domain/key-coordinates.js';
import { OK } from './domain/proof.js';
import type { Step } from './domain/script.js';
import { statusHex, statusText } from './domain/status-words.js';

/** How a key leaves the token for this card: the caller commits the intent before the token is asked. */
export type ReleaseKey = (slot: SlotName, load: ProtectedKeyLoad) => Promise<{ protectedKey: ProtectedKey; loaded: () => Promise<void> }>;

/** One card on one channel, one token that speaks for its keys, and the log of all that was said. */
export class CardSession {
  readonly log: LoggedExchange[] = [];

  constructor(
    private readonly channel: CardChannel,
    private readonly hsm: Hsm,
    private readonly device: string,
  ) {}

  async send(name: string, apdu: Apdu): Promise<CardAnswer> {
    const answer = await this.channel.transmit(apdu);
    this.log.push(loggedExchange(name, apdu, concatBytes(answer.data, Uint8Array.of(answer.sw >> 8, answer.sw & 0xff))));
    return answer;
  }

  /** Like `send`; throws PSAM_CARD_REFUSED unless the card says 9000. */
  async require(name: string, apdu: Apdu): Promise<Uint8Array> {
    const { data, sw } = await this.send(name, apdu);
    if (sw !== OK) throw new AppError('PSAM_CARD_REFUSED', { step: name, sw: statusHex(sw), ...statusText(sw) });
    return data;
  }

  async challenge(name: string): Promise<Uint8Array> {
    const challenge = await this.require(`${name}.challenge`, GET_CHALLENGE);
    if (challenge.length !== CHALLENGE_BYTES) throw new AppError('PSAM_ANSWER_MALFORMED', { step: `${name}.challenge` });
    return challenge;
  }

  async authenticate(name: string, key: KeyPath, keyId: number): Promise<CardAnswer> {
    const item: CardAuthentication = { key, challenge: await this.challenge(name) };
    const [cryptogram] = await this.hsm.authenticateToCard(this.device, [item]);
    return this.send(name, externalAuthenticate(keyId, cryptogram as Uint8Array));
  }

  /** The secured command, bound to a fresh challenge of the card and ready to be sent. */
  async prepare(name: string, command: SecuredCommand): Promise<Apdu> {
    const [mac] = await this.hsm.commandMacs(this.device, [{ ...command, challenge: await this.challenge(name) }]);
    return secured(command.command, command.data, mac as Uint8Array);
  }

  async run(step: Step, release: ReleaseKey): Promise<void> {
    switch (step.kind) {
      case 'send':
        await this.require(step.name, step.apdu);
        return;
      case 'authenticate': {
        const { sw } = await this.authenticate(step.name, step.key, step.keyId);
        if (sw !== OK) throw new AppError('PSAM_CARD_REFUSED', { step: step.name, sw: statusHex(sw), ...statusText(sw) });
        return;
      }
      case 'secured':
        await this.require(step.name, await this.prepare(step.name, step.command));
        return;
      case 'load': {
        const { protectedKey, loaded } = await release(step.slot, { ...step.load, challenge: await this.challenge(step.name) });
        await this.require(step.name, secured(step.load.command, protectedKey.cipher, protectedKey.mac));
        await loaded();
      }
    }
  }
}

const HISTORICAL_MARK = '48554655';

/** Chip serial of a card: the last 8 historical bytes (ISO/IEC 7816-3 8.2) of the built-in profile. PSAM_ATR_UNKNOWN. */
export function chipSerialOf(atr: Uint8Array): string {
  const hex = toHex(atr);
  const matched = /^3B6C0000([0-9A-F]{8})([0-9A-F]{16})$/.exec(hex);
  if (matched?.[1] !== HISTORICAL_MARK) throw new AppError('PSAM_ATR_UNKNOWN', { atr: hex });
  return matched[2] as string;
}
