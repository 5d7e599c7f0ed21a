import { z } from 'zod';
import { CLIENTS } from './domain/policy.js';
import { VENDOR_PROFILES, type ProfileName } from './domain/profiles.js';

const DeviceConfig = z
  .strictObject({
    device: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
    profile: z.enum(Object.keys(VENDOR_PROFILES) as [ProfileName, ...ProfileName[]]),
    /** Path of the PKCS#11 module, or of a wrapper such as pkcs11-spy.so that finds the real one by `env`. */
    module: z.string().min(1),
    /** Folder of an embedded token (softhsm, nss). */
    tokenDir: z.string().min(1).optional(),
    /** How the token is found: each of the three that is given must fit. Label = device name when none is. */
    tokenLabel: z.string().min(1).max(32).optional(),
    tokenSerial: z.string().min(1).max(16).optional(),
    /** Index in the list of slots with a token. */
    slot: z.int().min(0).optional(),
    /** File with the PIN alone, 0400. Made with a random PIN where `initialise` makes the token. */
    pinFile: z.string().min(1),
    /** Make the token when it is not there. Simulators only. */
    initialise: z.boolean().default(false),
    /** Published test keys may be entered. Never on a device with real keys. */
    testKeys: z.boolean().default(false),
    /** Environment of the agent beyond what the profile sets, for instance PKCS11SPY. */
    env: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).default({}),
  })
  .refine(({ profile, tokenDir }) => VENDOR_PROFILES[profile].initialisation === 'none' || tokenDir !== undefined, 'this profile needs tokenDir')
  .refine(({ profile, initialise }) => !initialise || VENDOR_PROFILES[profile].simulator, 'only simulators are initialised');
export type DeviceConfig = z.infer<typeof DeviceConfig>;

/** The supervisor's configuration file. `./hufu` writes it for the embedded default; HUFU_HSM_CONFIG names one for real tokens. */
export const HsmConfig = z.strictObject({
  /** Folder of the client sockets, 0700. */
  socketDir: z.string().min(1),
  /** Latches of refused PINs, generated module configuration. */
  stateDir: z.string().min(1),
  clients: z.array(z.enum(CLIENTS)).min(1),
  /** A recipe that runs longer counts as hung: its agent is killed and started anew. */
  deadlineSeconds: z.int().min(1).max(3600).default(60),
  devices: z
    .array(DeviceConfig)
    .min(1)
    .refine((devices) => new Set(devices.map(({ device }) => device)).size === devices.length, 'device names are unique'),
});
export type HsmConfig = z.infer<typeof HsmConfig>;
