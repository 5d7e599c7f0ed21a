import type { Apdu, CardAnswer } from './domain/apdu.js';

/** A card in a reader: commands as bytes, one after the other. Throws PSAM_CARD_GONE and PSAM_CARD_SILENT. */
export abstract class CardChannel {
  abstract transmit(apdu: Apdu): Promise<CardAnswer>;
  /** Resets the card and returns its answer to reset. */
  abstract reset(): Promise<Uint8Array>;
  abstract close(): Promise<void>;
}
