import { createPrivateKey, generateKeyPair, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { atHour, type ForeignCa, type Plan, type PlannedRequest, type PrivateKeyLine, type Role } from './plan.js';
import { Random } from './random.js';
import { certificate, certificateRequest, name, type Subject } from './x509.js';

export interface SubjectsOrder {
  readonly out: string;
  readonly seed: string;
  readonly day: string;
  /** Numbers of another series never meet those of this one; 0 to 999. */
  readonly series: number;
  readonly hospitals: number;
  /** How many of the hospitals have RSA-2048 keys. */
  readonly rsa: number;
  readonly terminals: number;
  readonly cards: number;
}

const YEAR_MS = 365 * 86_400_000;
const REGIONS = ['110101', '110102', '110105', '110108', '110112'];
const CITIES = ['东城', '西城', '朝阳', '海淀', '通州'];
const KINDS = ['人民医院', '中医医院', '社区卫生服务中心', '妇幼保健院', '口腔医院'];
const FOREIGN_CERTIFICATES = 4;

/** Key pairs and requests of everybody, the plan of their fates, and two CAs that are not the scheme's. */
export async function makeSubjects(order: SubjectsOrder): Promise<void> {
  const random = new Random(`${order.seed}/subjects`);
  mkdirSync(order.out, { recursive: true, mode: 0o700 });
  const institutions = Array.from({ length: order.hospitals }, (_, i) => institution(order.series, i));
  const terminals = Array.from({ length: order.terminals }, (_, i) => {
    const { code, region } = institutions[i % institutions.length] as Plan['institutions'][number];
    return { number: `${region}${String(order.series * 1_000 + i + 1).padStart(6, '0')}`, institutionCode: code };
  });
  const roles = { card: cardRoles(order.cards), hospital: hospitalRoles(order.hospitals) };
  const numbers = cardNumbers(random, order.series, order.cards);
  const activeFrom = new Date(atHour(order.day, 0) - YEAR_MS).toISOString();
  const cards = numbers.map((number, i) => ({ number, region: REGIONS[i % REGIONS.length] as string, activeFrom }));

  const keys = openSync(join(order.out, 'private-keys.ndjson'), 'w', 0o600);
  const requests = openSync(join(order.out, 'requests.ndjson'), 'w');
  const revocations: { id: string; effectiveAt: string; reason: 'superseded' | 'keyCompromise' | 'cessationOfOperation' }[] = [];
  const cancellations: { cardNumber: string; effectiveAt: string }[] = [];
  const add = (profile: PlannedRequest['profile'], holder: PlannedRequest['holder'], subject: Subject, key: KeyObject, role: Role): void => {
    const id = `${profile}-${holder.id}`;
    const line: PlannedRequest = { id, profile, holder, subject, csr: certificateRequest(subject, key).toString('base64'), ...validity(order.day, role), role };
    writeSync(requests, `${JSON.stringify(line)}\n`);
    writeSync(keys, privateKeyLine(id, key));
    const revokedAt = revocationHour(role, random);
    if (revokedAt !== undefined) {
      const reason = random.pick(['superseded', 'keyCompromise', 'cessationOfOperation'] as const);
      revocations.push({ id, effectiveAt: new Date(atHour(order.day, revokedAt)).toISOString(), reason });
    }
    if (role === 'cancelled') cancellations.push({ cardNumber: holder.id, effectiveAt: new Date(atHour(order.day, random.pick([-48, 12]))).toISOString() });
  };

  const hospitalKeys = await keyPairs(order.hospitals, Math.min(order.rsa, order.hospitals));
  for (const [i, { code, name: commonName }] of institutions.entries()) {
    add('hospital', { kind: 'institution', id: code }, { organisation: commonName, commonName: code }, hospitalKeys[i] as KeyObject, roles.hospital[i] as Role);
  }
  for (const { number } of terminals) {
    add('terminal', { kind: 'terminal', id: number }, { organisation: '结算终端', commonName: number }, p256(), 'plain');
  }
  for (const [i, { number }] of cards.entries()) {
    add('card', { kind: 'card', id: number }, { organisation: '社会保障卡', commonName: number }, p256(), roles.card[i] as Role);
  }
  const foreign = { trusted: foreignCa('trusted', order, random, keys), untrusted: foreignCa('untrusted', order, random, keys) };
  closeSync(keys);
  closeSync(requests);
  chmodSync(join(order.out, 'private-keys.ndjson'), 0o600);
  writeFileSync(join(order.out, 'foreign.json'), `${JSON.stringify(foreign, undefined, 1)}\n`);
  const plan: Plan = { form: 'settlement-day/plan/1', seed: order.seed, day: order.day, institutions, terminals, cards, cancellations, revocations };
  writeFileSync(join(order.out, 'plan.json'), `${JSON.stringify(plan)}\n`);
}

function institution(series: number, i: number): Plan['institutions'][number] {
  const region = REGIONS[i % REGIONS.length] as string;
  const city = CITIES[i % CITIES.length] as string;
  const kind = KINDS[Math.floor(i / CITIES.length) % KINDS.length] as string;
  const number = Math.floor(i / (CITIES.length * KINDS.length)) + 1;
  return { code: `H${region}${base36(series, 2)}${base36(i + 1, 3)}`, name: `${city}区第${number}${kind}`, region };
}

/** One in a hundred is revoked; a few expire, start late or are cancelled. At least one of each, plain ones in between. */
function cardRoles(count: number): Role[] {
  const share = (part: number): number => Math.max(1, Math.round(count * part));
  const special: Role[] = [
    ...repeated('revokedBefore', share(0.004)),
    ...repeated('revokedAtNoon', share(0.003)),
    ...repeated('revokedAfter', share(0.003)),
    ...repeated('expiresAtNoon', share(0.004)),
    ...repeated('validFromNoon', share(0.002)),
    ...repeated('cancelled', share(0.005)),
  ];
  if (special.length + 2 > count) throw new Error(`at least ${special.length + 2} cards are needed`);
  return spread(special, count);
}

function hospitalRoles(count: number): Role[] {
  const special: Role[] = count < 8 ? [] : [...repeated('revokedAtNoon', Math.max(1, Math.round(count * 0.01))), 'expiresAtNoon'];
  return spread(special, count);
}

function spread(special: readonly Role[], count: number): Role[] {
  const roles = repeated('plain', count);
  const step = special.length === 0 ? 1 : Math.floor(count / special.length);
  for (const [i, role] of special.entries()) roles[i * step + Math.floor(step / 2)] = role;
  return roles;
}

function repeated(role: Role, count: number): Role[] {
  return Array.from({ length: count }, () => role);
}

function validity(day: string, role: Role): { notBefore: string; notAfter: string } {
  const noon = atHour(day, 12);
  const notBefore = role === 'validFromNoon' ? noon : noon - YEAR_MS;
  const notAfter = role === 'expiresAtNoon' ? noon : noon + 2 * YEAR_MS;
  return { notBefore: new Date(notBefore).toISOString(), notAfter: new Date(notAfter).toISOString() };
}

/** Hours from the day's midnight; undefined when it is not revoked. */
function revocationHour(role: Role, random: Random): number | undefined {
  if (role === 'revokedBefore') return -random.between(2, 40) * 12;
  if (role === 'revokedAtNoon') return 12;
  return role === 'revokedAfter' ? 24 + random.between(1, 4) : undefined;
}

/** Social-security card numbers: 8 characters and the check character of GB 11714. */
function cardNumbers(random: Random, series: number, count: number): string[] {
  const numbers = new Set<string>();
  while (numbers.size < count) {
    const body = `${base36(series, 2)}${random.digits(6)}`;
    numbers.add(body + checkCharacter(body));
  }
  return [...numbers];
}

function base36(value: number, width: number): string {
  return value.toString(36).toUpperCase().padStart(width, '0');
}

/** GB 11714: weights 3 7 9 10 5 8 4 2, 11 − Σ mod 11, 10 → X, 11 → 0. */
export function checkCharacter(body: string): string {
  const weights = [3, 7, 9, 10, 5, 8, 4, 2];
  const sum = [...body].reduce((total, character, i) => total + Number.parseInt(character, 36) * (weights[i] as number), 0);
  const rest = 11 - (sum % 11);
  return rest === 10 ? 'X' : rest === 11 ? '0' : String(rest);
}

const p256 = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** RSA keys first; they are made side by side, since one takes a tenth of a second. */
async function keyPairs(count: number, rsa: number): Promise<KeyObject[]> {
  const generate = promisify(generateKeyPair);
  const pairs = await Promise.all(Array.from({ length: rsa }, () => generate('rsa', { modulusLength: 2048 })));
  return [...pairs.map((pair) => pair.privateKey), ...Array.from({ length: count - rsa }, p256)];
}

function foreignCa(kind: 'trusted' | 'untrusted', { day, series }: SubjectsOrder, random: Random, keys: number): ForeignCa {
  const caKey = p256();
  const caName = name({ organisation: kind === 'trusted' ? '邻省社会保障卡' : '社会保障卡', commonName: `${kind === 'trusted' ? '邻省签发 CA' : '签发CA'} ${series}` });
  const span = { notBefore: new Date(atHour(day, 12) - YEAR_MS), notAfter: new Date(atHour(day, 12) + 2 * YEAR_MS) };
  const serial = (): string => `4${random.hex(8).slice(1)}`;
  const ca = certificate({ serial: serial(), issuer: caName, issuerKey: caKey, subject: caName, publicKey: caKey, ...span, isCa: true });
  const certificates = Array.from({ length: FOREIGN_CERTIFICATES }, (_, i) => {
    const key = p256();
    writeSync(keys, privateKeyLine(`foreign-${kind}-${i}`, key));
    const subject = name({ organisation: '外省机构', commonName: `F${kind === 'trusted' ? 1 : 2}${i}` });
    return certificate({ serial: serial(), issuer: caName, issuerKey: caKey, subject, publicKey: key, ...span, isCa: false }).toString('base64');
  });
  return { caCertificates: [ca.toString('base64')], certificates };
}

function privateKeyLine(id: string, key: KeyObject): string {
  const line: PrivateKeyLine = { id, key: key.export({ format: 'der', type: 'pkcs8' }).toString('base64') };
  return `${JSON.stringify(line)}\n`;
}

export function readPrivateKey(line: PrivateKeyLine): KeyObject {
  return createPrivateKey({ key: Buffer.from(line.key, 'base64'), format: 'der', type: 'pkcs8' });
}
