import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Journal } from '#libs/journal';
import { FixedClock, openDataSource } from '#libs/platform';
import type { AppError } from '#libs/platform/domain';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { type ImportOrder, type OrganisationAct, Organisations } from './index.js';
import { OrganisationsRepository } from './organisations.repository.js';

const at = (day: number): Date => new Date(Date.UTC(2026, 0, day));
const hospitalCode = (n: number): string => `H11010${String(n).padStart(6, '0')}`;

describe('organisations', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let owner: DataSource;
  let organisations: Organisations;
  const clock = new FixedClock(at(1));
  const hospital = { code: hospitalCode(1), name: '第一医院', region: '110101' };
  const regions = [
    { code: '110000', name: '市' },
    { code: '110101', name: '东区', city: '110000' },
    { code: '110102', name: '西区', city: '110000' },
  ];

  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await openDataSource({ url: database.url, role: 'hufu_service' });
    owner = await openDataSource({ url: database.url });
    organisations = new Organisations(dataSource, new OrganisationsRepository(dataSource), new Journal(clock), clock);
  });

  afterAll(async () => {
    await dataSource.destroy();
    await owner.destroy();
    await database.drop();
  });

  const csv = (text: string, change: Partial<ImportOrder> = {}): ImportOrder => ({ bytes: new TextEncoder().encode(text), format: 'csv', encoding: 'utf-8', enter: 'whole', ...change });
  const resolved = async (code: string, day: number) => (await organisations.resolve('institution', code, at(day)))?.name;
  const entries = async (kind: string): Promise<{ subject: string; data: Record<string, unknown> }[]> => {
    const rows: { subject: string; body: Buffer }[] = await owner.query('SELECT subject, body FROM journal_stage WHERE kind = $1 ORDER BY recorded_at', [kind]);
    return rows.map(({ subject, body }) => ({ subject, data: (JSON.parse(body.toString()) as { data: Record<string, unknown> }).data }));
  };

  it('enters a list whole or not at all', async () => {
    await expect(organisations.register({ institutions: [hospital], terminals: [] })).rejects.toMatchObject({ code: 'ORGANISATION_UNKNOWN' });
    const orphan = { number: '110000000009', institutionCode: 'H99999999999' };
    await expect(organisations.register({ regions, institutions: [hospital], terminals: [orphan] })).rejects.toMatchObject({ code: 'ORGANISATION_UNKNOWN' });
    expect(await organisations.counts()).toEqual({ institutions: 0, terminals: 0 });
    expect(await owner.query('SELECT count(*)::int AS n FROM organisation')).toEqual([{ n: 0 }]);
    await organisations.register({ regions, institutions: [hospital], terminals: [{ number: '110000000001', institutionCode: hospital.code }] });
    expect(await organisations.counts()).toEqual({ institutions: 1, terminals: 1 });
  });

  it('names what is registered twice, and takes a known region for known', async () => {
    await expect(organisations.register({ regions, institutions: [hospital], terminals: [] })).rejects.toMatchObject({
      code: 'ORGANISATION_EXISTS',
      details: { reason: expect.stringContaining(hospital.code) },
    });
    await organisations.register({ regions: [{ code: '110101', name: '别名', city: '110000' }], institutions: [], terminals: [] });
    expect((await organisations.list({ kinds: ['district'] })).organisations.map((row) => row.name)).toEqual(['东区', '西区']);
  });

  it('imports 3,700 institutions in one act with one journal entry, and pages through them by region', async () => {
    clock.set(at(10));
    const rows = Array.from({ length: 3_700 }, (_, n) => `${n % 10 === 0 ? 'servicePoint' : 'institution'},${hospitalCode(1_000 + n)},"名称, ""${n}""",${n % 2 === 0 ? '110101' : '110102'},2026-01-02`);
    expect(await organisations.import(csv(`kind,code,name,parent,effectiveAt\r\n${rows.join('\r\n')}\r\n`))).toEqual({ entered: 3_700, rejected: [] });
    expect(await entries('organisations.import')).toEqual([{ subject: 'organisations', data: expect.objectContaining({ rows: 3_700, refused: 0 }) }]);
    expect((await organisations.counts()).institutions).toBe(3_701);
    const seen: string[] = [];
    for (let after: Parameters<Organisations['list']>[0]['after']; ; ) {
      const page = await organisations.list({ kinds: ['institution', 'servicePoint'], regionPrefix: '110102', after, limit: 500 });
      seen.push(...page.organisations.map((row) => row.code));
      expect(page.organisations.every((row) => row.region === '110102' && row.parent === '110102')).toBe(true);
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(seen).toHaveLength(1_850);
    expect(new Set(seen).size).toBe(1_850);
    expect((await organisations.list({ kinds: ['terminal'], regionPrefix: '110101' })).organisations).toMatchObject([{ code: '110000000001', parent: hospital.code, region: '110101' }]);
    // 2 January in China begins at 16:00 of the day before.
    expect(await organisations.resolve('institution', hospitalCode(1_000), new Date('2026-01-01T15:59:59Z'))).toBeUndefined();
    expect(await organisations.resolve('institution', hospitalCode(1_000), new Date('2026-01-01T16:00:00Z'))).toBeDefined();
  });

  it('says line by line what is wrong with a list, and enters nothing of it unless told to', async () => {
    const list = [
      'kind,code,name,parent',
      `institution,${hospitalCode(9_001)},好,110101`,
      `institution,${hospital.code},重复,110101`,
      `institution,H1,短,110101`,
      `"institution","${hospitalCode(9_002)}","两`,
      `行",110199`,
      `clinic,${hospitalCode(9_003)},类别,110101`,
      `institution,${hospitalCode(9_001)},同一名单两次,110101`,
      `institution,${hospitalCode(9_004)},多一列,110101,x`,
    ].join('\n');
    const refused = [
      { line: 3, code: 'ORGANISATION_EXISTS' },
      { line: 4, code: 'ORGANISATION_CODE_INVALID' },
      { line: 5, code: 'ORGANISATION_UNKNOWN' },
      { line: 7, code: 'REQUEST_INVALID' },
      { line: 8, code: 'ORGANISATION_EXISTS' },
      { line: 9, code: 'REQUEST_INVALID' },
    ];
    const before = await organisations.counts();
    expect(await organisations.import(csv(list, { enter: 'none' }))).toMatchObject({ entered: 0, rejected: refused });
    await expect(organisations.import(csv(list))).rejects.toMatchObject({
      code: 'ORGANISATION_LIST_REFUSED',
      details: { count: 6, first: expect.stringMatching(/^line 3: ORGANISATION_EXISTS/), refused: expect.arrayContaining([expect.stringMatching(/^line 9: /)]) },
    });
    expect(await organisations.counts()).toEqual(before);
    expect(await organisations.import(csv(list, { enter: 'rest' }))).toMatchObject({ entered: 1, rejected: refused });
    expect((await organisations.counts()).institutions).toBe(before.institutions + 1);
  });

  it('reads GB18030 and NDJSON, parents after what stands under them, and refuses what it cannot read', async () => {
    const gbk = Uint8Array.from([...Buffer.from(`kind,code,name,parent\ninstitution,${hospitalCode(9_101)},`), 0xb1, 0xb1, 0xbe, 0xa9, ...Buffer.from(',110101\n')]);
    await expect(organisations.import(csv('', { bytes: gbk }))).rejects.toMatchObject({ code: 'ORGANISATION_LIST_INVALID' });
    await organisations.import(csv('', { bytes: gbk, encoding: 'gb18030' }));
    expect(await resolved(hospitalCode(9_101), 10)).toBe('北京');
    const ndjson = [
      { kind: 'terminal', code: '110103000001', name: 'T', parent: hospitalCode(9_102) },
      { kind: 'institution', code: hospitalCode(9_102), name: '新院', parent: '110103' },
      { kind: 'district', code: '110103', name: '新区', parent: '110000' },
      { kind: 'site', code: 'DC-1', name: '主机房', parent: '110103' },
    ].map((row) => JSON.stringify(row)).join('\n');
    expect(await organisations.import(csv(ndjson, { format: 'ndjson' }))).toEqual({ entered: 4, rejected: [] });
    for (const bad of ['kind,code\n', 'kind,code,name,colour\n', 'kind,code,name\n', 'kind,code,name\ncity,"1', 'kind,code,name\ncity,"1"x,y']) {
      await expect(organisations.import(csv(bad))).rejects.toMatchObject({ code: 'ORGANISATION_LIST_INVALID' });
    }
    expect(await organisations.import(csv('{"kind":"city"\n[1]\n{"kind":"city","code":"120000","name":"x","colour":1}', { format: 'ndjson', enter: 'none' }))).toMatchObject({ rejected: [{ line: 1 }, { line: 2 }, { line: 3 }] });
  });

  it('renames, moves, changes codes, merges and closes; each is journalled and leaves the past as it was', async () => {
    const [a, b, c] = [hospitalCode(101), hospitalCode(102), hospitalCode(103)];
    const terminals = ['110101000101', '110101000102'];
    await organisations.register({ institutions: [{ code: a, name: '甲', region: '110101' }, { code: b, name: '乙', region: '110102' }], terminals: terminals.map((number) => ({ number, institutionCode: a })) });
    const on = { kind: 'institution' } as const;
    const acts: OrganisationAct[] = [
      { act: 'rename', ...on, code: a, name: '甲甲', effectiveAt: at(12) },
      { act: 'move', ...on, code: a, parent: '110102', effectiveAt: at(13), reissue: false },
      { act: 'recode', ...on, code: a, newCode: c, effectiveAt: at(14), reissue: false },
      { act: 'merge', ...on, code: c, into: b, effectiveAt: at(15) },
    ];
    for (const act of acts) await organisations.act(act);
    expect(await Promise.all([11, 12, 14, 15].map((day) => resolved(a, day)))).toEqual(['甲', '甲甲', '甲甲', '乙']);
    expect(await organisations.resolveMany('institution', [{ code: c, at: at(13) }, { code: c, at: at(15) }])).toMatchObject([undefined, { code: b, name: '乙' }]);
    const region = async (day: number) => (await organisations.list({ at: at(day), kinds: ['terminal'], status: 'active' })).organisations.filter((row) => terminals.includes(row.code)).map((row) => [row.parent, row.region]);
    expect(await region(12)).toEqual([[a, '110101'], [a, '110101']]);
    expect(await region(16)).toEqual([[b, '110102'], [b, '110102']]);
    expect((await organisations.list({ at: at(16), status: 'merged' })).organisations).toMatchObject([{ code: c, successor: b }]);
    expect(await entries('organisations.merge')).toEqual([{ subject: `institution/${c}`, data: { kind: 'institution', code: c, into: b, effectiveAt: at(15).toISOString() } }]);
    expect(JSON.stringify(await entries('organisations.rename'))).not.toContain('甲甲');
    await expect(organisations.act({ act: 'close', ...on, code: b, effectiveAt: at(20) })).rejects.toMatchObject({ code: 'ORGANISATION_HAS_CHILDREN', details: { count: 2 } });
    for (const code of terminals) await organisations.act({ act: 'close', kind: 'terminal', code, effectiveAt: at(18) });
    await organisations.act({ act: 'close', ...on, code: b, effectiveAt: at(20) });
    expect(await Promise.all([19, 20].map((day) => resolved(a, day)))).toEqual(['乙', undefined]);
    await expect(organisations.act({ act: 'register', ...on, code: a, name: '丙', parent: '110101', effectiveAt: at(21), reissue: false })).rejects.toMatchObject({ code: 'ORGANISATION_CODE_USED' });
    await organisations.act({ act: 'register', ...on, code: a, name: '丙', parent: '110101', effectiveAt: at(21), reissue: true });
    expect(await Promise.all([11, 15, 20, 21].map((day) => resolved(a, day)))).toEqual(['甲', '乙', undefined, '丙']);
  });

  it('does not know a body that is closed, nor a code that was replaced', async () => {
    const [a, b] = [hospitalCode(201), hospitalCode(202)];
    await organisations.register({ institutions: [{ code: a, name: '甲', region: '110101' }], terminals: [] });
    clock.set(at(11));
    const unknown = async (): Promise<string[]> => [...(await organisations.unknown({ institutions: [a, b], terminals: [] }))].sort();
    expect(await unknown()).toEqual([b]);
    await organisations.act({ act: 'recode', kind: 'institution', code: a, newCode: b, effectiveAt: at(11), reissue: false });
    expect(await unknown()).toEqual([a]);
    await organisations.act({ act: 'close', kind: 'institution', code: b, effectiveAt: at(12) });
    expect(await unknown()).toEqual([a]);
    clock.set(at(12));
    expect(await unknown()).toEqual([a, b]);
  });

  it('lets one of two mergers win that would be a ring together', async () => {
    const codes = [hospitalCode(301), hospitalCode(302)] as const;
    await organisations.register({ institutions: codes.map((code) => ({ code, name: code, region: '110101' })), terminals: [] });
    const merge = (code: string, into: string): Promise<void> => organisations.act({ act: 'merge', kind: 'institution', code, into, effectiveAt: at(14) });
    const both = await Promise.allSettled([merge(codes[0], codes[1]), merge(codes[1], codes[0])]);
    expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.flatMap((each) => (each.status === 'rejected' ? [(each.reason as AppError).code] : []))).toEqual([expect.stringMatching(/^ORGANISATION_(ENDED|MERGE_CYCLE|CODE_UNKNOWN)$/)]);
    expect(new Set(await Promise.all(codes.map((code) => resolved(code, 15)))).size).toBe(1);
  });

  it('keeps its rows as they are, whoever asks', async () => {
    for (const table of ['organisation', 'organisation_state', 'organisation_code']) {
      await expect(owner.query(`UPDATE ${table} SET entry_id = entry_id`)).rejects.toThrow(/append-only/);
      await expect(owner.query(`DELETE FROM ${table}`)).rejects.toThrow(/append-only/);
      await expect(dataSource.query(`UPDATE ${table} SET entry_id = entry_id`)).rejects.toThrow(/permission denied/);
    }
    await expect(dataSource.query("UPDATE institution SET name = 'x'")).rejects.toThrow(/permission denied/);
    await expect(dataSource.query("INSERT INTO organisation SELECT gen_random_uuid(), 'city', id FROM journal_stage LIMIT 1")).rejects.toThrow(/no journal entry of this transaction/);
  });

  it('exports what it lists as CSV that no spreadsheet runs', async () => {
    await organisations.register({ institutions: [{ code: hospitalCode(401), name: '=HYPERLINK("x")', region: '110103' }], terminals: [] });
    const text = await organisations.exportCsv({ regionPrefix: '110103', kinds: ['institution'] });
    expect(text.split('\r\n')).toEqual([
      '\uFEFFkind,code,name,parent,region,status,successor,effectiveAt',
      `institution,${hospitalCode(401)},"'=HYPERLINK(""x"")",110103,110103,active,,${at(12).toISOString()}`,
      `institution,${hospitalCode(9_102)},新院,110103,110103,active,,${at(10).toISOString()}`,
      '',
    ]);
  });
});
