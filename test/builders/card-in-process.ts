import { CardChannel, type Apdu, type CardAnswer } from '#libs/psam';
import type { PsamCard } from '../psam-card/card.js';

/** A virtual card without socket and process, for tests of the rules. */
export class CardInProcess extends CardChannel {
  readonly exchanges: { command: string; response: string }[] = [];

  constructor(private readonly card: PsamCard) {
    super();
  }

  override async transmit(apdu: Apdu): Promise<CardAnswer> {
    const frame = this.card.transmit(Buffer.from(apdu));
    this.exchanges.push({ command: hex(Buffer.from(apdu)), response: hex(frame) });
    return { data: Uint8Array.from(frame.subarray(0, -2)), sw: frame.readUInt16BE(frame.length - 2) };
  }

  override async reset(): Promise<Uint8Array> {
    this.card.reset();
    return Uint8Array.from(this.card.atr);
  }

  override async close(): Promise<void> {}
}

const hex = (bytes: Buffer): string => bytes.toString('hex').toUpperCase();
