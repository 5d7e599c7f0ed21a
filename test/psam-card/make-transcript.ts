import { execFileSync } from 'node:child_process';

/**
 * Computes test/vectors/psam-transcript.json: one whole personalisation of one card, byte by byte, from the published test
 * keys below. It shares nothing with the card or the product: every cipher is the `openssl` program, and each rule is
 * written out again from PBOC 2.0 part 2 (diversification, secure messaging, purchase).
 * Run: node dist/test/psam-card/make-transcript.js > test/vectors/psam-transcript.json
 */
interface Exchange {
  readonly name: string;
  readonly command: string;
  readonly response: string;
}

const openssl = (key16: string, data: string): string =>
  execFileSync('openssl', ['enc', '-des-ede', '-nopad', '-K', key16], { input: Buffer.from(data, 'hex') }).toString('hex').toUpperCase();
const opensslOpen = (key16: string, data: string): string =>
  execFileSync('openssl', ['enc', '-d', '-des-ede', '-nopad', '-K', key16], { input: Buffer.from(data, 'hex') }).toString('hex').toUpperCase();

const hex = (value: bigint | number, bytes: number): string => value.toString(16).toUpperCase().padStart(bytes * 2, '0');
const xor = (a: string, b: string): string => hex(BigInt(`0x${a}`) ^ BigInt(`0x${b}`), 8);
const inverse = (block: string): string => xor(block, 'FFFFFFFFFFFFFFFF');
const padded = (data: string): string => {
  const marked = `${data}80`;
  return marked.padEnd(Math.ceil(marked.length / 16) * 16, '0');
};

/** Child of each factor in turn, from the top. */
const child = (root: string, ...factors: string[]): string =>
  factors.reduce((key, factor) => openssl(key, factor) + openssl(key, inverse(factor)), root);

function retailMac(key16: string, initial: string, data: string): string {
  const left = key16.slice(0, 16).repeat(2);
  const right = key16.slice(16).repeat(2);
  let chain = initial.padEnd(16, '0');
  for (const block of padded(data).match(/.{16}/g) as string[]) chain = openssl(left, xor(chain, block));
  return openssl(left, opensslOpen(right, chain)).slice(0, 8);
}

function desMac(key8: string, data: string): string {
  let chain = '0'.repeat(16);
  for (const block of padded(data).match(/.{16}/g) as string[]) chain = openssl(key8.repeat(2), xor(chain, block));
  return chain.slice(0, 8);
}

const roots = {
  transport: '404142434445464748494A4B4C4D4E4F',
  control: '0123456789ABCDEFFEDCBA9876543210',
  maintenance: '11223344556677888877665544332211',
  purchase: '112233445566778899AABBCCDDEEFF00',
  data: '5775204D69616F6A756E404726444311',
};
const card = {
  chipSerial: '4855465500000001',
  psamSerial: '11000000000000000001',
  terminalNumber: '110000000123',
  regionFactor: '3131303030307378',
  masterFileFactor: Buffer.from('3F00file', 'ascii').toString('hex').toUpperCase(),
  applicationFactor: Buffer.from('DF01file', 'ascii').toString('hex').toUpperCase(),
  issuerId: '3131303030307378',
  recipientId: Buffer.from('ITAL0001', 'ascii').toString('hex').toUpperCase(),
  startDate: '20260101',
  expiryDate: '20351231',
  testFactor: Buffer.from('hufutest', 'ascii').toString('hex').toUpperCase(),
};
const serialFactor = card.psamSerial.slice(-16);

const keys = {
  transport: child(roots.transport, card.chipSerial),
  cardControl: child(roots.control, card.regionFactor, serialFactor, card.masterFileFactor),
  cardMaintenance: child(roots.maintenance, card.regionFactor, serialFactor, card.masterFileFactor),
  applicationControl: child(roots.control, card.regionFactor, serialFactor, card.applicationFactor),
  applicationMaintenance: child(roots.maintenance, card.regionFactor, serialFactor, card.applicationFactor),
  purchase: child(roots.purchase, card.regionFactor),
  data: child(roots.data, card.regionFactor),
};

const exchanges: Exchange[] = [];
let challenges = 0;

const say = (name: string, command: string, response = '9000'): void => void exchanges.push({ name, command, response });
function challenge(name: string): string {
  const value = hex(0xc1c2c3c4c5c6c700n + BigInt(++challenges), 8);
  say(`${name}.challenge`, '0084000008', `${value}9000`);
  return value;
}
function authenticate(name: string, key: string): void {
  const value = challenge(name);
  say(name, `0082000008${openssl(key, value)}`);
}
function secured(name: string, key: string, head: string, data: string): void {
  const value = challenge(name);
  const start = `${head}${hex(data.length / 2 + 4, 1)}${data}`;
  say(name, `${start}${retailMac(key, value, start)}`);
}
function load(name: string, control: string, key: string, id: string, header: string): void {
  secured(name, control, `84D401${id}`, openssl(control, padded(`18${header}${key}`)));
}
const createFile = (name: string, key: string, fid: string, size: number, updateAccess: string): void =>
  secured(name, key, '84800000', `${fid}31${hex(size, 2)}00${updateAccess}FF`);

authenticate('authenticate.transport', keys.transport);
load('load.cardControl', keys.transport, keys.cardControl, '00', '000100080F040F33');
load('load.cardMaintenance', keys.cardControl, keys.cardMaintenance, '00', '010100080F040F33');
createFile('create.0015', keys.cardControl, '0015', 14, '02');
createFile('create.0016', keys.cardControl, '0016', 6, 'FF');
secured('write.0015', keys.cardMaintenance, '04D69500', `${card.psamSerial}01010100`);
secured('write.0016', keys.cardMaintenance, '04D69600', card.terminalNumber);
secured('create.application', keys.cardControl, '84800000', `DF012004000F0F06${'D15600000590'.padEnd(32, 'F')}${'FF'.repeat(18)}`);
say('select.application', '00A4000002DF01', '6F088406D156000005909000');
load('load.applicationControl', keys.cardControl, keys.applicationControl, '00', '000100080F040F33');
load('load.applicationMaintenance', keys.applicationControl, keys.applicationMaintenance, '00', '010100080F040F33');
load('load.purchase', keys.applicationControl, keys.purchase, '01', '220100080F040F33');
load('load.data', keys.applicationControl, keys.data, '01', '280100080F040F33');
createFile('create.0017', keys.applicationControl, '0017', 25, '02');
createFile('create.0018', keys.applicationControl, '0018', 4, 'FF');
secured('write.0017', keys.applicationMaintenance, '04D69700', `01${card.issuerId}${card.recipientId}${card.startDate}${card.expiryDate}`);
secured('endIssue.application', keys.applicationControl, '841C0000', '');
say('select.masterFile', '00A40000023F00', '6F10840E315041592E5359532E44444630319000');
secured('endIssue.masterFile', keys.cardControl, '841C0000', '');

say('select.application', '00A4000002DF01', '6F088406D156000005909000');
say('data.init', `801A280108${card.testFactor}`);
say('data.crypt', `80FA000008${'00'.repeat(8)}`, `${openssl(child(keys.data, card.testFactor), '0'.repeat(16))}9000`);
const purchase = { random: '11223344', cardSequence: '0001', amount: '00001388', type: '06', date: '20260102', time: '030405' };
const sessionKey = openssl(child(keys.purchase, card.testFactor), `${purchase.random}${purchase.cardSequence}0001`);
const mac1 = desMac(sessionKey, `${purchase.amount}${purchase.type}${card.terminalNumber}${purchase.date}${purchase.time}`);
const purchaseData = `${purchase.random}${purchase.cardSequence}${purchase.amount}${purchase.type}${purchase.date}${purchase.time}0100${card.testFactor}`;
say('purchase.init', `807000001C${purchaseData}`, `00000001${mac1}9000`);
say('purchase.credit', `8072000004${desMac(sessionKey, purchase.amount)}`);

const source = 'computed with the openssl program by test/psam-card/make-transcript.ts from the published test keys in `roots`; rules: PBOC 2.0 part 2';
process.stdout.write(`${JSON.stringify({ source, roots, card, keys, purchase, exchanges }, null, 2)}\n`);
