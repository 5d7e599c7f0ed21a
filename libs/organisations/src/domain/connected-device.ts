import { z } from 'zod';
import { AppError, type Bilingual } from '#libs/platform/domain';
import { KIND_NAMES, type OrganisationKind } from './organisation-kind.js';

interface DeviceKindRule {
  readonly text: Bilingual;
  /** Kinds of bodies where one may stand. */
  readonly at: readonly OrganisationKind[];
}

/** 接入设备: what is connected to the card system, and where such a thing may stand. */
export const DEVICE_KINDS = {
  terminal: { text: { zh: '终端机', en: 'terminal' }, at: ['institution', 'servicePoint'] },
  psamHost: { text: { zh: 'PSAM 主机', en: 'PSAM host' }, at: ['institution', 'servicePoint', 'site'] },
  networkDevice: { text: { zh: '网络设备', en: 'network device' }, at: ['institution', 'servicePoint', 'site'] },
  hsm: { text: { zh: '密码机', en: 'HSM' }, at: ['site'] },
} as const satisfies Record<string, DeviceKindRule>;

export type DeviceKind = keyof typeof DEVICE_KINDS;
export const DEVICE_KIND_NAMES = Object.keys(DEVICE_KINDS) as [DeviceKind, ...DeviceKind[]];

/** The maker's serial number, one a kind. */
export const DeviceName = z.strictObject({ kind: z.enum(DEVICE_KIND_NAMES), serial: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$/) });
export type DeviceName = z.infer<typeof DeviceName>;

/** Where it stands: with which body (kind and own code at `since`), and under which network address or in which room. */
export const DevicePlace = z.strictObject({
  organisation: z.strictObject({ kind: z.enum(KIND_NAMES), code: z.string().min(1).max(32) }),
  address: z.string().trim().min(1).max(200),
  since: z.date(),
});
export type DevicePlace = z.infer<typeof DevicePlace>;

/** 验收 of a device where it stands. `document`: number of the signed sheet. */
export const DeviceAcceptance = z.strictObject({
  accepted: z.boolean(),
  by: z.string().min(1).max(64),
  document: z.string().trim().min(1).max(100),
  acceptedAt: z.date(),
});
export type DeviceAcceptance = z.infer<typeof DeviceAcceptance>;

/** One stretch of a device's way: at a body, or (`organisationId` undefined) nowhere. It ends where the next one begins. */
export interface DeviceStretch {
  readonly sequence: number;
  readonly organisationId: string | undefined;
  readonly since: Date;
}

/** Throws CONNECTED_DEVICE_PLACE_INVALID when a thing of this kind has no business with a body of that kind. */
export function mustBeAllowedAt(kind: DeviceKind, at: OrganisationKind, code: string): void {
  const allowed: readonly OrganisationKind[] = DEVICE_KINDS[kind].at;
  if (!allowed.includes(at)) throw new AppError('CONNECTED_DEVICE_PLACE_INVALID', { kind, code, allowed: allowed.join(' / ') });
}

/** The number of the next stretch. Throws CONNECTED_DEVICE_TIME_INVALID unless it begins after the last one did. */
export function nextStretch(last: DeviceStretch | undefined, since: Date): number {
  if (last !== undefined && !(since > last.since)) throw new AppError('CONNECTED_DEVICE_TIME_INVALID', { last: last.since.toISOString() });
  return (last?.sequence ?? 0) + 1;
}
