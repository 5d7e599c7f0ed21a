import { AppError } from '#libs/platform/domain';
import type { AsymmetricAlgorithm, KcvMethod, SymmetricAlgorithm } from './algorithms.js';
import type { PackedRecipe } from './batch.js';
import type { ShareAlgorithm } from './escrow.js';
import { numberOf, SHARE_TRANSPORT, SIGNING_NAMES, signMechanism, SYMMETRIC_NAMES, type SymmetricNames } from './mechanisms.js';
import type { VendorProfile } from './vendor-profile.js';

/** Mechanisms that a recipe uses with keys of one algorithm. */
const NEEDS: Readonly<Record<PackedRecipe, (names: SymmetricNames, algorithm: SymmetricAlgorithm) => readonly string[]>> = {
  checkValues: ({ encryptData }) => [encryptData],
  fingerprints: ({ encryptData }) => [encryptData, 'CKM_SHA256_HMAC'],
  protectForCard: ({ encryptData, ecb, cbc }) => [encryptData, ecb, cbc, 'CKM_CONCATENATE_DATA_AND_BASE', 'CKM_CONCATENATE_BASE_AND_DATA'],
  commandMacs: ({ encryptData, ecb, cbc }, algorithm) => (algorithm === '3des2' ? [encryptData, ecb, cbc] : [encryptData, cbc]),
  authenticateToCard: ({ encryptData, ecb }) => [encryptData, ecb],
  purchaseMacs: ({ encryptData, cbc }) => [encryptData, cbc],
  tacs: ({ encryptData, cbc }, algorithm) => (algorithm === '3des2' ? [encryptData, cbc, 'CKM_XOR_HALVES'] : [encryptData, cbc]),
};

/**
 * What a device can do inside: what its profile claims, less what the probe did not find. What is missing is refused by name
 * and never computed by the host.
 */
export class Capabilities {
  readonly #missing: ReadonlySet<string>;

  /** `mechanisms`: numbers of C_GetMechanismList. */
  constructor(
    private readonly device: string,
    private readonly profile: VendorProfile,
    private readonly mechanisms: readonly number[],
  ) {
    this.#missing = new Set(missingCapabilities(profile, mechanisms));
  }

  /** Recipe × algorithm that the profile claims and the module lacks, for instance `protectForCard (sm4)`. */
  get missing(): readonly string[] {
    return [...this.#missing];
  }

  offers(recipe: PackedRecipe, algorithm: SymmetricAlgorithm): boolean {
    return (this.profile.recipes[recipe]?.includes(algorithm) ?? false) && !this.#missing.has(named(recipe, algorithm));
  }

  offersMethod(method: KcvMethod, algorithm: SymmetricAlgorithm): boolean {
    return this.offers('checkValues', algorithm) && (this.profile.checkValueMethods[method]?.includes(algorithm) ?? false);
  }

  /** A root that cannot be fingerprinted cannot be told from another, so no such root is made. */
  offersRoot(algorithm: SymmetricAlgorithm): boolean {
    return this.offers('fingerprints', algorithm);
  }

  offersSigning(algorithm: AsymmetricAlgorithm): boolean {
    return this.profile.signing.includes(algorithm) && !this.#missing.has(named('sign', algorithm));
  }

  /** Throws HSM_CAPABILITY_MISSING that names the recipe, and the algorithm where the device has the recipe for another one. */
  require(recipe: PackedRecipe, algorithm: SymmetricAlgorithm): void {
    if (this.offers(recipe, algorithm)) return;
    const elsewhere = (this.profile.recipes[recipe] ?? []).some((other) => this.offers(recipe, other));
    throw this.lacks(elsewhere ? named(recipe, algorithm) : recipe);
  }

  requireMethod(method: KcvMethod, algorithm: SymmetricAlgorithm): void {
    if (!this.offersMethod(method, algorithm)) throw this.lacks(`checkValues (${method}, ${algorithm})`);
  }

  requireRoot(algorithm: SymmetricAlgorithm): void {
    if (!this.offersRoot(algorithm)) throw this.lacks(named('generateKey', algorithm));
  }

  requireSigning(recipe: 'generateKeyPair' | 'sign', algorithm: AsymmetricAlgorithm): void {
    if (!this.offersSigning(algorithm)) throw this.lacks(named(recipe, algorithm));
  }

  requireTransfer(): void {
    if (!this.profile.transfer || this.#missing.has('transfer')) throw this.lacks('transfer');
  }

  /** `algorithm`: how shares travel. Throws HSM_CAPABILITY_MISSING `escrow`, or `escrow (sm2)` where it does escrow by RSA alone. */
  requireEscrow(algorithm: ShareAlgorithm): void {
    if (!this.profile.escrow || this.#missing.has('escrow')) throw this.lacks('escrow');
    if (!shareMechanisms(algorithm).every((name) => hasMechanism(this.profile, this.mechanisms, name))) throw this.lacks(named('escrow', algorithm));
  }

  /** Wrapping and unwrapping of shares alone: what a custodian's token does. Throws HSM_CAPABILITY_MISSING. */
  requireShares(algorithm: ShareAlgorithm): void {
    const needs = ['CKM_GENERIC_SECRET_KEY_GEN', ...shareMechanisms(algorithm)];
    if (!needs.every((name) => hasMechanism(this.profile, this.mechanisms, name))) throw this.lacks(named('escrow', algorithm));
  }

  lacks(recipe: string): AppError {
    return new AppError('HSM_CAPABILITY_MISSING', { device: this.device, recipe });
  }
}

/** What the profile claims and C_GetMechanismList does not bear out. */
export function missingCapabilities(profile: VendorProfile, mechanisms: readonly number[]): string[] {
  const has = (name: string): boolean => hasMechanism(profile, mechanisms, name);
  const missing: string[] = [];
  for (const [recipe, algorithms] of Object.entries(profile.recipes) as [PackedRecipe, readonly SymmetricAlgorithm[]][]) {
    for (const algorithm of algorithms) {
      const names = SYMMETRIC_NAMES[algorithm];
      if (numberOf(profile, names.keyType) === undefined || !NEEDS[recipe](names, algorithm).every(has)) missing.push(named(recipe, algorithm));
    }
  }
  for (const algorithm of profile.signing) {
    const { keyType, generate } = SIGNING_NAMES[algorithm];
    if (numberOf(profile, keyType) === undefined || ![generate, signMechanism(profile, algorithm)].every(has)) missing.push(named('sign', algorithm));
  }
  if (profile.transfer && !['CKM_RSA_PKCS_OAEP', 'CKM_AES_KEY_WRAP', 'CKM_RSA_PKCS_KEY_PAIR_GEN', 'CKM_AES_KEY_GEN'].every(has)) missing.push('transfer');
  if (profile.escrow && ![...ESCROW_NEEDS, ...shareMechanisms('rsaOaep')].every(has)) missing.push('escrow');
  return missing;
}

/** Beside what wraps a share: making shares, joining and hashing them, wrapping the root, proving a share. */
const ESCROW_NEEDS = [
  'CKM_GENERIC_SECRET_KEY_GEN', 'CKM_CONCATENATE_DATA_AND_BASE', 'CKM_CONCATENATE_BASE_AND_KEY', 'CKM_SHA256_KEY_DERIVATION', 'CKM_SHA256_HMAC', 'CKM_AES_KEY_WRAP',
];

function shareMechanisms(algorithm: ShareAlgorithm): string[] {
  const { generate, wrap } = SHARE_TRANSPORT[algorithm];
  return [generate, wrap];
}

function hasMechanism(profile: VendorProfile, mechanisms: readonly number[], name: string): boolean {
  const number = numberOf(profile, name);
  return number !== undefined && (mechanisms.includes(number) || profile.unlisted.includes(name));
}

function named(recipe: string, algorithm: string): string {
  return `${recipe} (${algorithm})`;
}
