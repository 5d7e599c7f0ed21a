import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import type { FastifyReply } from 'fastify';
import type { DataSource } from 'typeorm';
import { HsmModule } from '#libs/hsm';
import { Keys, KeysModule } from '#libs/keys';
import { OcspResponder } from '#libs/ocsp';
import { Pki } from '#libs/pki';
import { Clock, FixedClock, GuardedClock, isAppError, openDataSource, PlatformModule } from '#libs/platform';
import { toHex } from '#libs/platform/domain';
import { HealthController } from '../../apps/service/src/http/health.controller.js';
import { makeRequest } from '../builders/certificate-request.js';
import { MemoryHsm } from '../builders/memory-hsm.js';
import { OpensslFolder } from '../builders/openssl.js';
import { foundScheme, ISSUING, openPkiScheme, type PkiScheme, RESPONDER } from '../builders/pki-scheme.js';
import { createTestDatabase, type TestDatabase } from '../env/test-database.js';
import { startTestHsm, type TestHsm } from '../env/test-hsm.js';

/*
 * A clock that is set back an hour under a running service: every act that would take the wrong time into a signature stops by name,
 * no device is asked, and all goes on by itself when the clock is right again.
 */
const HOUR = 3_600_000;
const TRY_LATER = '30030A0103';

describe('the clock of a running service', () => {
  let rig: TestHsm;
  let hsm: MemoryHsm;
  let scheme: PkiScheme;
  let keysApp: TestingModule;
  let keys: Keys;
  let request: Uint8Array;
  let clock: GuardedClock;
  let nowMs = Math.floor(Date.now() / 1000) * 1000;
  let monotonicMs = 0;

  const set = (ms: number): void => scheme.clock.set(new Date((nowMs = ms)));
  const pass = (ms: number): void => {
    monotonicMs += ms;
    set(nowMs + ms);
  };
  const day = (n: number): Date => new Date(Math.floor(nowMs / 1000) * 1000 + n * 86_400_000);
  const enrol = (id: string): Promise<unknown> =>
    scheme.app.get(Pki).enrol('issuing', [{ profile: 'card', csr: makeRequest('p256').csr, subject: { country: 'CN', commonName: id }, notBefore: day(-100), notAfter: day(100), holder: { kind: 'card', id } }]);
  const answer = async (): Promise<string> => toHex(await scheme.app.get(OcspResponder).respond(request));
  const codeOf = (act: Promise<unknown>): Promise<string> => act.then(() => 'ok', (error: unknown) => (isAppError(error) ? error.code : String(error)));
  const generate = (label: string): Promise<unknown> => keys.generateRoot({ label, keyClass: 'dataRoot', algorithm: '3des2', device: 'general-1' });

  /** Every act that puts a time into something signed, or authorises by one. */
  const ACTS: Readonly<Record<string, () => Promise<unknown>>> = {
    'a key': () => generate(`root-${monotonicMs}`),
    'a copy of a key': () => keys.copy('first', 'diversification-1'),
    'a certificate': () => enrol('A12345674'),
    'a CA': () => scheme.app.get(Pki).createIssuingCa({ ...ISSUING, caId: `ca-${monotonicMs}`, subject: { ...ISSUING.subject, commonName: `CA ${monotonicMs}` } }),
    'a CRL': () => scheme.app.get(Pki).issueCrl('issuing', { thisUpdate: day(0), nextUpdate: day(1) }),
  };

  beforeAll(async () => {
    [rig, hsm] = [await startTestHsm(), new MemoryHsm()];
    scheme = await openPkiScheme(hsm, undefined, (wall) => (clock = new GuardedClock(wall, () => monotonicMs)));
    set(nowMs);
    const { issuing } = await foundScheme(scheme);
    await scheme.app.get(Pki).issueForKey({ ...RESPONDER, notBefore: day(-10), notAfter: day(10) });
    const [card] = (await enrol('123456788')) as [{ serial: string }];
    keysApp = await Test.createTestingModule({
      imports: [
        PlatformModule.forRoot({ processName: 'test', database: { url: scheme.database.url, role: 'hufu_service' } }),
        HsmModule.forRoot({ socket: join(rig.socketDir, 'service.sock'), authoriser: rig.authoriser('service') }),
        KeysModule,
      ],
    })
      .overrideProvider(Clock)
      .useValue(clock)
      .compile();
    keys = keysApp.get(Keys);
    await generate('first');
    const folder = new OpensslFolder();
    folder.pem('issuing.pem', 'CERTIFICATE', issuing);
    folder.run('ocsp', '-issuer', 'issuing.pem', '-sha256', '-serial', `0x${card.serial}`, '-reqout', 'request.der');
    request = readFileSync(join(folder.path, 'request.der'));
    folder.remove();
  });
  afterAll(async () => {
    await keysApp.close();
    await scheme.close();
    await rig.stop();
  });

  it('runs: certificates are issued and OCSP answers', async () => {
    expect(await codeOf(enrol('000000000'))).toBe('ok');
    expect(await answer()).not.toBe(TRY_LATER);
  });

  it.each(Object.keys(ACTS))('set back an hour, %s is refused by name and no device is asked', async (what) => {
    const objects = (await rig.hsm.inventory('general-1')).length;
    const signed = hsm.signed.length;
    set(nowMs - HOUR);
    try {
      expect(await codeOf((ACTS[what] as () => Promise<unknown>)())).toBe('CLOCK_STEPPED_BACK');
      expect([(await rig.hsm.inventory('general-1')).length, hsm.signed.length]).toEqual([objects, signed]);
    } finally {
      set(nowMs + HOUR);
    }
    pass(1000);
    expect(await codeOf((ACTS[what] as () => Promise<unknown>)())).toBe('ok');
  });

  it('set back an hour, OCSP says tryLater and signs nothing', async () => {
    const signed = hsm.signed.length;
    set(nowMs - HOUR);
    expect([await answer(), hsm.signed.length]).toEqual([TRY_LATER, signed]);
    // Time passes on the wrong clock: it stays wrong.
    pass(HOUR / 2);
    expect(await answer()).toBe(TRY_LATER);
    set(nowMs + HOUR);
    expect(await answer()).not.toBe(TRY_LATER);
  });

  it('slewed by NTP, nothing stops', async () => {
    for (const slewMs of [-500, 400, -900, 1000]) {
      pass(60_000);
      set(nowMs + slewMs);
      expect(await answer()).not.toBe(TRY_LATER);
    }
  });
});

describe('GET /health/ready', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await openDataSource({ url: database.url, role: 'hufu_service' });
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it('says that the clock is not believed, and 503 while it is so', async () => {
    const now = new Date('2026-06-01T08:00:00Z');
    const wall = new FixedClock(now);
    const clock = new GuardedClock(wall, () => 0);
    const health = new HealthController(dataSource, new MemoryHsm(), clock);
    const look = async (): Promise<[code: number, clock: boolean | undefined, next: string | undefined]> => {
      let code = 0;
      const { checks } = await health.ready({ code: (given: number) => (code = given) } as unknown as FastifyReply);
      const check = checks.find(({ name }) => name === 'clock');
      return [code, check?.ok, check?.text.en];
    };
    clock.now();
    expect(await look()).toEqual([200, true, 'The clock is believed']);
    wall.set(new Date(now.getTime() - 3_600_000));
    expect(await look()).toEqual([503, false, expect.stringContaining('Check NTP')]);
    wall.set(now);
    expect((await look())[0]).toBe(200);
  });
});
