import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Journal } from '#libs/journal';
import { openDataSource, SystemClock } from '#libs/platform';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { Organisations } from './index.js';

describe('organisations', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let organisations: Organisations;
  const hospital = { code: 'H11010100001', name: '第一医院', region: '110101' };

  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await openDataSource({ url: database.url, role: 'hufu_service' });
    organisations = new Organisations(dataSource, new Journal(new SystemClock()));
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it('enters a list whole or not at all', async () => {
    const orphan = { number: '110000000009', institutionCode: 'H99999999999' };
    await expect(organisations.register({ institutions: [hospital], terminals: [orphan] })).rejects.toMatchObject({ code: 'ORGANISATION_UNKNOWN' });
    expect(await organisations.counts()).toEqual({ institutions: 0, terminals: 0 });
    await organisations.register({ institutions: [hospital], terminals: [{ number: '110000000001', institutionCode: hospital.code }] });
    expect(await organisations.counts()).toEqual({ institutions: 1, terminals: 1 });
  });

  it('names what is registered twice', async () => {
    await expect(organisations.register({ institutions: [hospital], terminals: [] })).rejects.toMatchObject({
      code: 'ORGANISATION_EXISTS',
      details: { reason: expect.stringContaining(hospital.code) },
    });
  });
});
