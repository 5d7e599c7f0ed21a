import type { SignPurpose } from '#libs/platform/domain';

/**
 * What a key is for. The class fixes the attribute template of the object in the device and the recipes it serves: a
 * diversification root has CKA_DERIVE and nothing else; a signing key signs one kind of object.
 */
export const KEY_CLASSES = {
  /** Roots that are diversified to cards and PSAMs; a root serves one use, named here. */
  psamControlRoot: { kind: 'diversification', zh: 'PSAM 主控根密钥' },
  psamMaintenanceRoot: { kind: 'diversification', zh: 'PSAM 维护根密钥' },
  psamTransportRoot: { kind: 'diversification', zh: 'PSAM 传输根密钥' },
  purchaseRoot: { kind: 'diversification', zh: '消费根密钥' },
  dataRoot: { kind: 'diversification', zh: '数据加密与校验根密钥' },
  caSigning: { kind: 'signing', zh: 'CA 签名密钥', purposes: ['tbsCertificate', 'tbsCrl'] },
  ocspSigning: { kind: 'signing', zh: 'OCSP 签名密钥', purposes: ['ocspResponse'] },
  reportSigning: { kind: 'signing', zh: '报告签名密钥', purposes: ['report'] },
  journalSigning: { kind: 'signing', zh: '日志签名密钥', purposes: ['checkpoint'] },
} as const satisfies Record<string, { kind: 'diversification' | 'signing'; zh: string; purposes?: readonly SignPurpose[] }>;

export type KeyClass = keyof typeof KEY_CLASSES;
export type SigningClass = { [C in KeyClass]: (typeof KEY_CLASSES)[C]['kind'] extends 'signing' ? C : never }[KeyClass];
export type DiversificationClass = Exclude<KeyClass, SigningClass>;
