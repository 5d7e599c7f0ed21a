import 'reflect-metadata';
import { type DynamicModule, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { CardsModule } from '#libs/cards';
import { Hsm } from '#libs/hsm';
import { OcspModule } from '#libs/ocsp';
import { Organisations, OrganisationsModule } from '#libs/organisations';
import { type NewAuthority, Pki, PkiModule } from '#libs/pki';
import { Clock, FixedClock, Logger, PlatformModule } from '#libs/platform';
import { startRunningJournal } from '../env/running-journal.js';
import { createTestDatabase, type TestDatabase } from '../env/test-database.js';

/** The rooms of certificates and cards, wired by their modules, on a database of their own, under the service's role. */
export interface PkiScheme {
  readonly app: TestingModule;
  readonly clock: FixedClock;
  readonly database: TestDatabase;
  close(): Promise<void>;
}

@Module({})
class GivenHsmModule {
  static of(hsm: Hsm): DynamicModule {
    return { module: GivenHsmModule, global: true, providers: [{ provide: Hsm, useValue: hsm }], exports: [Hsm] };
  }
}

export const NOW = new Date('2026-06-01T08:00:00Z');
export const ROOT: NewAuthority = {
  caId: 'root',
  subject: { country: 'CN', organisation: '社保卡体系', commonName: '根 CA' },
  device: 'general-1',
  notBefore: new Date('2015-01-01T00:00:00Z'),
  notAfter: new Date('2044-12-31T23:59:59Z'),
};
export const ISSUING: NewAuthority & { parent: string } = {
  ...ROOT,
  caId: 'issuing',
  parent: 'root',
  subject: { country: 'CN', organisation: '社保卡体系', commonName: '签发 CA' },
  notBefore: new Date('2016-01-01T00:00:00Z'),
  notAfter: new Date('2030-12-31T00:00:00Z'),
};
export const RESPONDER = {
  issuer: 'issuing',
  profile: 'ocsp-responder',
  subject: { country: 'CN', commonName: 'OCSP 1' },
  keyLabel: 'ocsp/issuing',
  device: 'general-1',
  notBefore: new Date('2026-01-01T00:00:00Z'),
  notAfter: new Date('2027-01-01T00:00:00Z'),
};

/** Opens the rooms; a second scheme over the same database is a restarted process. `guard` puts something between the clock and the rooms. */
export async function openPkiScheme(hsm: Hsm, existing?: TestDatabase, guard: (clock: FixedClock) => Clock = (clock) => clock): Promise<PkiScheme> {
  const database = existing ?? (await createTestDatabase());
  // It belongs to the database, not to the process: a restarted one finds it running.
  const log = existing === undefined ? await startRunningJournal(database.url) : undefined;
  const clock = new FixedClock(NOW);
  const builder = Test.createTestingModule({
    imports: [
      PlatformModule.forRoot({ processName: 'test', database: { url: database.url, role: 'hufu_service' } }),
      GivenHsmModule.of(hsm),
      OrganisationsModule,
      PkiModule.forRoot({ profilesDir: 'certs/profiles' }),
      OcspModule,
      CardsModule,
    ],
  });
  const app = await builder
    .overrideProvider(Clock)
    .useValue(guard(clock))
    .overrideProvider(Logger)
    .useValue(new Logger('test', () => undefined))
    .compile();
  return {
    app,
    clock,
    database,
    close: async () => {
      await app.close();
      await log?.stop();
      if (existing === undefined) await database.drop();
    },
  };
}

/** Root, issuing CA, and two institutions with a terminal each. */
export async function foundScheme(scheme: PkiScheme): Promise<{ root: Uint8Array; issuing: Uint8Array }> {
  const pki = scheme.app.get(Pki);
  const root = await pki.createRootCa(ROOT);
  const issuing = await pki.createIssuingCa(ISSUING);
  await scheme.app.get(Organisations).register({
    regions: [
      { code: '110000', name: '市' },
      { code: '110101', name: '区', city: '110000' },
    ],
    institutions: [
      { code: 'H11010100001', name: '第一医院', region: '110101' },
      { code: 'H11010100002', name: '第二医院', region: '110101' },
    ],
    terminals: [
      { number: '110101000001', institutionCode: 'H11010100001' },
      { number: '110101000002', institutionCode: 'H11010100002' },
    ],
  });
  return { root: root.certificate, issuing: issuing.certificate };
}
