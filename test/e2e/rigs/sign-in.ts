import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import type { FastifyRequest } from 'fastify';
import { DataSource } from 'typeorm';
import { type CodeRequest, Initialisation } from '#libs/access';
import { Hsm } from '#libs/hsm';
import { Clock, FixedClock, openDataSource, toHex } from '#libs/platform';
import { signInBytes } from '#libs/signature';
import { installChunkQueue } from '#libs/verification';
import { AppModule } from '../../../apps/service/src/app.module.js';
import { COMMANDS } from '../../../apps/service/src/commands/index.js';
import { ServiceConfig } from '../../../apps/service/src/config.js';
import { type HttpApp, httpAdapter } from '../../../apps/service/src/http/adapter.js';
import { ClientCertificate } from '../../../apps/service/src/http/client-certificate.js';
import { MODEL, SoftAuthenticator } from '../../builders/authenticator.js';
import { FIRST_POSTS, founding, type SignInKey } from '../../builders/founding.js';
import { MemoryHsm } from '../../builders/memory-hsm.js';
import { signSm2 } from '../../builders/quorum.js';
import { SignedInClient } from '../../builders/signed-in-client.js';
import { startRunningJournal } from '../../env/running-journal.js';
import { createTestDatabase, type TestDatabase } from '../../env/test-database.js';

export const START = new Date('2026-11-24T08:00:00.000Z');
export const MINUTE = 60_000;
export const CONSOLE = 'https://hufu.test';
export const APPROVE = 'https://approve.hufu.test';
export const CERTIFICATE = 'https://certificate.hufu.test:9443';

/** A header stands for the TLS connection, whose own test is that of the listener. */
@Injectable()
class HeaderCertificate extends ClientCertificate {
  override of(request: FastifyRequest): { certificate: Uint8Array } | undefined {
    const header = request.headers['x-client-certificate'];
    return typeof header === 'string' ? { certificate: Uint8Array.from(Buffer.from(header, 'base64')) } : undefined;
  }
}

/** A UKey: a key that signs what an agent asks for. */
export class SoftUkey {
  readonly spki: Buffer;
  private readonly privateKey: KeyObject;

  constructor(readonly algorithm: 'p256Sha256' | 'sm2Sm3') {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: algorithm === 'sm2Sm3' ? 'SM2' : 'prime256v1' });
    this.spki = publicKey.export({ type: 'spki', format: 'der' });
    this.privateKey = privateKey;
  }

  get keyDigest(): string {
    return createHash('sha256').update(this.spki).digest('hex').toUpperCase();
  }

  sign(origin: string, challenge: string): string {
    const bytes = signInBytes(origin, Uint8Array.from(Buffer.from(challenge, 'base64url')));
    return toHex(this.algorithm === 'sm2Sm3' ? signSm2(this.privateKey, this.spki, bytes) : sign('sha256', bytes, this.privateKey));
  }
}

export interface SignInRig {
  readonly clock: FixedClock;
  readonly database: TestDatabase;
  readonly owner: DataSource;
  /** Two processes of the service on one database. */
  readonly apps: readonly [HttpApp, HttpApp];
  readonly modules: readonly [TestingModule, TestingModule];
  after(milliseconds: number): void;
  /** A browser of its own address. */
  client(headers?: Readonly<Record<string, string>>, origin?: string, app?: HttpApp): SignedInClient;
  /** A code by the command of the local socket. */
  firstCode(wanted: CodeRequest): Promise<string>;
  /** Enrols a new authenticator by a code, over HTTP. */
  enrolled(code: string, device?: SoftAuthenticator): Promise<SoftAuthenticator>;
  enrolledUkey(code: string, ukey: SoftUkey): Promise<SoftUkey>;
  entries(kind: string, subject?: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** The real application, twice, on a real database; only time, the device and the TLS connection are the test's. */
export async function openSignInRig(): Promise<SignInRig> {
  const folder = mkdtempSync(join(tmpdir(), 'hufu-sign-in-'));
  writeFileSync(join(folder, 'name-key'), randomBytes(32));
  const database = await createTestDatabase();
  await installChunkQueue(database.url);
  const log = await startRunningJournal(database.url);
  const owner = await openDataSource({ url: database.url });
  const clock = new FixedClock(START);
  const config = ServiceConfig.parse({
    databaseUrl: database.url,
    hsmSocket: join(folder, 'hsm.sock'),
    commandSocket: join(folder, 'command.sock'),
    http: { host: '127.0.0.1', port: 0 },
    evidenceDir: join(folder, 'evidence'),
    pagesDir: 'apps/service/pages',
    profilesDir: 'certs/profiles',
    calendarsDir: 'libs/organisations/calendars',
    access: {
      nameKeyFile: join(folder, 'name-key'),
      changeDelayHours: 1,
      signIn: { rpIds: { signIn: 'hufu.test', approve: 'approve.hufu.test' }, origins: { console: CONSOLE, approve: APPROVE, certificate: CERTIFICATE }, authenticators: [{ aaguid: MODEL, name: 'test' }] },
    },
  });
  const hsm = new MemoryHsm();
  const start = async (): Promise<{ app: HttpApp; module: TestingModule }> => {
    const module = await Test.createTestingModule({ imports: [AppModule.forRoot(config)] })
      .overrideProvider(Clock).useValue(clock)
      .overrideProvider(Hsm).useValue(hsm)
      .overrideProvider(ClientCertificate).useClass(HeaderCertificate)
      .compile();
    const app = module.createNestApplication<HttpApp>(httpAdapter(), { logger: false });
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    return { app, module };
  };
  const [one, other] = [await start(), await start()];
  let addresses = 0;
  const client: SignInRig['client'] = (headers = {}, origin = CONSOLE, app = one.app) => {
    addresses += 1;
    return new SignedInClient(app, { origin, rpId: 'hufu.test', source: `10.1.${addresses >> 8}.${addresses & 0xff}`, now: () => clock.now(), headers });
  };
  return {
    clock,
    database,
    owner,
    apps: [one.app, other.app],
    modules: [one.module, other.module],
    client,
    after: (milliseconds) => clock.set(new Date(clock.now().getTime() + milliseconds)),
    firstCode: async (wanted) => ((await COMMANDS['access.enrolmentCode']?.run(one.app, wanted, () => undefined)) as { code: string }).code,
    enrolled: async (code, device = new SoftAuthenticator()) => {
      const page = client();
      const asked = (await page.send('POST', '/enrolments/options', { code }, null)).body as { challenge: string; purpose: string; rp: { id: string } };
      const { status, body } = await page.send('POST', '/enrolments', { code, webauthn: device.create({ challenge: asked.challenge, rpId: asked.rp.id, origin: asked.purpose === 'approve' ? APPROVE : CONSOLE }) }, null);
      if (status !== 201 || body['keyDigest'] !== device.keyDigest) throw new Error(JSON.stringify(body));
      return device;
    },
    enrolledUkey: async (code, ukey) => {
      const page = client();
      const { challenge } = (await page.send('POST', '/enrolments/options', { code }, null)).body as { challenge: string };
      const { status, body } = await page.send('POST', '/enrolments', { code, key: { publicKey: toHex(ukey.spki), algorithm: ukey.algorithm, signature: ukey.sign(CONSOLE, challenge) } }, null);
      if (status !== 201 || body['keyDigest'] !== ukey.keyDigest) throw new Error(JSON.stringify(body));
      return ukey;
    },
    entries: async (kind, subject) => {
      const rows: { body: Buffer }[] = await owner.query('SELECT body FROM journal_stage WHERE kind = $1 AND ($2::text IS NULL OR subject = $2) ORDER BY recorded_at', [kind, subject ?? null]);
      return rows.map(({ body }) => (JSON.parse(body.toString('utf8')) as { data: Record<string, unknown> }).data);
    },
    close: async () => {
      await one.app.close();
      await other.app.close();
      await log.stop();
      await owner.destroy();
      await database.drop();
      rmSync(folder, { recursive: true });
    },
  };
}

export interface FoundedRig extends SignInRig {
  /** Of the first operators, by account. */
  readonly devices: Readonly<Record<string, SoftAuthenticator>>;
  readonly ukeys: { readonly sm2: SoftUkey; readonly p256: SoftUkey };
}

/** The initialisation as it goes: codes through the local door, keys over HTTP, then the first operators who name them. */
export async function foundSignInRig(rig: SignInRig): Promise<FoundedRig> {
  const devices: Record<string, SoftAuthenticator> = {};
  const keys: Record<string, SignInKey> = {};
  for (const operatorId of ['system-1', 'security-1', 'security-2', 'audit-1', 'audit-2']) {
    const device = await rig.enrolled(await rig.firstCode({ operatorId, purpose: 'signIn', method: 'webauthn' }));
    devices[operatorId] = device;
    keys[operatorId] = { method: 'webauthn', keyDigest: device.keyDigest };
  }
  const ukeyOf = async (operatorId: string, algorithm: SoftUkey['algorithm']): Promise<SoftUkey> => {
    const ukey = await rig.enrolledUkey(await rig.firstCode({ operatorId, purpose: 'signIn', method: 'ukey' }), new SoftUkey(algorithm));
    keys[operatorId] = { method: 'ukey', keyDigest: ukey.keyDigest };
    return ukey;
  };
  const ukeys = { sm2: await ukeyOf('keys-1', 'sm2Sm3'), p256: await ukeyOf('keys-2', 'p256Sha256') };
  await rig.apps[0].get(Initialisation).found(founding(FIRST_POSTS, undefined, keys));
  return { ...rig, devices, ukeys };
}
