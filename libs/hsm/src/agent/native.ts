import { createRequire } from 'node:module';
import type { Executor } from './executor.js';

/** What `open` is told of the module; all numbers are PKCS#11's. */
export interface ExecutorOptions {
  /** Path as pkcs11js loaded it: the executor works on the same module and login. */
  readonly modulePath: string;
  /** CK_SLOT_ID. */
  readonly slot: number;
  /** Wanted at most; a device that gives fewer is used with those. */
  readonly sessions: number;
  /** In the order of SYMMETRIC_ALGORITHMS. */
  readonly algorithms: readonly ExecutorAlgorithm[];
  /** CKM_XOR_HALVES; 0 = none. */
  readonly xorHalves: number;
  readonly checkValueAttribute: boolean;
}

export interface ExecutorAlgorithm {
  readonly keyType: number;
  readonly encryptData: number;
  readonly ecb: number;
  readonly cbc: number;
  readonly blockBytes: number;
  readonly valueLength: number;
}

interface Native {
  open(options: ExecutorOptions): Executor;
  harden(options: { readonly undumpable: boolean; readonly dieWithParent: boolean }): void;
  /** C_Login in a session of pkcs11js, as CKU_USER or CKU_SO; the PIN is read where it lies. Returns the CKR. */
  login(options: { readonly modulePath: string; readonly session: bigint; readonly user: 'user' | 'officer' }, pin: Uint8Array): number;
  /** CK_KEY_DERIVATION_STRING_DATA over these bytes, as a mechanism's parameter. */
  stringData(bytes: Uint8Array): Uint8Array;
  /** CK_ATTRIBUTE[] as the value of a template attribute. Types are PKCS#11 numbers, values as PKCS#11 has them in memory. */
  attributeArray(attributes: readonly { readonly type: number; readonly value: Uint8Array }[]): Uint8Array;
}

/** The addon of libs/hsm/native, built by ./hufu. Its place stands in package.json, the same for src and dist. */
export const native = createRequire(import.meta.url)('#native/executor.node') as Native;
