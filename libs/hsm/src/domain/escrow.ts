import { hash } from 'node:crypto';
import { z } from 'zod';
import { AppError, ascii, canonicalJson, concatBytes, fromHex } from '#libs/platform/domain';
import { SYMMETRIC_ALGORITHMS } from './algorithms.js';

/*
 * m-of-n escrow of a root without a clear key on any host (design in docs/hsm-room.md, "Escrow"). The device makes a fresh session key
 * K_i for each custodian, wraps it to that custodian's own token, and wraps the root once for every m-subset S under
 * K_S = SHA-256(escrowData ‖ K_a ‖ K_b ‖ …), K in ascending order of the custodians' numbers. Everything here is public.
 */

export const CUSTODIANS_MOST = 7;
/** One opens nothing: that would be a copy in one hand. */
export const CUSTODIANS_LEAST = 2;
/** RSA-OAEP (SHA-1, RFC 8017 7.1) or SM2 encryption (GB/T 32918.4, C1C3C2): how a share travels to a token. */
export const SHARE_ALGORITHMS = ['rsaOaep', 'sm2'] as const;
export type ShareAlgorithm = (typeof SHARE_ALGORITHMS)[number];
export const SHARE_BYTES = 32;
export const SHARE_CHECK_BYTES = 16;

const id = z.string().regex(/^[0-9A-F]{32}$/, '32 upper-case hex characters');
const hex = (least: number, most: number = least) => z.string().min(2 * least).max(2 * most).regex(/^([0-9A-F]{2})+$/, 'upper-case hex');
const index = z.int().min(1).max(CUSTODIANS_MOST);

/** What is kept of a split. No part of it opens without m custodians' tokens; each of them signs its digest. */
export const EscrowPackage = z.strictObject({
  format: z.literal('hufu/escrow/1'),
  rootId: id,
  splitId: id,
  m: z.int().min(CUSTODIANS_LEAST).max(CUSTODIANS_MOST),
  n: z.int().min(CUSTODIANS_LEAST).max(CUSTODIANS_MOST),
  /** Class and label of the root as its object has them. */
  objectLabel: z.string().min(3).max(128),
  algorithm: z.enum(SYMMETRIC_ALGORITHMS),
  /** First 3 bytes of E(K, 0…0), for people. */
  kcv: hex(3),
  fingerprint: hex(16),
  /** Serial number of the token that made the split. */
  tokenSerial: z.string().min(1).max(32),
  /** In order 1 … n; keyDigest = SHA-256 of the SubjectPublicKeyInfo of the token's escrow key. */
  custodians: z.array(z.strictObject({ index, algorithm: z.enum(SHARE_ALGORITHMS), keyDigest: hex(32) })).min(CUSTODIANS_LEAST).max(CUSTODIANS_MOST),
  /** K_i wrapped to custodian i. */
  wrappedShares: z.array(hex(64, 512)).min(CUSTODIANS_LEAST).max(CUSTODIANS_MOST),
  /** By what a share is known and, with it, everything above: see `shareCheckData`. */
  shareChecks: z.array(hex(SHARE_CHECK_BYTES)).min(CUSTODIANS_LEAST).max(CUSTODIANS_MOST),
  /** The root under K_S (RFC 3394), S in the order of `subsetsOf`. */
  wrappedRoots: z.array(hex(16, 64)).min(1).max(35),
});
export type EscrowPackage = z.infer<typeof EscrowPackage>;
/** What is fixed before the first share is wrapped. */
export type EscrowHeader = Omit<EscrowPackage, 'wrappedShares' | 'shareChecks' | 'wrappedRoots'>;

/** A public key that shares are wrapped to: another party's, whose digest people have compared. */
export interface WrappingKey {
  readonly algorithm: ShareAlgorithm;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
}

/** Of whom a new split is made. */
export interface EscrowCustodian extends WrappingKey {
  readonly index: number;
}

/** What custodians are told of a recovery: the public key that their shares go to, and its digest as it is read aloud. */
export interface EscrowTarget extends WrappingKey {
  readonly keyDigest: string;
  readonly spoken: string;
}

/** All m-subsets of 1 … n, each ascending, in lexicographic order: 2 of 3 → [1,2], [1,3], [2,3]. */
export function subsetsOf(n: number, m: number): number[][] {
  if (m === 0) return [[]];
  const subsets: number[][] = [];
  for (let first = 1; first <= n; first++) {
    for (const rest of subsetsOf(n - first, m - 1)) subsets.push([first, ...rest.map((each) => each + first)]);
  }
  return subsets;
}

/** What stands before the shares in the derivation of K_S: "hufu/escrow/1" ‖ root id (16) ‖ split id (16) ‖ |S| (1) ‖ S (one byte each). */
export function escrowData(of: { readonly rootId: string; readonly splitId: string }, subset: readonly number[]): Uint8Array {
  return concatBytes(ascii('hufu/escrow/1'), fromHex(of.rootId), fromHex(of.splitId), Uint8Array.of(subset.length, ...subset));
}

export const SHARE_CHECK_LABEL = ascii('hufu/escrow/share/1');

/**
 * What stands before K_i in the derivation of its check key: the label, SHA-256 of the canonical header, the number. The check is the
 * first 16 bytes of HMAC-SHA-256(SHA-256(this ‖ K_i), label). So a share that belongs elsewhere names itself before a key is touched,
 * and whoever changes class, quorum, custodians or fingerprint in a package would have to know a share.
 */
export function shareCheckData(header: EscrowHeader, custodian: number): Uint8Array {
  return concatBytes(SHARE_CHECK_LABEL, hash('sha256', canonicalJson(header), 'buffer'), Uint8Array.of(custodian));
}

export function headerOf(escrow: EscrowPackage): EscrowHeader {
  const { wrappedShares: _shares, shareChecks: _checks, wrappedRoots: _roots, ...header } = escrow;
  return header;
}

/** RFC 8785: the bytes that are stored, and whose digest custodians sign. */
export function escrowBytes(escrow: EscrowPackage): Uint8Array {
  return canonicalJson(escrow);
}

export function escrowDigest(escrow: EscrowPackage): string {
  return hash('sha256', escrowBytes(escrow), 'hex').toUpperCase();
}

/** SHA-256 of the SubjectPublicKeyInfo, upper-case hex. */
export function keyDigestOf(publicKey: Uint8Array): string {
  return hash('sha256', publicKey, 'hex').toUpperCase();
}

/**
 * A public key's digest as it is read aloud: eight groups of five digits, each four bytes modulo 100 000. Digits are said alike by all
 * who are in the room; the whole stands for 132 bits.
 */
export function spokenFingerprint(publicKey: Uint8Array): string {
  const digest = new DataView(Uint8Array.from(hash('sha256', publicKey, 'buffer')).buffer);
  return Array.from({ length: 8 }, (_, group) => String(digest.getUint32(4 * group) % 100_000).padStart(5, '0')).join(' ');
}

/** Numbers 1 … n in order, n keys, m that can be met. Throws ESCROW_PACKAGE_INVALID. */
export function requireSplit(m: number, custodians: readonly { readonly index: number; readonly keyDigest: string }[]): void {
  const n = custodians.length;
  if (m < CUSTODIANS_LEAST || m > n || n > CUSTODIANS_MOST) throw invalid(`${m} of ${n}`);
  if (custodians.some((custodian, at) => custodian.index !== at + 1)) throw invalid('custodians are not numbered 1 to n');
  if (new Set(custodians.map(({ keyDigest }) => keyDigest)).size !== n) throw invalid('two custodians have one key');
}

/** Throws ESCROW_PACKAGE_INVALID when a package does not hold exactly what its quorum needs. */
export function requireWhole(escrow: EscrowPackage): void {
  const { m, n, custodians, wrappedShares, shareChecks, wrappedRoots } = escrow;
  requireSplit(m, custodians);
  const counts = [custodians.length === n, wrappedShares.length === n, shareChecks.length === n, wrappedRoots.length === subsetsOf(n, m).length];
  if (counts.includes(false)) throw invalid(`not the parts of ${m} of ${n}`);
  if ([wrappedShares, shareChecks, wrappedRoots].some((parts) => new Set(parts).size !== parts.length)) throw invalid('two parts are the same');
}

/** The wrapped root for exactly this subset. Throws ESCROW_SHARES_MISSING for any other number of different custodians than m. */
export function wrappedRootFor(escrow: EscrowPackage, subset: readonly number[]): Uint8Array {
  const at = subsetsOf(escrow.n, escrow.m).findIndex((each) => each.join() === subset.join());
  const wrapped = escrow.wrappedRoots[at];
  if (wrapped === undefined) throw new AppError('ESCROW_SHARES_MISSING', { needed: escrow.m, of: escrow.n, given: subset.join(', ') });
  return fromHex(wrapped);
}

function invalid(reason: string): AppError {
  return new AppError('ESCROW_PACKAGE_INVALID', { reason });
}
