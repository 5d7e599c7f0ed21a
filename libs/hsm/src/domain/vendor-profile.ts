import { z } from 'zod';
import { ASYMMETRIC_ALGORITHMS, KCV_METHODS, SYMMETRIC_ALGORITHMS } from './algorithms.js';
import { PACKED_RECIPES } from './batch.js';

/** What a module may fail to enforce by itself; texts for the operator are in not-enforced.ts. */
export const NOT_ENFORCED_NAMES = ['keyUsageSeparation', 'unextractableWrap', 'pinLockout', 'uniqueSerial', 'tamperResistance'] as const;

const bilingual = z.strictObject({ zh: z.string().min(1), en: z.string().min(1) });
const number = z.string().regex(/^0x[0-9A-Fa-f]{1,8}$/, 'a PKCS#11 number as 0x…');

/**
 * A vendor's module as data (libs/hsm/profiles/<name>.yaml). Numbers, forms and what can be done inside differ between
 * vendors and belong here, not into branches. What is missing is refused by name, never computed by the host.
 */
export const VendorProfile = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
  title: bilingual,
  /** Where the figures come from, and what of them is a hypothesis that nobody here has seen on a device. */
  source: z.string().min(1),
  /** For tests, rehearsal and demonstration only: a supervisor in production refuses it. */
  simulator: z.boolean(),
  /** How an embedded token comes into being; `none` = the vendor's own tools do it. */
  initialisation: z.enum(['softhsm', 'nss', 'hsm-sim', 'none']),
  /** A file below tokenDir without which there is no token. */
  tokenFile: z.string().min(1).optional(),
  /** What the module reads from its environment, beyond where the token is. */
  environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).default({}),
  /** CKK_SM2, CKK_SM4, CKM_SM2_KEY_PAIR_GEN, CKM_SM2_SM3, CKM_SM2_RAW, CKM_SM2_ENCRYPT, CKM_SM4_KEY_GEN, CKM_SM4_ECB, CKM_SM4_CBC, CKM_SM4_ECB_ENCRYPT_DATA, CKM_XOR_HALVES, …: only what differs from PKCS#11 v2.40 or is not in it. */
  numbers: z.record(z.string().regex(/^CK[KM]_[A-Z0-9_]+$/), number).default({}),
  /** Mechanisms that work although C_GetMechanismList does not have them (NSS). */
  unlisted: z.array(z.string().regex(/^CKM_[A-Z0-9_]+$/)).default([]),
  /** Which recipes the device can do inside, and with which algorithms. */
  recipes: z.partialRecord(z.enum(PACKED_RECIPES), z.array(z.enum(SYMMETRIC_ALGORITHMS))),
  /** Check value method × algorithms that it can do inside. */
  checkValueMethods: z.partialRecord(z.enum(KCV_METHODS), z.array(z.enum(SYMMETRIC_ALGORITHMS))),
  /** `attribute`: CKA_CHECK_VALUE is right on every key. `truncatedChild`: a readable child of that length. */
  checkValue: z.enum(['attribute', 'truncatedChild']),
  /** Key pairs it makes and signs with. */
  signing: z.array(z.enum(ASYMMETRIC_ALGORITHMS)),
  /** SM2: the device hashes with Z itself (`sm2Sm3`), or signs e that the agent computed (`raw`). */
  sm2Sign: z.enum(['sm2Sm3', 'raw']).optional(),
  sm2SignatureForm: z.enum(['rs', 'der']).default('rs'),
  /** CKA_EC_POINT of SM2 keys: DER OCTET STRING as PKCS#11 wants, or 04‖X‖Y bare. */
  sm2PointForm: z.enum(['octetString', 'bare']).default('octetString'),
  /** Key transport between devices: RSA-OAEP (SHA-1) for an AES KEK, then RFC 3394. */
  transfer: z.boolean(),
  /** Escrow by subset wraps: shares joined and hashed inside, WRAP_WITH_TRUSTED kept (domain/escrow.ts). Looked at again before each split. */
  escrow: z.boolean(),
  /** CKA_LABEL of a P-256 pair that the device made for itself: it has to sign a challenge at each login. */
  identity: z.string().min(1).max(64).optional(),
  notEnforced: z.array(z.enum(NOT_ENFORCED_NAMES)).default([]),
  tuning: z.strictObject({
    /** Sessions (= threads) of the executor; the token's own limit counts if lower. */
    sessions: z.int().min(1).max(64).default(1),
    /** A PKCS#11 call of a batch or signature that takes longer counts as hung. With the ping's 250 ms: found within a second. */
    callDeadlineMs: z.int().min(50).max(60_000).default(600),
    /** The same for making keys and key pairs. */
    generateDeadlineMs: z.int().min(50).max(300_000).default(30_000),
    /** Rated items per second, for the token bucket; 0 = not limited. */
    ratedItemsPerSecond: z.int().min(0).default(0),
    /** Bytes of one PKCS#11 input at most; 0 = not limited. */
    frameBytesMost: z.int().min(0).default(0),
  }).prefault({}),
});
export type VendorProfile = z.infer<typeof VendorProfile>;
