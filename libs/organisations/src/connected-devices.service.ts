import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { z } from 'zod';
import { Journal } from '#libs/journal';
import { Clock, zodReason } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { ConnectedDevicesRepository, type ConnectedDeviceView, type DeviceFilter } from './connected-devices.repository.js';
import { DeviceAcceptance, DeviceName, DevicePlace, type DeviceStretch, mustBeAllowedAt, nextStretch } from './domain/connected-device.js';
import { kindRule } from './domain/organisation-kind.js';
import { OrganisationsRepository } from './organisations.repository.js';

export type DeviceQuery = Omit<DeviceFilter, 'at' | 'limit' | 'organisationId'> & {
  readonly at?: Date | undefined;
  readonly limit?: number | undefined;
  readonly organisation?: DevicePlace['organisation'] | undefined;
};

const LONGEST_PAGE = 1_000;

/** Terminals, PSAM hosts, network devices and HSMs: where each stands, stood, and was accepted. */
@Injectable()
export class ConnectedDevices {
  constructor(
    private readonly dataSource: DataSource,
    private readonly repository: ConnectedDevicesRepository,
    private readonly organisations: OrganisationsRepository,
    private readonly journal: Journal,
    private readonly clock: Clock,
  ) {}

  /** Admits a device at its first place. Throws CONNECTED_DEVICE_EXISTS, CONNECTED_DEVICE_PLACE_INVALID, ORGANISATION_CODE_UNKNOWN, REQUEST_INVALID. */
  async register(name: DeviceName, place: DevicePlace): Promise<void> {
    const [device, where] = [checked(DeviceName, name), checked(DevicePlace, place)];
    await this.transaction('CONNECTED_DEVICE_EXISTS', device, async (tx) => {
      if ((await this.repository.find(tx, device)) !== undefined) throw new AppError('CONNECTED_DEVICE_EXISTS', { ...device });
      const stretch = await this.stretchAt(tx, device, undefined, where);
      const deviceId = randomUUID();
      const entryId = await this.record(tx, 'register', device, placed(where));
      await this.repository.insertDevice(tx, deviceId, device, entryId);
      await this.repository.insertStretch(tx, deviceId, undefined, stretch, this.clock.now(), entryId);
    });
  }

  /** The device leaves its place and stands at another, from `since` on; it needs a new acceptance there. Throws as `register`, and CONNECTED_DEVICE_UNKNOWN, _TIME_INVALID, _CHANGED. */
  async move(name: DeviceName, place: DevicePlace): Promise<void> {
    const [device, where] = [checked(DeviceName, name), checked(DevicePlace, place)];
    await this.transaction('CONNECTED_DEVICE_CHANGED', device, async (tx) => {
      const { deviceId, last } = await this.known(tx, device);
      const stretch = await this.stretchAt(tx, device, last, where);
      await this.repository.insertStretch(tx, deviceId, last, stretch, this.clock.now(), await this.record(tx, 'move', device, placed(where)));
    });
  }

  /** The device stands nowhere from `since` on; `move` brings it back. Throws CONNECTED_DEVICE_UNKNOWN, _ABSENT, _TIME_INVALID, _CHANGED. */
  async remove(name: DeviceName, since: Date): Promise<void> {
    const device = checked(DeviceName, name);
    await this.transaction('CONNECTED_DEVICE_CHANGED', device, async (tx) => {
      const { deviceId, last } = await this.standing(tx, device);
      const stretch = { sequence: nextStretch(last, since), organisationId: undefined, address: undefined, since };
      await this.repository.insertStretch(tx, deviceId, last, stretch, this.clock.now(), await this.record(tx, 'remove', device, { since: since.toISOString() }));
    });
  }

  /** Says of a device, where it stands now, whether it was accepted; the last word holds. Throws CONNECTED_DEVICE_UNKNOWN, _ABSENT, _TIME_INVALID (accepted before it came), _CHANGED. */
  async accept(name: DeviceName, acceptance: DeviceAcceptance): Promise<void> {
    const [device, given] = [checked(DeviceName, name), checked(DeviceAcceptance, acceptance)];
    await this.transaction('CONNECTED_DEVICE_CHANGED', device, async (tx) => {
      const { deviceId, last } = await this.standing(tx, device);
      if (given.acceptedAt < last.since) throw new AppError('CONNECTED_DEVICE_TIME_INVALID', { last: last.since.toISOString() });
      const entryId = await this.record(tx, 'accept', device, { ...given, acceptedAt: given.acceptedAt.toISOString(), place: last.sequence });
      await this.repository.insertAcceptance(tx, deviceId, last.sequence, given, this.clock.now(), entryId);
    });
  }

  /** One page of what stands somewhere, by kind and serial, at most 1,000; `next` is the `after` of the following page. Throws ORGANISATION_CODE_UNKNOWN. */
  async list({ organisation, ...query }: DeviceQuery): Promise<{ devices: ConnectedDeviceView[]; next: DeviceName | undefined }> {
    const at = query.at ?? this.clock.now();
    const limit = Math.min(query.limit ?? LONGEST_PAGE, LONGEST_PAGE);
    const organisationId = organisation === undefined ? undefined : await this.organisationAt(organisation, at);
    const found = await this.repository.list({ ...query, at, organisationId, limit: limit + 1 });
    const devices = found.slice(0, limit);
    const last = devices.at(-1);
    return { devices, next: found.length > limit && last !== undefined ? { kind: last.kind, serial: last.serial } : undefined };
  }

  /** Every place of one device in order. Throws CONNECTED_DEVICE_UNKNOWN. */
  async history(name: DeviceName): Promise<ConnectedDeviceView[]> {
    const device = checked(DeviceName, name);
    const places = await this.repository.history(device, this.clock.now());
    if (places.length === 0) throw new AppError('CONNECTED_DEVICE_UNKNOWN', { ...device });
    return places;
  }

  private async stretchAt(tx: EntityManager, device: DeviceName, last: DeviceStretch | undefined, place: DevicePlace): Promise<DeviceStretch & { address: string }> {
    mustBeAllowedAt(device.kind, place.organisation.kind, place.organisation.code);
    const organisationId = await this.organisationAt(place.organisation, place.since, tx);
    return { sequence: nextStretch(last, place.since), organisationId, address: place.address, since: place.since };
  }

  /** The body of this kind and code at a time, after mergers. */
  private async organisationAt({ kind, code }: DevicePlace['organisation'], at: Date, tx?: EntityManager): Promise<string> {
    const { scheme } = kindRule(kind);
    const standing = (await this.organisations.book([{ scheme, code }], false, tx)).resolve(scheme, code, at);
    if (standing === undefined) throw new AppError('ORGANISATION_CODE_UNKNOWN', { code, at: at.toISOString() });
    if (standing.kind !== kind) throw new AppError('ORGANISATION_KIND_DIFFERS', { code, kind, actual: standing.kind });
    return standing.organisationId;
  }

  private async known(tx: EntityManager, device: DeviceName): Promise<{ deviceId: string; last: DeviceStretch }> {
    const found = await this.repository.find(tx, device);
    if (found === undefined) throw new AppError('CONNECTED_DEVICE_UNKNOWN', { ...device });
    return found;
  }

  private async standing(tx: EntityManager, device: DeviceName): Promise<{ deviceId: string; last: DeviceStretch }> {
    const found = await this.known(tx, device);
    if (found.last.organisationId === undefined) throw new AppError('CONNECTED_DEVICE_ABSENT', { ...device, since: found.last.since.toISOString() });
    return found;
  }

  private record(tx: EntityManager, act: string, device: DeviceName, data: Record<string, string | number | boolean>): Promise<string> {
    return this.journal.record(tx, { kind: `devices.${act}`, subject: `${device.kind}/${device.serial}`, data });
  }

  /** Two acts on one device at once both want its next row (23505): one of them is told so. */
  private async transaction(taken: 'CONNECTED_DEVICE_EXISTS' | 'CONNECTED_DEVICE_CHANGED', device: DeviceName, work: (tx: EntityManager) => Promise<void>): Promise<void> {
    try {
      await this.dataSource.transaction(work);
    } catch (error) {
      if ((error as { code?: string }).code === '23505') throw new AppError(taken, { ...device }, { cause: error });
      throw error;
    }
  }
}

function checked<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new AppError('REQUEST_INVALID', { reason: zodReason(parsed.error) });
  return parsed.data;
}

const placed = ({ organisation, address, since }: DevicePlace): Record<string, string> => ({ kind: organisation.kind, code: organisation.code, address, since: since.toISOString() });
