import { diversify } from './crypto.js';

/**
 * The virtual factory's master key KMprd. It is published, so cards from here are for tests and demonstrations only; the
 * product can enter it in a token that allows test keys. A card's transport key is this key diversified by its chip serial.
 */
export const FACTORY_KEY = Buffer.from('404142434445464748494A4B4C4D4E4F', 'hex');

export function factoryTransportKey(chipSerial: Buffer): Buffer {
  return diversify(FACTORY_KEY, chipSerial);
}
