import { z } from 'zod';
import { DEVICE_GROUPS } from './domain/device-group.js';
import { CLIENTS } from './domain/policy.js';

const DeviceConfig = z.strictObject({
  device: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
  group: z.enum(DEVICE_GROUPS),
  /** Name of a vendor profile (a YAML file in profilesDir). */
  profile: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
  /** Path of the PKCS#11 module, or of a wrapper such as pkcs11-spy.so that finds the real one by `env`. */
  module: z.string().min(1),
  /** SHA-256 of that file, hex: another file is refused before it runs. Required in production; `./hufu doctor hsm` shows it. */
  moduleSha256: z.string().regex(/^[0-9A-F]{64}$/, 'SHA-256 in upper-case hex').optional(),
  /** Folder of an embedded token (softhsm, nss, hsm-sim). */
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
  /** Published test keys may be entered. Never on a device with real keys; refused in production. */
  testKeys: z.boolean().default(false),
  /** Environment of the agent beyond what the profile sets, for instance PKCS11SPY. */
  env: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).default({}),
  /** Lines of an hsm-sim configuration beyond those the supervisor writes (hsm-sim/README.md). */
  simulator: z.record(z.string().regex(/^[a-z_]+$/), z.string()).default({}),
  /** For the device record. */
  site: z.string().max(64).default(''),
  productCertificate: z.strictObject({ number: z.string().min(1).max(64), validUntil: z.iso.date() }).optional(),
});
export type DeviceConfig = z.infer<typeof DeviceConfig>;

/** The supervisor's configuration file. `./hufu` writes it for the embedded default; HUFU_HSM_CONFIG names one for real tokens. */
export const HsmConfig = z.strictObject({
  /** `production` refuses simulators and test keys. There is no setting that turns the check of approvals off. */
  mode: z.enum(['production', 'rehearsal']),
  /** Folder of the client sockets, 0700. */
  socketDir: z.string().min(1),
  /** Latches of refused PINs, used request ids, ticket counters, fingerprints, device records, pinned tokens, latest time, generated module configuration. */
  stateDir: z.string().min(1),
  /** Folder of vendor profiles. */
  profilesDir: z.string().min(1),
  /** Folder of the approver list and policy: 1.json signed by the bootstrap quorum, each later one by the quorum before it. */
  policyDir: z.string().min(1),
  clients: z.array(z.enum(CLIENTS)).min(1),
  /** A recipe that runs longer counts as hung, whatever the device says: its agent is killed and started anew. */
  deadlineSeconds: z.int().min(1).max(3600).default(60),
  /** How often each device is asked for known answers. A lie is found within one interval. */
  knownAnswerSeconds: z.int().min(1).max(3600).default(10),
  /** How often the supervisor asks an agent whether it lives, and the agent its device. */
  pingMs: z.int().min(50).max(10_000).default(250),
  devices: z
    .array(DeviceConfig)
    .min(1)
    .refine((devices) => new Set(devices.map(({ device }) => device)).size === devices.length, 'device names are unique'),
});
export type HsmConfig = z.infer<typeof HsmConfig>;
