import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Journal } from '#libs/journal';
import { FixedClock, openDataSource } from '#libs/platform';
import type { AppError } from '#libs/platform/domain';
import { createTestDatabase, type TestDatabase } from '../../../test/env/test-database.js';
import { ConnectedDevicesRepository } from './connected-devices.repository.js';
import { ConnectedDevices, type DeviceKind, type DeviceName, type DevicePlace, Organisations } from './index.js';
import { OrganisationsRepository } from './organisations.repository.js';

const at = (day: number): Date => new Date(Date.UTC(2026, 0, day));
const [FIRST, SECOND] = ['H11010100001', 'H11010100002'] as const;

describe('connected devices', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let organisations: Organisations;
  let devices: ConnectedDevices;
  const clock = new FixedClock(at(1));
  const device = (serial: string, kind: DeviceKind = 'psamHost'): DeviceName => ({ kind, serial });
  const place = (code: string, day: number, kind: DevicePlace['organisation']['kind'] = 'institution'): DevicePlace => ({ organisation: { kind, code }, address: `10.0.0.${day}`, since: at(day) });
  const ways = async (serial: string): Promise<unknown[]> =>
    (await devices.history(device(serial))).map((each) => [each.organisation?.code, each.since.getUTCDate(), each.until?.getUTCDate(), each.acceptance?.accepted]);

  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await openDataSource({ url: database.url, role: 'hufu_service' });
    const journal = new Journal(clock);
    organisations = new Organisations(dataSource, new OrganisationsRepository(dataSource), journal, clock);
    devices = new ConnectedDevices(dataSource, new ConnectedDevicesRepository(dataSource), new OrganisationsRepository(dataSource), journal, clock);
    const regions = [{ code: '110000', name: '市' }, { code: '110101', name: '区', city: '110000' }];
    await organisations.register({ regions, institutions: [FIRST, SECOND].map((code) => ({ code, name: code, region: '110101' })), terminals: [] });
    await organisations.act({ act: 'register', kind: 'site', code: 'DC-1', name: '主机房', parent: '110000', effectiveAt: at(1), reissue: false });
    clock.set(at(28));
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it('stand in one place at a time, each with an acceptance of its own', async () => {
    await devices.register(device('A-1'), place(FIRST, 2));
    await devices.accept(device('A-1'), { accepted: false, by: 'operator-1', document: 'YS-1', acceptedAt: at(3) });
    await devices.accept(device('A-1'), { accepted: true, by: 'operator-1', document: 'YS-2', acceptedAt: at(4) });
    await devices.move(device('A-1'), place(SECOND, 6));
    await devices.remove(device('A-1'), at(8));
    await devices.move(device('A-1'), place('DC-1', 9, 'site'));
    expect(await ways('A-1')).toEqual([[FIRST, 2, 6, true], [SECOND, 6, 8, undefined], [undefined, 8, 9, undefined], ['DC-1', 9, undefined, undefined]]);
    const standing = async (day: number) => (await devices.list({ at: at(day) })).devices.map((each) => each.organisation?.code);
    expect(await Promise.all([1, 2, 5, 6, 8, 9].map(standing))).toEqual([[], [FIRST], [FIRST], [SECOND], [], ['DC-1']]);
    const rows: { kind: string }[] = await dataSource.query(`SELECT kind FROM journal_stage WHERE subject = 'psamHost/A-1' ORDER BY recorded_at`);
    expect(rows.map(({ kind }) => kind)).toEqual(['devices.register', 'devices.accept', 'devices.accept', 'devices.move', 'devices.remove', 'devices.move']);
  });

  it('let one of many moves at once win', async () => {
    await devices.register(device('B-1'), place(FIRST, 2));
    const all = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => devices.move(device('B-1'), place(i % 2 === 0 ? SECOND : 'DC-1', 5, i % 2 === 0 ? 'institution' : 'site'))));
    const refusals = all.flatMap((each) => (each.status === 'rejected' ? [(each.reason as AppError).code] : []));
    expect(refusals).toHaveLength(7);
    expect(refusals.filter((code) => code !== 'CONNECTED_DEVICE_CHANGED' && code !== 'CONNECTED_DEVICE_TIME_INVALID')).toEqual([]);
    expect((await devices.list({ at: at(10) })).devices.filter((each) => each.serial === 'B-1')).toHaveLength(1);
    expect(await ways('B-1')).toHaveLength(2);
    const twice = await Promise.allSettled([1, 2].map(() => devices.register(device('B-2'), place(FIRST, 2))));
    expect(twice.flatMap((each) => (each.status === 'rejected' ? [(each.reason as AppError).code] : []))).toEqual(['CONNECTED_DEVICE_EXISTS']);
  });

  it('cannot stand in two places even for who writes to the table', async () => {
    await devices.register(device('C-1'), place(FIRST, 2));
    await devices.move(device('C-1'), place(SECOND, 6));
    const write = (sequence: number, since: Date, previous: Date | null): Promise<void> =>
      dataSource.transaction(async (tx) => {
        const entryId = await new Journal(clock).record(tx, { kind: 'k', subject: 's', data: {} });
        await tx.query(
          `INSERT INTO connected_device_place (device_id, sequence, organisation_id, address, since, previous_since, recorded_at, entry_id)
           SELECT device_id, $1, organisation_id, 'x', $2, $3, now(), $4 FROM connected_device JOIN connected_device_place USING (device_id) WHERE serial = 'C-1' AND sequence = 1`,
          [sequence, since.toISOString(), previous?.toISOString() ?? null, entryId],
        );
      });
    await expect(write(2, at(7), at(2))).rejects.toMatchObject({ code: '23505' });
    await expect(write(3, at(7), at(2))).rejects.toMatchObject({ code: '23503' });
    await expect(write(4, at(7), at(6))).rejects.toMatchObject({ code: '23503' });
    await expect(write(3, at(5), at(6))).rejects.toMatchObject({ code: '23514' });
    await expect(write(3, at(7), null)).rejects.toMatchObject({ code: '23514' });
    await write(3, at(7), at(6));
    await expect(dataSource.query("UPDATE connected_device_place SET address = 'y'")).rejects.toThrow(/permission denied/);
  });

  it('are refused by name where they have no business', async () => {
    const refusals: [() => Promise<void>, string][] = [
      [() => devices.register(device('A-1'), place(FIRST, 2)), 'CONNECTED_DEVICE_EXISTS'],
      [() => devices.register(device('D-1', 'hsm'), place(FIRST, 2)), 'CONNECTED_DEVICE_PLACE_INVALID'],
      [() => devices.register(device('D-1', 'terminal'), place('DC-1', 2, 'site')), 'CONNECTED_DEVICE_PLACE_INVALID'],
      [() => devices.register(device('D-1'), place('H99999999999', 2)), 'ORGANISATION_CODE_UNKNOWN'],
      [() => devices.register(device('D-1'), place(FIRST, 2, 'servicePoint')), 'ORGANISATION_KIND_DIFFERS'],
      [() => devices.register(device('bad serial'), place(FIRST, 2)), 'REQUEST_INVALID'],
      [() => devices.register(device('D-1'), { ...place(FIRST, 2), address: ' ' }), 'REQUEST_INVALID'],
      [() => devices.move(device('D-1'), place(FIRST, 2)), 'CONNECTED_DEVICE_UNKNOWN'],
      [() => devices.move(device('A-1'), place(FIRST, 9)), 'CONNECTED_DEVICE_TIME_INVALID'],
      [() => devices.remove(device('D-1'), at(9)), 'CONNECTED_DEVICE_UNKNOWN'],
      [() => devices.accept(device('A-1'), { accepted: true, by: 'o', document: 'd', acceptedAt: at(5) }), 'CONNECTED_DEVICE_TIME_INVALID'],
    ];
    for (const [act, code] of refusals) await expect(act()).rejects.toMatchObject({ code });
    await devices.remove(device('B-2'), at(9));
    await expect(devices.accept(device('B-2'), { accepted: true, by: 'o', document: 'd', acceptedAt: at(10) })).rejects.toMatchObject({ code: 'CONNECTED_DEVICE_ABSENT' });
    await expect(devices.remove(device('B-2'), at(10))).rejects.toMatchObject({ code: 'CONNECTED_DEVICE_ABSENT' });
    await expect(devices.history(device('D-1'))).rejects.toMatchObject({ code: 'CONNECTED_DEVICE_UNKNOWN' });
  });

  it('are listed by kind, body and acceptance, page by page', async () => {
    for (let n = 1; n <= 5; n++) await devices.register(device(`H-${n}`, 'hsm'), place('DC-1', 3, 'site'));
    await devices.accept(device('H-2', 'hsm'), { accepted: true, by: 'operator-2', document: 'YS-9', acceptedAt: at(4) });
    const hsms = { kinds: ['hsm'], organisation: { kind: 'site', code: 'DC-1' } } as const;
    const first = await devices.list({ ...hsms, limit: 3 });
    expect([first.devices.map((each) => each.serial), first.next]).toEqual([['H-1', 'H-2', 'H-3'], device('H-3', 'hsm')]);
    const second = await devices.list({ ...hsms, after: first.next, limit: 3 });
    expect([second.devices.map((each) => each.serial), second.next]).toEqual([['H-4', 'H-5'], undefined]);
    expect((await devices.list({ ...hsms, accepted: true })).devices.map((each) => each.serial)).toEqual(['H-2']);
    expect((await devices.list({ ...hsms, accepted: false })).devices).toHaveLength(4);
    expect((await devices.list({ organisation: { kind: 'institution', code: FIRST }, kinds: ['hsm'] })).devices).toEqual([]);
  });

  it('are found with the body that took theirs over', async () => {
    await devices.register(device('M-1'), place(FIRST, 2));
    const at20 = { at: at(20), organisation: { kind: 'institution', code: SECOND } } as const;
    expect((await devices.list(at20)).devices.map((each) => each.serial)).not.toContain('M-1');
    await organisations.act({ act: 'merge', kind: 'institution', code: FIRST, into: SECOND, effectiveAt: at(20) });
    expect((await devices.list(at20)).devices.map((each) => each.serial)).toContain('M-1');
    expect((await devices.list({ ...at20, at: at(19) })).devices.map((each) => each.serial)).not.toContain('M-1');
  });
});
