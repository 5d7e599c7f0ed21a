import type { KcvMethod, Sm4SessionForm, SymmetricAlgorithm } from './algorithms.js';

/**
 * Published test keys and what comes out of them; hex. The specification, with the source of each figure, is
 * test/vectors/diversification.json; a test compares the two. The agent imports the keys, computes inside, destroys them.
 * `root` and `factors` lead to a key, `cardKey` is a card's key as it is.
 */
export type KnownAnswerVector = { readonly name: string; readonly algorithm: SymmetricAlgorithm; readonly expected: string } & (
  | ({ readonly recipe: 'checkValues'; readonly method: KcvMethod; readonly cardKey?: undefined } & Path)
  | { readonly recipe: 'fingerprints'; readonly root: string; readonly cardKey?: undefined }
  | ({ readonly recipe: 'protectForCard'; readonly cardKey: string; readonly header: string; readonly command: string; readonly challenge: string } & Path)
  | { readonly recipe: 'commandMacs'; readonly cardKey: string; readonly command: string; readonly data: string; readonly challenge: string; readonly root?: undefined }
  | { readonly recipe: 'authenticateToCard'; readonly cardKey: string; readonly challenge: string; readonly root?: undefined }
  | ({ readonly recipe: 'purchaseMacs'; readonly sessionInput: string; readonly sm4Session?: Sm4SessionForm; readonly data: string; readonly cardKey?: undefined } & Path)
  | ({ readonly recipe: 'tacs'; readonly data: string; readonly cardKey?: undefined } & Path)
);

interface Path {
  readonly root: string;
  readonly factors: readonly string[];
}

const ROOT = '0123456789ABCDEFFEDCBA9876543210';
const ROOT_2 = '11223344556677888877665544332211';
const AES_ROOT = '00112233445566778899AABBCCDDEEFF';
const CARD_KEY = '404142434445464748494A4B4C4D4E4F';
const CARD_KEY_2 = '11223344556677881122334455667788';
/** "110000sx": the region code and 7378. */
const REGION = '3131303030307378';
const CARD = '1100000000000001';
/** rnd4 ‖ cardSeq2 ‖ low two bytes of termSeq4. */
const SESSION = '1122334400010005';

export const KNOWN_ANSWERS: readonly KnownAnswerVector[] = [
  { name: '3des2.root.zero3', recipe: 'checkValues', algorithm: '3des2', root: ROOT, factors: [], method: 'zero3', expected: '08D7B4' },
  { name: '3des2.region.zero3', recipe: 'checkValues', algorithm: '3des2', root: ROOT, factors: [REGION], method: 'zero3', expected: 'B60822' },
  { name: '3des2.card.zero3', recipe: 'checkValues', algorithm: '3des2', root: ROOT, factors: [REGION, CARD], method: 'zero3', expected: '8133F7' },
  { name: '3des2.root2.zero3', recipe: 'checkValues', algorithm: '3des2', root: ROOT_2, factors: [], method: 'zero3', expected: '491510' },
  { name: '3des2.root2.child.zero3', recipe: 'checkValues', algorithm: '3des2', root: ROOT_2, factors: ['0000000000000001'], method: 'zero3', expected: '865701' },
  { name: '3des2.root.fingerprint', recipe: 'fingerprints', algorithm: '3des2', root: ROOT, expected: 'C1902B171DAE75CC4E0A6D98B706EFD2' },
  { name: 'aes128.root.zero3', recipe: 'checkValues', algorithm: 'aes128', root: AES_ROOT, factors: [], method: 'zero3', expected: 'FDE4FB' },
  { name: 'aes128.root.cmac5', recipe: 'checkValues', algorithm: 'aes128', root: AES_ROOT, factors: [], method: 'cmac5', expected: '53E107B36E' },
  { name: 'aes128.region.zero3', recipe: 'checkValues', algorithm: 'aes128', root: AES_ROOT, factors: [REGION], method: 'zero3', expected: 'F48D74' },
  { name: 'aes128.card.zero3', recipe: 'checkValues', algorithm: 'aes128', root: AES_ROOT, factors: [REGION, CARD], method: 'zero3', expected: '375EBE' },
  { name: 'aes128.card.cmac5', recipe: 'checkValues', algorithm: 'aes128', root: AES_ROOT, factors: [REGION, CARD], method: 'cmac5', expected: '322F9314DB' },
  { name: 'aes128.root.fingerprint', recipe: 'fingerprints', algorithm: 'aes128', root: AES_ROOT, expected: 'BC5E0F66AF92DD32CB6EF1761A7A48F2' },
  {
    name: 'writeKey', recipe: 'protectForCard', algorithm: '3des2', root: ROOT, factors: [REGION, CARD], cardKey: CARD_KEY, header: '010100080F040F33',
    command: '84D40100', challenge: '5A5B5C5D', expected: '378C1416E470961D6235ED60EBCBA8D32A9585B0B8DA28B9481E25CD171F84F8F52E369A',
  },
  {
    name: 'terminalNumber.mac', recipe: 'commandMacs', algorithm: '3des2', cardKey: CARD_KEY, command: '04D69600', data: '110000000123',
    challenge: '5A5B5C5D', expected: '0226B602',
  },
  {
    name: 'terminalNumber.mac8', recipe: 'commandMacs', algorithm: '3des2', cardKey: CARD_KEY, command: '04D69600', data: '110000000123',
    challenge: 'A1A2A3A4A5A6A7A8', expected: '8AC97598',
  },
  { name: 'externalAuthentication', recipe: 'authenticateToCard', algorithm: '3des2', cardKey: CARD_KEY_2, challenge: '0102030405060708', expected: '178F59F8578E0D3F' },
  {
    name: 'purchase.mac1', recipe: 'purchaseMacs', algorithm: '3des2', root: ROOT_2, factors: [], sessionInput: '1122334400000001',
    data: '000010000600112233445520120229135100', expected: 'F15CAB75',
  },
  { name: 'purchase.mac2', recipe: 'purchaseMacs', algorithm: '3des2', root: ROOT_2, factors: [], sessionInput: '1122334400000001', data: '00001000', expected: '56988A13' },
  { name: '3des2.root.zero4', recipe: 'checkValues', algorithm: '3des2', root: ROOT, factors: [], method: 'zero4', expected: '08D7B4FB' },
  { name: 'sm4.root.zero3', recipe: 'checkValues', algorithm: 'sm4', root: ROOT, factors: [], method: 'zero3', expected: '2677F4' },
  { name: 'sm4.region.zero3', recipe: 'checkValues', algorithm: 'sm4', root: ROOT, factors: [REGION], method: 'zero3', expected: 'F28A06' },
  { name: 'sm4.card.zero3', recipe: 'checkValues', algorithm: 'sm4', root: ROOT, factors: [REGION, CARD], method: 'zero3', expected: 'AC3A4A' },
  { name: 'sm4.root.fingerprint', recipe: 'fingerprints', algorithm: 'sm4', root: ROOT, expected: '3F5AFE73E5590A6F71B4D8BB32C9BA8D' },
  {
    name: 'sm4.writeKey', recipe: 'protectForCard', algorithm: 'sm4', root: ROOT, factors: [REGION, CARD], cardKey: CARD_KEY, header: '010100080F040F33',
    command: '84D40100', challenge: '5A5B5C5D', expected: 'A4C33FDAD20CB3684B9092CEAB72BCB92EBB8075FAE5F1BDBCDC29225CA15020FB54943C',
  },
  {
    name: 'sm4.terminalNumber.mac', recipe: 'commandMacs', algorithm: 'sm4', cardKey: CARD_KEY, command: '04D69600', data: '110000000123',
    challenge: '5A5B5C5D', expected: '9BE71B51',
  },
  {
    name: 'sm4.terminalNumber.mac16', recipe: 'commandMacs', algorithm: 'sm4', cardKey: CARD_KEY, command: '04D69600', data: '110000000123',
    challenge: 'A1A2A3A4A5A6A7A8A9AAABACADAEAFB0', expected: 'ADBD8496',
  },
  {
    name: 'sm4.externalAuthentication', recipe: 'authenticateToCard', algorithm: 'sm4', cardKey: CARD_KEY_2,
    challenge: '0102030405060708090A0B0C0D0E0F10', expected: 'D268FD709F8A4D31',
  },
  { name: 'sm4.externalAuthentication8', recipe: 'authenticateToCard', algorithm: 'sm4', cardKey: CARD_KEY_2, challenge: '0102030405060708', expected: '9785EBD0CF427122' },
  {
    name: 'purchase.chain.mac1', recipe: 'purchaseMacs', algorithm: '3des2', root: ROOT, factors: [REGION, CARD], sessionInput: SESSION,
    data: '000013880611000000012320210915143000', expected: '94647FA4',
  },
  { name: 'purchase.chain.mac2', recipe: 'purchaseMacs', algorithm: '3des2', root: ROOT, factors: [REGION, CARD], sessionInput: SESSION, data: '00001388', expected: 'A0F25ECA' },
  {
    name: 'sm4.purchase.complement.mac1', recipe: 'purchaseMacs', algorithm: 'sm4', root: ROOT, factors: [REGION, CARD], sessionInput: SESSION,
    sm4Session: 'complement', data: '000013880611000000012320210915143000', expected: 'C9FD928E',
  },
  {
    name: 'sm4.purchase.complement.mac2', recipe: 'purchaseMacs', algorithm: 'sm4', root: ROOT, factors: [REGION, CARD], sessionInput: SESSION,
    sm4Session: 'complement', data: '00001388', expected: '37CE461D',
  },
  {
    name: 'sm4.purchase.zeros.mac1', recipe: 'purchaseMacs', algorithm: 'sm4', root: ROOT, factors: [REGION, CARD], sessionInput: SESSION,
    sm4Session: 'zeros', data: '000013880611000000012320210915143000', expected: '20C01054',
  },
  {
    name: 'sm4.purchase.zeros.mac2', recipe: 'purchaseMacs', algorithm: 'sm4', root: ROOT, factors: [REGION, CARD], sessionInput: SESSION,
    sm4Session: 'zeros', data: '00001388', expected: '0A26DBA4',
  },
  { name: 'tac', recipe: 'tacs', algorithm: '3des2', root: ROOT, factors: [CARD], data: '00001388061100000001230000000520210915143000', expected: '94C11A9F' },
  { name: 'sm4.tac', recipe: 'tacs', algorithm: 'sm4', root: ROOT, factors: [CARD], data: '00001388061100000001230000000520210915143000', expected: '218CFC7C' },
];

/**
 * The key with which virtual cards leave the factory: the test key that card vendors publish (GlobalPlatform default
 * keys). It is no secret; a device takes it only where the configuration says `testKeys`.
 */
export const TEST_TRANSPORT_KEY = CARD_KEY;
