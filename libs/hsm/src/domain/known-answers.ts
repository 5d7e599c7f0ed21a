import type { KcvMethod, SymmetricAlgorithm } from './algorithms.js';

/**
 * Published test keys and what comes out of them; hex. The specification, with the source of each figure, is
 * test/vectors/diversification.json; a test compares the two. The agent imports the key, computes inside, destroys it.
 */
export type KnownAnswerVector =
  | { readonly name: string; readonly recipe: 'checkValue'; readonly algorithm: SymmetricAlgorithm; readonly root: string; readonly factors: readonly string[]; readonly method: KcvMethod; readonly expected: string }
  | { readonly name: string; readonly recipe: 'fingerprint'; readonly algorithm: SymmetricAlgorithm; readonly root: string; readonly expected: string }
  | { readonly name: string; readonly recipe: 'protectForCard'; readonly root: string; readonly factors: readonly string[]; readonly controlKey: string; readonly header: string; readonly command: string; readonly challenge: string; readonly expected: string }
  | { readonly name: string; readonly recipe: 'commandMac'; readonly controlKey: string; readonly command: string; readonly data: string; readonly challenge: string; readonly expected: string }
  | { readonly name: string; readonly recipe: 'authenticateToCard'; readonly controlKey: string; readonly challenge: string; readonly expected: string }
  | { readonly name: string; readonly recipe: 'purchaseMac'; readonly root: string; readonly sessionInput: string; readonly data: string; readonly expected: string };

const ROOT = '0123456789ABCDEFFEDCBA9876543210';
const ROOT_2 = '11223344556677888877665544332211';
const AES_ROOT = '00112233445566778899AABBCCDDEEFF';
const CONTROL_KEY = '404142434445464748494A4B4C4D4E4F';
/** "110000sx": the region code and 7378. */
const REGION = '3131303030307378';
const CARD = '1100000000000001';

export const KNOWN_ANSWERS: readonly KnownAnswerVector[] = [
  { name: '3des2.root.zero3', recipe: 'checkValue', algorithm: '3des2', root: ROOT, factors: [], method: 'zero3', expected: '08D7B4' },
  { name: '3des2.region.zero3', recipe: 'checkValue', algorithm: '3des2', root: ROOT, factors: [REGION], method: 'zero3', expected: 'B60822' },
  { name: '3des2.card.zero3', recipe: 'checkValue', algorithm: '3des2', root: ROOT, factors: [REGION, CARD], method: 'zero3', expected: '8133F7' },
  { name: '3des2.root2.zero3', recipe: 'checkValue', algorithm: '3des2', root: ROOT_2, factors: [], method: 'zero3', expected: '491510' },
  { name: '3des2.root2.child.zero3', recipe: 'checkValue', algorithm: '3des2', root: ROOT_2, factors: ['0000000000000001'], method: 'zero3', expected: '865701' },
  { name: '3des2.root.fingerprint', recipe: 'fingerprint', algorithm: '3des2', root: ROOT, expected: 'C1902B171DAE75CC4E0A6D98B706EFD2' },
  { name: 'aes128.root.zero3', recipe: 'checkValue', algorithm: 'aes128', root: AES_ROOT, factors: [], method: 'zero3', expected: 'FDE4FB' },
  { name: 'aes128.root.cmac5', recipe: 'checkValue', algorithm: 'aes128', root: AES_ROOT, factors: [], method: 'cmac5', expected: '53E107B36E' },
  { name: 'aes128.region.zero3', recipe: 'checkValue', algorithm: 'aes128', root: AES_ROOT, factors: [REGION], method: 'zero3', expected: 'F48D74' },
  { name: 'aes128.card.zero3', recipe: 'checkValue', algorithm: 'aes128', root: AES_ROOT, factors: [REGION, CARD], method: 'zero3', expected: '375EBE' },
  { name: 'aes128.card.cmac5', recipe: 'checkValue', algorithm: 'aes128', root: AES_ROOT, factors: [REGION, CARD], method: 'cmac5', expected: '322F9314DB' },
  { name: 'aes128.root.fingerprint', recipe: 'fingerprint', algorithm: 'aes128', root: AES_ROOT, expected: 'BC5E0F66AF92DD32CB6EF1761A7A48F2' },
  {
    name: 'writeKey', recipe: 'protectForCard', root: ROOT, factors: [REGION, CARD], controlKey: CONTROL_KEY, header: '010100080F040F33',
    command: '84D40100', challenge: '5A5B5C5D', expected: '378C1416E470961D6235ED60EBCBA8D32A9585B0B8DA28B9481E25CD171F84F8F52E369A',
  },
  { name: 'terminalNumber.mac', recipe: 'commandMac', controlKey: CONTROL_KEY, command: '04D69600', data: '110000000123', challenge: '5A5B5C5D', expected: '0226B602' },
  { name: 'terminalNumber.mac8', recipe: 'commandMac', controlKey: CONTROL_KEY, command: '04D69600', data: '110000000123', challenge: 'A1A2A3A4A5A6A7A8', expected: '8AC97598' },
  { name: 'externalAuthentication', recipe: 'authenticateToCard', controlKey: '11223344556677881122334455667788', challenge: '0102030405060708', expected: '178F59F8578E0D3F' },
  { name: 'purchase.mac1', recipe: 'purchaseMac', root: ROOT_2, sessionInput: '1122334400000001', data: '000010000600112233445520120229135100', expected: 'F15CAB75' },
  { name: 'purchase.mac2', recipe: 'purchaseMac', root: ROOT_2, sessionInput: '1122334400000001', data: '00001000', expected: '56988A13' },
];

/**
 * The key with which virtual cards leave the factory: the test key that card vendors publish (GlobalPlatform default
 * keys). It is no secret; a device takes it only where the configuration says `testKeys`.
 */
export const TEST_TRANSPORT_KEY = CONTROL_KEY;
