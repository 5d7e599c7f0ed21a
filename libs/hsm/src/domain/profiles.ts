import type { Bilingual } from '#libs/platform/domain';

/** What a module does not enforce by itself: short names in DeviceStatus.notEnforced, texts for the operator here. */
export const NOT_ENFORCED = {
  keyUsageSeparation: {
    zh: '不强制密钥用途分离：可由敏感密钥派生可读子密钥，仅靠代理进程的固定模板防护',
    en: 'Key usage separation: a readable child of a sensitive key is allowed; only the fixed templates of the agent guard it',
  },
  unextractableWrap: {
    zh: '不可导出的密钥仍可被包装导出，仅靠代理进程先行检查',
    en: 'A key that is not extractable is wrapped all the same; only a check in the agent guards it',
  },
  pinLockout: { zh: 'PIN 错误次数不锁定令牌，仅靠锁存文件防护', en: 'The token never locks after wrong PINs; only the latch file guards it' },
  uniqueSerial: { zh: '令牌序列号不唯一', en: 'The serial number of the token is not unique' },
  tamperResistance: { zh: '软件令牌，无物理防护', en: 'A software token: nothing protects it physically' },
} as const satisfies Record<string, Bilingual>;
export type NotEnforced = keyof typeof NOT_ENFORCED;

/** Recipes that need a mechanism which not every module has. */
export type Capability = 'protectForCard' | 'cmac5';

/** A vendor's module as data. Numbers and mechanisms that differ between vendors belong here, not into branches. */
export interface VendorProfile {
  readonly title: Bilingual;
  /** For tests, rehearsal and demonstration only. */
  readonly simulator: boolean;
  /** How an embedded token comes into being; `none` = the vendor's own tools do it. */
  readonly initialisation: 'softhsm' | 'nss' | 'none';
  /** A file below tokenDir without which there is no token (NSS would make an empty one silently). */
  readonly tokenFile?: string;
  /** What the module reads from its environment, beyond where the token is. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What it can do inside the device. What is missing is refused by name, never computed by the host. */
  readonly capabilities: Readonly<Record<Capability, boolean>>;
  readonly notEnforced: readonly NotEnforced[];
}

export const VENDOR_PROFILES = {
  softhsm: {
    title: { zh: 'SoftHSM 2（软件模拟）', en: 'SoftHSM 2 (simulator)' },
    simulator: true,
    initialisation: 'softhsm',
    // No CONCATENATE_* derivation and no 3DES wrap (CKR_MECHANISM_INVALID, SoftHSM 2.6.1).
    capabilities: { protectForCard: false, cmac5: true },
    notEnforced: ['keyUsageSeparation', 'pinLockout', 'tamperResistance'],
  },
  nss: {
    title: { zh: 'NSS softoken（软件模拟）', en: 'NSS softoken (simulator)' },
    simulator: true,
    initialisation: 'nss',
    tokenFile: 'key4.db',
    // NSS stretches the PIN once for every attribute it reads (5 ms each); a random PIN of 144 bits needs no stretching.
    environment: { NSS_MAX_MP_PBE_ITERATION_COUNT: '1' },
    capabilities: { protectForCard: true, cmac5: true },
    notEnforced: ['keyUsageSeparation', 'unextractableWrap', 'pinLockout', 'uniqueSerial', 'tamperResistance'],
  },
  generic: {
    title: { zh: '通用 PKCS#11 密码机', en: 'Generic PKCS#11 HSM' },
    simulator: false,
    initialisation: 'none',
    capabilities: { protectForCard: true, cmac5: true },
    notEnforced: [],
  },
} as const satisfies Record<string, VendorProfile>;

export type ProfileName = keyof typeof VENDOR_PROFILES;

export function vendorProfile(name: ProfileName): VendorProfile {
  return VENDOR_PROFILES[name];
}
