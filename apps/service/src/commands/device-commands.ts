import { z } from 'zod';
import { type ConnectedDeviceView, ConnectedDevices, DEVICE_KIND_NAMES, DeviceAcceptance, DeviceName, DevicePlace } from '#libs/organisations';
import type { JsonValue } from '#libs/platform';
import { command, type Command } from './command.js';
import { instant } from './fields.js';

const place = z.strictObject({ ...DevicePlace.shape, since: instant });

export const DEVICE_COMMANDS: Readonly<Record<string, Command>> = {
  'devices.register': command(z.strictObject({ device: DeviceName, place }), async (app, args) => {
    await app.get(ConnectedDevices).register(args.device, args.place);
    return null;
  }),
  'devices.move': command(z.strictObject({ device: DeviceName, place }), async (app, args) => {
    await app.get(ConnectedDevices).move(args.device, args.place);
    return null;
  }),
  'devices.remove': command(z.strictObject({ device: DeviceName, since: instant }), async (app, args) => {
    await app.get(ConnectedDevices).remove(args.device, args.since);
    return null;
  }),
  'devices.accept': command(z.strictObject({ device: DeviceName, acceptance: z.strictObject({ ...DeviceAcceptance.shape, acceptedAt: instant }) }), async (app, args) => {
    await app.get(ConnectedDevices).accept(args.device, args.acceptance);
    return null;
  }),
  'devices.list': command(
    z.strictObject({
      at: instant.optional(),
      kinds: z.array(z.enum(DEVICE_KIND_NAMES)).min(1).optional(),
      organisation: DevicePlace.shape.organisation.optional(),
      accepted: z.boolean().optional(),
      after: DeviceName.optional(),
      limit: z.int().min(1).max(1_000).optional(),
    }),
    async (app, args) => {
      const page = await app.get(ConnectedDevices).list(args);
      return { devices: page.devices.map(shown), next: page.next === undefined ? null : { ...page.next } };
    },
  ),
  'devices.history': command(z.strictObject({ device: DeviceName }), async (app, args) => (await app.get(ConnectedDevices).history(args.device)).map(shown)),
};

function shown({ kind, serial, organisation, address, since, until, acceptance }: ConnectedDeviceView): JsonValue {
  return {
    kind,
    serial,
    organisation: organisation === undefined ? null : { kind: organisation.kind, code: organisation.code ?? null },
    address: address ?? null,
    since: since.toISOString(),
    until: until?.toISOString() ?? null,
    acceptance: acceptance === undefined ? null : { ...acceptance, acceptedAt: acceptance.acceptedAt.toISOString() },
  };
}
