import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { DataSource } from 'typeorm';
import { type DeviceConfig, Hsm, HsmModule } from '#libs/hsm';
import { Keys, KeysModule } from '#libs/keys';
import { Organisations, OrganisationsModule } from '#libs/organisations';
import { Clock, FixedClock, openDataSource, PlatformModule } from '#libs/platform';
import { toHex } from '#libs/platform/domain';
import { type RunningJournal, startRunningJournal } from '../../../test/env/running-journal.js';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { startTestCard, type TestCard, type TestCardOptions } from '../../../test/env/test-card.js';
import { startTestHsm, testDevices, type TestHsm } from '../../../test/env/test-hsm.js';
import type { Apdu, CardAnswer } from './domain/apdu.js';
import { CardChannel, type PersonalisationResult, Psam, type PsamKeySet, PsamModule, type PsamOrder, SocketCardChannel } from './index.js';

const DEVICE = 'diversification-1';
const SIBLING = 'diversification-2';
const INSTITUTION = 'HOSPITAL0001';
const chip = (n: number): string => `48554655${n.toString(16).toUpperCase().padStart(8, '0')}`;
const terminal = (n: number): string => `110000${n.toString().padStart(6, '0')}`;

/** The embedded tokens and a second one for cards. */
function withSibling(dir: string): DeviceConfig[] {
  const devices = testDevices(dir);
  const first = devices.find(({ device }) => device === DEVICE) as DeviceConfig;
  return [...devices, { ...first, device: SIBLING, tokenDir: join(dir, 'tokens', SIBLING), pinFile: join(dir, 'pins', SIBLING) }];
}

/** Runs `before` when a command that matches goes by: a test's hand at the reader. */
class Watched extends CardChannel {
  constructor(private readonly inner: CardChannel, private readonly matches: (apdu: Apdu) => boolean, private readonly before: () => Promise<void>) {
    super();
  }
  override async transmit(apdu: Apdu): Promise<CardAnswer> {
    if (this.matches(apdu)) await this.before();
    return this.inner.transmit(apdu);
  }
  override reset(): Promise<Uint8Array> {
    return this.inner.reset();
  }
  override close(): Promise<void> {
    return this.inner.close();
  }
}

/** The n-th WRITE KEY, counted from 1. */
function nthLoad(n: number): (apdu: Apdu) => boolean {
  let seen = 0;
  return (apdu) => apdu[0] === 0x84 && apdu[1] === 0xd4 && ++seen === n;
}

describe('PSAM room with real tokens, database and card processes', () => {
  let database: TestDatabase;
  let token: TestHsm;
  let app: TestingModule;
  let log: RunningJournal;
  let owner: DataSource;
  let psam: Psam;
  let keySet: PsamKeySet;
  const clock = new FixedClock(new Date('2026-05-05T08:00:00Z'));
  const cards: TestCard[] = [];
  let lots = 0;

  beforeAll(async () => {
    [database, token] = await Promise.all([createTestDatabase(), startTestHsm({ devices: withSibling })]);
    log = await startRunningJournal(database.url);
    app = await startApp();
    psam = app.get(Psam);
    owner = await openDataSource({ url: database.url });
    const keys = app.get(Keys);
    const roots: Record<string, string> = { transportRoot: (await keys.enterTestTransportKey('transport', DEVICE)).keyId };
    await keys.copyTestTransportKey('transport', SIBLING);
    const classes = { controlRoot: 'psamControlRoot', maintenanceRoot: 'psamMaintenanceRoot', purchaseRoot: 'purchaseRoot', dataRoot: 'dataRoot' } as const;
    for (const [use, keyClass] of Object.entries(classes)) {
      await keys.generateRoot({ label: use, keyClass, algorithm: '3des2', device: 'general-1' });
      await keys.copy(use, DEVICE);
      await keys.copy(use, SIBLING);
      roots[use] = (await keys.activate(use)).keyId;
    }
    keySet = roots as PsamKeySet;
    await app.get(Organisations).register({
      regions: [{ code: '110000', name: '市' }],
      institutions: [{ code: INSTITUTION, name: '测试医院', region: '110000' }],
      terminals: Array.from({ length: 400 }, (_, n) => ({ number: terminal(n), institutionCode: INSTITUTION })),
    });
    await psam.registerVendor({ code: 'V1', name: '厂商', filingNumber: 'F-1', filedFrom: '2026-01-01', filedTo: '2027-12-31', cardModel: 'virtual' });
  });

  afterEach(async () => {
    await Promise.all(cards.splice(0).map((card) => card.stop()));
  });

  afterAll(async () => {
    await app.close();
    await owner.destroy();
    await token.stop();
    await log.stop();
    await database.drop();
  });

  async function startApp(): Promise<TestingModule> {
    const module = await Test.createTestingModule({
      imports: [
        PlatformModule.forRoot({ processName: 'test', database: { url: database.url, role: 'hufu_service' } }),
        HsmModule.forRoot({ socket: join(token.socketDir, 'service.sock'), authoriser: token.authoriser('service') }),
        KeysModule,
        OrganisationsModule,
        PsamModule,
      ],
    }).overrideProvider(Clock).useValue(clock).compile();
    return module.init();
  }

  /** A lot of fresh chips and an order for `count` of them, each with a terminal of its own. */
  async function lotAndOrder(count: number, spare = 0, change: Partial<PsamOrder> = {}): Promise<{ order: PsamOrder; chips: string[] }> {
    const lot = ++lots;
    const chips = Array.from({ length: count + spare }, (_, n) => chip(lot * 256 + n));
    await psam.receiveLot({ lotNo: `L${lot}`, vendorCode: 'V1', chipSerials: chips });
    const terminalNumbers = Array.from({ length: count }, (_, n) => terminal(lot * 10 + n));
    const order: PsamOrder = {
      orderNo: `O${lot}`, lotNo: `L${lot}`, region: '110000', institutionCode: INSTITUTION, count, terminalNumbers, keySet, device: DEVICE,
      validFrom: '2026-01-01', validTo: '2035-12-31', ...change,
    };
    return { order, chips };
  }

  async function open(chipSerial: string, options: TestCardOptions = {}): Promise<{ card: TestCard; channel: SocketCardChannel }> {
    const card = await startTestCard(chipSerial, options);
    cards.push(card);
    return { card, channel: await SocketCardChannel.open(card.socket) };
  }

  async function make(orderNo: string, chipSerial: string, options: TestCardOptions = {}): Promise<PersonalisationResult> {
    return psam.personalise(orderNo, (await open(chipSerial, options)).channel);
  }

  it('makes an order of three cards at three stations at once, proves each, and closes it in balance', async () => {
    const { order, chips } = await lotAndOrder(3, 1);
    await psam.placeOrder(order);
    const results = await Promise.all(chips.slice(0, 3).map((each) => make(order.orderNo, each)));
    for (const result of results) {
      expect(result.failure).toBeUndefined();
      expect(result.proofs.length).toBe(18);
      expect(result.proofs.every((proof) => proof.ok && proof.expected.includes(proof.actual))).toBe(true);
    }
    expect(results.map((result) => result.terminalNumber).sort()).toEqual(order.terminalNumbers);
    expect(new Set(results.map((result) => result.psamSerial)).size).toBe(3);
    await expect(make(order.orderNo, chips[3] as string)).rejects.toMatchObject({ code: 'PSAM_ORDER_COMPLETE' });
    await expect(make(order.orderNo, chips[0] as string)).rejects.toMatchObject({ code: 'PSAM_STATE_ILLEGAL' });
    const held = await psam.closeOrder(order.orderNo);
    expect(held).toMatchObject({ received: 4, counts: { good: 3, blank: 1, inWork: 0, quarantined: 0 } });
    await expect(psam.closeOrder(order.orderNo)).rejects.toMatchObject({ code: 'PSAM_ORDER_CLOSED' });
    await expect(make(order.orderNo, chips[3] as string)).rejects.toMatchObject({ code: 'PSAM_ORDER_CLOSED' });
  });

  it('in a group two devices compute each load, and an order needs every key in both', async () => {
    const { order, chips } = await lotAndOrder(1, 0, { device: '@diversification' });
    const keys = app.get(Keys);
    await expect(keys.copyTestTransportKey('dataRoot', SIBLING)).rejects.toMatchObject({ code: 'KEY_CLASS_MISMATCH' });
    await keys.generateRoot({ label: 'in one', keyClass: 'dataRoot', algorithm: '3des2', device: 'general-1' });
    await keys.copy('in one', DEVICE);
    const { keyId: dataRoot } = await keys.activate('in one');
    const unfit = { code: 'PSAM_KEY_UNFIT', details: { use: 'dataRoot', reason: 'not in @diversification' } };
    await expect(psam.placeOrder({ ...order, keySet: { ...keySet, dataRoot } })).rejects.toMatchObject(unfit);
    await psam.placeOrder(order);
    const requests = async (device: string): Promise<number> => (await token.hsm.fleet()).devices.find((each) => each.device === device)?.counters.items ?? 0;
    const hsm = app.get(Hsm);
    const protect = hsm.protectForCard.bind(hsm);
    const both: number[][] = [];
    hsm.protectForCard = async (...args) => {
      const before = [await requests(DEVICE), await requests(SIBLING)];
      const answer = await protect(...args);
      both.push([(await requests(DEVICE)) - (before[0] as number), (await requests(SIBLING)) - (before[1] as number)]);
      return answer;
    };
    const result = await make(order.orderNo, chips[0] as string).finally(() => (hsm.protectForCard = protect));
    expect(result).toMatchObject({ state: 'good' });
    // Known answers may be asked in between.
    expect(both.map(([first, second]) => [(first as number) >= 1, (second as number) >= 1])).toEqual(Array(6).fill([true, true]));
  });

  it('commits each key release, bound to its challenge, before the token makes it', async () => {
    const { order, chips } = await lotAndOrder(1);
    await psam.placeOrder(order);
    const hsm = app.get(Hsm);
    const protect = hsm.protectForCard.bind(hsm);
    const seen: number[] = [];
    hsm.protectForCard = async (...args) => {
      const [row] = await owner.query('SELECT count(*)::int AS released, count(loaded_at)::int AS loaded FROM psam_key_release WHERE chip_serial = $1', [chips[0]]);
      seen.push(row.released * 10 + row.loaded);
      return protect(...args);
    };
    const result = await make(order.orderNo, chips[0] as string).finally(() => (hsm.protectForCard = protect));
    expect(result.state).toBe('good');
    expect(seen).toEqual([10, 21, 32, 43, 54, 65]);
    const rows = await owner.query(
      `SELECT r.slot, r.root_key_id, cardinality(r.factors) AS depth, s.kind FROM psam_key_release r JOIN journal_stage s ON s.id = r.entry_id WHERE chip_serial = $1 ORDER BY released_at, slot`,
      [chips[0]],
    );
    expect(rows.map((row: { slot: string; depth: number; kind: string }) => [row.slot, row.depth, row.kind]).sort()).toEqual([
      ['applicationControl', 3, 'psam.keyLoaded'], ['applicationMaintenance', 3, 'psam.keyLoaded'], ['cardControl', 3, 'psam.keyLoaded'],
      ['cardMaintenance', 3, 'psam.keyLoaded'], ['data', 1, 'psam.keyLoaded'], ['purchase', 1, 'psam.keyLoaded'],
    ]);
    const kinds = await owner.query('SELECT kind, count(*)::int AS n FROM journal_stage WHERE subject = $1 GROUP BY kind ORDER BY kind', [chips[0]]);
    expect(kinds).toEqual([{ kind: 'psam.begin', n: 1 }, { kind: 'psam.good', n: 1 }, { kind: 'psam.keyLoaded', n: 6 }, { kind: 'psam.keyRelease', n: 6 }]);
  });

  it.each([
    ['accept-any-mac', 'PSAM_PROOF_FAILED', { proof: 'refuses.wrongMac', expected: '6988', actual: '9000' }],
    ['reuse-challenge', 'PSAM_PROOF_FAILED', { proof: 'refuses.oldChallenge', expected: '6984', actual: '9000' }],
    ['wrong-key', 'PSAM_PROOF_FAILED', { proof: 'key.data' }],
    ['wrong-purchase-key', 'PSAM_PROOF_FAILED', { proof: 'key.purchase.mac1.1' }],
    ['wrong-control-key', 'PSAM_CARD_REFUSED', { step: 'load.cardMaintenance', sw: '6988' }],
    ['accept-plain-write-after-end-issue', 'PSAM_PROOF_FAILED', { proof: 'refuses.plainWriteKey.masterFile', actual: '9000' }],
    ['wrong-counter', 'PSAM_PROOF_FAILED', { proof: 'purchase.counter' }],
  ] as const)('quarantines a card of fault %s and says why', async (fault, code, details) => {
    const { order, chips } = await lotAndOrder(1, 1);
    await psam.placeOrder(order);
    const result = await make(order.orderNo, chips[0] as string, { fault });
    expect(result).toMatchObject({ state: 'quarantined', failure: { code, details } });
    expect(await psam.card(chips[0] as string)).toMatchObject({ state: 'quarantined', reason: code });
    await expect(psam.closeOrder(order.orderNo)).rejects.toMatchObject({ code: 'PSAM_ORDER_OPEN', details: { inWork: 0, missing: 1 } });
    const spare = await make(order.orderNo, chips[1] as string);
    expect(spare).toMatchObject({ state: 'good', terminalNumber: result.terminalNumber });
    expect(spare.psamSerial).not.toBe(result.psamSerial);
    await psam.move(chips[0] as string, 'scrapped', 'destroyed in the presence of two');
    expect((await psam.closeOrder(order.orderNo)).counts).toMatchObject({ good: 1, scrapped: 1 });
  });

  it('quarantines a card that is torn out half way, and an alien card that the transport key does not open', async () => {
    const { order, chips } = await lotAndOrder(2, 2);
    await psam.placeOrder(order);
    const { card, channel } = await open(chips[0] as string);
    const torn = await psam.personalise(order.orderNo, new Watched(channel, nthLoad(4), () => card.tear()));
    expect(torn).toMatchObject({ state: 'quarantined', failure: { code: 'PSAM_CARD_GONE' } });
    const alien = await make(order.orderNo, chips[1] as string, { transportKey: toHex(randomBytes(16)) });
    expect(alien).toMatchObject({ state: 'quarantined', failure: { code: 'PSAM_CARD_REFUSED', details: { step: 'authenticate.transport', sw: '63C2' } } });
    expect((await psam.stock(order.lotNo)).counts).toMatchObject({ quarantined: 2, blank: 2 });
    await expect(make(order.orderNo, chip(0xffff))).rejects.toMatchObject({ code: 'PSAM_CARD_UNKNOWN' });
  });

  it('gives the bytes of a slot for one challenge only, and quarantines the card that asks with a second', async () => {
    const { order, chips } = await lotAndOrder(1, 1);
    await psam.placeOrder(order);
    const chipSerial = chips[0] as string;
    const { channel } = await open(chipSerial);
    let refused: unknown;
    const challenge = randomBytes(8);
    const byHand = new Watched(channel, nthLoad(2), async () => {
      // The line asks by itself for a slot that the session has not come to yet: twice with one challenge, then with another.
      const first = await psam.releaseKey(chipSerial, 'data', challenge);
      expect(toHex(await psam.releaseKey(chipSerial, 'data', challenge))).toBe(toHex(first));
      expect(toHex(first)).toMatch(/^84D4010124[0-9A-F]{72}$/);
      refused = await psam.releaseKey(chipSerial, 'data', randomBytes(8)).catch((error: unknown) => error);
    });
    const result = await psam.personalise(order.orderNo, byHand);
    expect(refused).toMatchObject({ code: 'KEY_ALREADY_RELEASED', details: { slot: 'data' } });
    expect(result).toMatchObject({ state: 'quarantined', failure: { code: 'PSAM_STATE_ILLEGAL' } });
    expect(await psam.card(chipSerial)).toMatchObject({ state: 'quarantined', reason: 'KEY_ALREADY_RELEASED' });
    await expect(psam.releaseKey(chipSerial, 'data', challenge)).rejects.toMatchObject({ code: 'PSAM_STATE_ILLEGAL' });
    expect((await owner.query('SELECT count(*)::int AS n FROM psam_key_release WHERE chip_serial = $1 AND slot = $2', [chipSerial, 'data']))[0].n).toBe(1);
  });

  it('settles at start-up what a killed process left: the card in work is quarantined', async () => {
    const { order, chips } = await lotAndOrder(1);
    await psam.placeOrder(order);
    const chipSerial = chips[0] as string;
    const { channel } = await open(chipSerial);
    let reached = (): void => undefined;
    const halfWay = new Promise<void>((done) => (reached = done));
    // The process "dies" at the third key load: its promise is never settled.
    void psam.personalise(order.orderNo, new Watched(channel, nthLoad(3), () => new Promise(() => reached())));
    await halfWay;
    expect(await psam.card(chipSerial)).toMatchObject({ state: 'inWork' });
    const next = await startApp();
    expect(await next.get(Psam).settleIntents()).toEqual({ quarantined: 1 });
    expect(await next.get(Psam).settleIntents()).toEqual({ quarantined: 0 });
    await next.close();
    expect(await psam.card(chipSerial)).toMatchObject({ state: 'quarantined', reason: 'PSAM_INTERRUPTED' });
  });

  it('keeps no key load in the database, only digests', async () => {
    const { order, chips } = await lotAndOrder(1);
    await psam.placeOrder(order);
    const sent: string[] = [];
    const { channel } = await open(chips[0] as string);
    const result = await psam.personalise(order.orderNo, new Watched(channel, (apdu) => { sent.push(toHex(apdu)); return false; }, async () => undefined));
    expect(result.commands).toBe(sent.length);
    const [row] = await owner.query('SELECT commands::text AS log, log_digest, outcome FROM psam_session WHERE id = $1', [result.sessionId]);
    expect(row).toMatchObject({ log_digest: result.logDigest, outcome: 'good' });
    const loads = sent.filter((each) => each.startsWith('84D4'));
    expect(loads.length).toBe(6);
    for (const each of loads) expect(row.log).not.toContain(each.slice(10, 26));
    expect(row.log).toContain(result.terminalNumber);
  });

  describe('refuses on paper', () => {
    it('blanks of a vendor whose filing does not hold today', async () => {
      await psam.registerVendor({ code: 'V2', name: '过期', filingNumber: 'F-2', filedFrom: '2024-01-01', filedTo: '2026-05-04', cardModel: 'virtual' });
      const lot = { lotNo: 'LX', vendorCode: 'V2', chipSerials: [chip(0xee01)] };
      await expect(psam.receiveLot(lot)).rejects.toMatchObject({ code: 'PSAM_VENDOR_NOT_FILED', details: { day: '2026-05-05' } });
      await expect(psam.receiveLot({ ...lot, vendorCode: 'V9' })).rejects.toMatchObject({ code: 'PSAM_VENDOR_UNKNOWN' });
      await expect(psam.registerVendor({ code: 'V2', name: 'n', filingNumber: 'F', filedFrom: '2024-01-01', filedTo: '2026-05-04', cardModel: 'm' })).rejects.toMatchObject({ code: 'PSAM_VENDOR_EXISTS' });
    });

    it('a chip received twice, and enters nothing of that lot', async () => {
      const { chips } = await lotAndOrder(1);
      await expect(psam.receiveLot({ lotNo: 'LY', vendorCode: 'V1', chipSerials: [chip(0xee02), chips[0] as string] })).rejects.toMatchObject({ code: 'PSAM_CHIP_KNOWN' });
      await expect(psam.receiveLot({ lotNo: 'LY', vendorCode: 'V1', chipSerials: [chip(0xee02), chip(0xee02)] })).rejects.toMatchObject({ code: 'PSAM_CHIP_KNOWN' });
      await expect(psam.card(chip(0xee02))).rejects.toMatchObject({ code: 'PSAM_CARD_UNKNOWN' });
      await expect(psam.receiveLot({ lotNo: 'LY', vendorCode: 'V1', chipSerials: ['zz'] })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
      await expect(psam.stock('LY')).rejects.toMatchObject({ code: 'PSAM_LOT_UNKNOWN' });
    });

    it('orders that cannot be made', async () => {
      const { order } = await lotAndOrder(2);
      const refused = (change: Partial<PsamOrder>, code: string): Promise<void> =>
        expect(psam.placeOrder({ ...order, ...change })).rejects.toMatchObject({ code });
      await refused({ count: 3 }, 'PSAM_ORDER_INVALID');
      await refused({ terminalNumbers: [terminal(1), terminal(1)] }, 'PSAM_ORDER_INVALID');
      await refused({ terminalNumbers: [terminal(1), '999999999999'] }, 'PSAM_ORDER_INVALID');
      await refused({ institutionCode: 'HOSPITAL9999' }, 'PSAM_ORDER_INVALID');
      await refused({ count: 3, terminalNumbers: [terminal(1), terminal(2), terminal(3)] }, 'PSAM_ORDER_INVALID');
      await refused({ validTo: '2025-12-31' }, 'PSAM_ORDER_INVALID');
      await refused({ lotNo: 'none' }, 'PSAM_LOT_UNKNOWN');
      await refused({ keySet: { ...keySet, controlRoot: keySet.dataRoot } }, 'PSAM_KEY_UNFIT');
      await refused({ keySet: { ...keySet, dataRoot: '0'.repeat(32) } }, 'PSAM_KEY_UNFIT');
      await refused({ device: 'general-1' }, 'PSAM_KEY_UNFIT');
      await refused({ region: '11' }, 'REQUEST_INVALID');
      await psam.placeOrder(order);
      await refused({}, 'PSAM_ORDER_EXISTS');
      const { order: second } = await lotAndOrder(1, 0, { terminalNumbers: [terminal(10)] });
      await expect(psam.placeOrder(second)).rejects.toMatchObject({ code: 'PSAM_ORDER_INVALID', details: { reason: `terminal ${terminal(10)} has a PSAM already` } });
      await expect(make('none', chip(1))).rejects.toMatchObject({ code: 'PSAM_ORDER_UNKNOWN' });
    });

    it('a card of another lot, and moves that the state table does not have', async () => {
      const { order } = await lotAndOrder(1);
      const other = await lotAndOrder(1);
      await psam.placeOrder(order);
      await expect(make(order.orderNo, other.chips[0] as string)).rejects.toMatchObject({ code: 'PSAM_CARD_FOREIGN_LOT' });
      await psam.move(other.chips[0] as string, 'returnedToVendor', 'surplus');
      await expect(psam.move(other.chips[0] as string, 'scrapped', 'x')).rejects.toMatchObject({ code: 'PSAM_STATE_ILLEGAL' });
      expect(await psam.stock(other.order.lotNo)).toMatchObject({ difference: 0, counts: { returnedToVendor: 1, blank: 0 } });
    });
  });
});
