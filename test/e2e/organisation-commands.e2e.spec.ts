import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { OrganisationsModule, WorkingCalendarModule } from '#libs/organisations';
import { PlatformModule } from '#libs/platform';
import { CommandServer } from '../../apps/service/src/commands/command-server.js';
import { createTestDatabase, type TestDatabase } from '../env/test-database.js';

/** The register, the calendar and the devices as they are asked over the service's command socket. */
describe('the command socket', () => {
  let database: TestDatabase;
  let app: TestingModule;
  let server: CommandServer;
  let socket: Socket;
  let lines: AsyncIterator<string>;
  const folder = mkdtempSync(join(tmpdir(), 'hufu-commands-'));
  let id = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await Test.createTestingModule({
      imports: [
        PlatformModule.forRoot({ processName: 'test', database: { url: database.url, role: 'hufu_service' } }),
        OrganisationsModule,
        WorkingCalendarModule.forRoot({ calendarsDir: 'libs/organisations/calendars' }),
      ],
      providers: [CommandServer],
    }).compile();
    server = app.get(CommandServer);
    await server.listen(join(folder, 'command.sock'));
    server.open();
    socket = connect(join(folder, 'command.sock'));
    lines = (createInterface({ input: socket }) as Interface)[Symbol.asyncIterator]();
  });

  afterAll(async () => {
    socket.destroy();
    await server.close();
    await app.close();
    await database.drop();
    rmSync(folder, { recursive: true });
  });

  const call = async (command: string, args: object): Promise<unknown> => {
    socket.write(`${JSON.stringify({ id: ++id, command, arguments: args })}\n`);
    const reply = JSON.parse((await lines.next()).value as string) as { id: number; result?: unknown; error?: unknown };
    expect(reply.id).toBe(id);
    return 'error' in reply ? reply.error : reply.result;
  };
  const since = '2026-01-05T00:00:00+08:00';
  const hospital = 'H11010100001';

  it('takes a list, an act and a question about a code', async () => {
    const csv = `kind,code,name,parent,effectiveAt\ncity,110000,市,,2026-01-02\ndistrict,110101,区,110000,2026-01-02\ninstitution,${hospital},甲,110101,2026-01-02\nsite,DC-1,机房,110101,2026-01-02\n`;
    expect(await call('organisations.import', { bytes: Buffer.from(csv).toString('base64'), format: 'csv' })).toEqual({ entered: 4, rejected: [] });
    expect(await call('organisations.import', { bytes: Buffer.from(csv).toString('base64'), format: 'csv' })).toMatchObject({ code: 'ORGANISATION_LIST_REFUSED', details: { count: 4 } });
    expect(await call('organisations.act', { act: 'recode', kind: 'institution', code: hospital, newCode: 'H11010100002', effectiveAt: since })).toBeNull();
    expect(await call('organisations.resolve', { code: hospital, at: '2026-02-01T00:00:00Z' })).toMatchObject({ name: '甲', code: 'H11010100002' });
    expect(await call('organisations.resolve', { code: hospital, at: '2025-12-01T00:00:00Z' })).toBeNull();
    expect(await call('organisations.list', { kinds: ['institution'], regionPrefix: '1101' })).toMatchObject({ organisations: [{ code: 'H11010100002', region: '110101', status: 'active' }], next: null });
    expect(await call('organisations.export', { kinds: ['city'] })).toMatch(/\r\ncity,110000,市,,110000,active,,2026-01-01T16:00:00.000Z\r\n$/);
  });

  it('counts working days and takes a correction', async () => {
    expect(await call('calendar.years', {})).toMatchObject([{ year: 2026, confirmed: false, corrections: [] }]);
    expect(await call('calendar.deadline', { from: '2026-02-13T10:00:00+08:00', count: 2 })).toBe('2026-02-24T16:00:00.000Z');
    expect(await call('calendar.correct', { day: '2026-02-24', working: false, by: 'operator-1', reason: '通知' })).toBeNull();
    expect(await call('calendar.isWorkingDay', { day: '2026-02-24' })).toBe(false);
    expect(await call('calendar.addWorkingDays', { day: '2026-02-13', count: 2 })).toBe('2026-02-25');
    expect(await call('calendar.workingDaysBetween', { from: '2026-02-13', to: '2026-02-25' })).toBe(2);
    expect(await call('calendar.isWorkingDay', { day: '2031-01-01' })).toEqual({ code: 'CALENDAR_YEAR_MISSING', details: { year: 2031 } });
  });

  it('keeps the devices', async () => {
    const device = { kind: 'hsm', serial: 'X-1' };
    const place = { organisation: { kind: 'site', code: 'DC-1' }, address: '10.1.1.1', since };
    expect(await call('devices.register', { device, place })).toBeNull();
    expect(await call('devices.accept', { device, acceptance: { accepted: true, by: 'operator-1', document: 'YS-1', acceptedAt: since } })).toBeNull();
    expect(await call('devices.list', { organisation: place.organisation, accepted: true })).toMatchObject({ devices: [{ ...device, address: '10.1.1.1', until: null, acceptance: { document: 'YS-1' } }], next: null });
    expect(await call('devices.move', { device, place: { ...place, address: '10.1.1.2', since: '2026-01-06T00:00:00Z' } })).toBeNull();
    expect(await call('devices.remove', { device, since: '2026-01-07T00:00:00Z' })).toBeNull();
    expect(await call('devices.history', { device })).toMatchObject([{ until: '2026-01-06T00:00:00.000Z' }, { address: '10.1.1.2', acceptance: null }, { organisation: null, until: null }]);
  });

  it('refuses what it does not know by name', async () => {
    for (const [command, args] of [
      ['organisations.act', { act: 'split', kind: 'city', code: '110000', effectiveAt: since }],
      ['organisations.act', { act: 'close', kind: 'city', code: '110000', effectiveAt: 'soon' }],
      ['organisations.act', { act: 'close', kind: 'city', code: '110000', effectiveAt: since, force: true }],
      ['organisations.list', { limit: 100_000 }],
      ['organisations.import', { bytes: '', format: 'xlsx' }],
      ['calendar.deadline', { from: '2026-02-13', count: 1 }],
      ['devices.register', { device: { kind: 'printer', serial: '1' }, place: {} }],
    ] as const) {
      expect(await call(command, args)).toMatchObject({ code: 'REQUEST_INVALID' });
    }
  });
});
