import type { SignPurpose } from '#libs/platform/domain';
import type { SignedPolicy } from '#libs/signature';
import type { AsymmetricAlgorithm, KcvMethod, Sm4SessionForm, SymmetricAlgorithm } from './domain/algorithms.js';
import type { DeviceGroup } from './domain/device-group.js';
import type { EscrowCustodian, EscrowPackage, EscrowTarget, ShareAlgorithm, WrappingKey } from './domain/escrow.js';
import type { PinAnswer, PinQuestion } from './domain/pin-question.js';
import type { FleetStatus } from './domain/fleet-status.js';
import type { DiversificationClass, SigningClass } from './domain/key-class.js';

/** Name of a token in the HSM configuration, for instance `general-1`. */
export type DeviceName = string;
/**
 * Where an idempotent recipe may run: one device by name, or any device of a group that holds the keys (`@diversification`).
 * In a group the supervisor chooses, and a sibling takes over what a failing device did not answer.
 */
export type DeviceChoice = DeviceName | `@${DeviceGroup}`;
/** CKA_ID of a key, 16 bytes as 32 upper-case hex characters. */
export type KeyId = string;

export type { EscrowCustodian, EscrowPackage, EscrowTarget, PinAnswer, PinQuestion, ShareAlgorithm, WrappingKey };
export type { AsymmetricAlgorithm, DeviceGroup, FleetStatus, KcvMethod, Sm4SessionForm, SymmetricAlgorithm };

/**
 * A root and the factors that lead to the key meant, highest level first (region, card, file). Each 8 bytes, not reserved.
 * How many a card key has is fixed by its class: CARD_ROLES in domain/class-rules.ts.
 */
export interface KeyPath {
  readonly keyId: KeyId;
  readonly factors: readonly Uint8Array[];
}

/** How a call is to be run. */
export interface CallOptions {
  /** `batch` work gets at most 70 % of a group and waits behind `online`. Default: online. */
  readonly priority?: 'online' | 'batch';
  /** Compute on two devices of the group and compare before anything is released (HSM_ANSWER_WRONG). Default: false. */
  readonly paired?: boolean;
}

export interface DeviceStatus {
  readonly device: DeviceName;
  readonly group: DeviceGroup;
  /** `quarantined`: it gave a wrong known answer and is not asked until it gives right ones again. `tokenReplaced`: not the token that this host knows. */
  readonly state: 'up' | 'starting' | 'missing' | 'pinLatched' | 'moduleChanged' | 'tokenReplaced' | 'down' | 'quarantined';
  readonly tokenSerial: string;
  readonly tokenLabel: string;
  readonly profile: string;
  /** What this module does not enforce by itself; the agent's templates are the guard there. */
  readonly notEnforced: readonly string[];
  readonly reason: string;
}

/** A key object as the device reports it. No value ever. */
export interface KeyObject {
  readonly keyId: KeyId;
  readonly label: string;
  readonly objectClass: 'secret' | 'private' | 'public';
  readonly sensitive: boolean;
  readonly extractable: boolean;
  readonly usages: readonly string[];
}

/** One WRITE KEY: everything that the secure-messaging APDU of domain.md 1.5 holds. All bytes as they go to the card. */
export interface ProtectedKeyLoad {
  /** The key to load. */
  readonly key: KeyPath;
  /** The key of the card that protects the load: it encrypts, and makes the MAC. */
  readonly controlKey: KeyPath;
  /** Card-specific header between length and key (8 bytes in the built-in card profile). */
  readonly header: Uint8Array;
  /** CLA INS P1 P2; the agent appends Lc. */
  readonly command: Uint8Array;
  /** The card's challenge, 4 or 8 bytes; the MAC's initial value. */
  readonly challenge: Uint8Array;
}

export interface ProtectedKey {
  readonly cipher: Uint8Array;
  readonly mac: Uint8Array;
}

/** Secure-messaging MAC over a command with clear data: ISO 9797-1 Alg 3, padding 2, leftmost 4 bytes. */
export interface CommandMac {
  readonly key: KeyPath;
  /** CLA INS P1 P2; the agent appends Lc (data length + 4). */
  readonly command: Uint8Array;
  readonly data: Uint8Array;
  readonly challenge: Uint8Array;
}

/** EXTERNAL AUTHENTICATE: E3(key, challenge), 8 bytes (a 4-byte challenge is padded with zeros). */
export interface CardAuthentication {
  readonly key: KeyPath;
  readonly challenge: Uint8Array;
}

/** MAC1 of a purchase (SESPK = E3(DPK, rnd4 ‖ cardSeq2 ‖ low 2 bytes of termSeq4); MAC over `data`, 4 bytes). */
export interface PurchaseMac {
  readonly key: KeyPath;
  /** 8 bytes: rnd4 ‖ cardSeq2 ‖ termSeq2. */
  readonly sessionInput: Uint8Array;
  readonly data: Uint8Array;
  /** SM4 keys only; default `complement`. */
  readonly sm4Session?: Sm4SessionForm;
}

/** Transaction certificate of PBOC 2.0: CBC-MAC under DTK_L ⊕ DTK_R (single DES), with SM4 under the whole DTK; 4 bytes. */
export interface Tac {
  readonly key: KeyPath;
  readonly data: Uint8Array;
}

export interface SignItem {
  readonly keyId: KeyId;
  readonly purpose: SignPurpose;
  /** The exact bytes to be signed; hashed with SHA-256, or SM3(Z ‖ bytes) with the default ID for an SM2 key. */
  readonly bytes: Uint8Array;
}

export interface KnownAnswer {
  readonly name: string;
  readonly expected: string;
  readonly actual: string;
}

/**
 * The HSM fleet in the language of the trade: whole recipes, whole batches. No decrypt, wrap or derive exists above the
 * agent. Every call throws AppError (HSM_*, TOKEN_MISSING, PIN_REFUSED, KEY_*, FACTOR_RESERVED, SIGN_TYPE_MISMATCH).
 */
export abstract class Hsm {
  abstract devices(): Promise<DeviceStatus[]>;

  /** Devices with their groups, breakers, sessions, counters and records: what an operator looks at. */
  abstract fleet(): Promise<FleetStatus>;

  /** A patrol note, or a step of onboarding, firmware change or return to the vendor (domain/device-steps.ts). */
  abstract noteDevice(device: DeviceName, entry: { step: string; by: string; note: string }): Promise<void>;

  /** Every version of the signed approval policy, the first one first. */
  abstract policyChain(): Promise<SignedPolicy[]>;

  /** Hands in the next version, signed by the quorum of the one in force. Throws POLICY_INVALID, APPROVAL_*, QUORUM_NOT_MET. */
  abstract addPolicy(signed: SignedPolicy): Promise<void>;

  /** Nothing runs under this rule until a quorum starts it again. Throws REQUEST_INVALID for what is no rule. */
  abstract stop(rule: string): Promise<void>;

  /** Needs approvals by the rule `start`. */
  abstract start(rule: string): Promise<void>;

  /** What the supervisor asks before it logs in with a PIN that is new to it. */
  abstract pinQuestions(): Promise<PinQuestion[]>;

  /** Throws HSM_REFUSED when this is not what the host asks any more. */
  abstract answerPin(question: PinQuestion, answer: PinAnswer): Promise<void>;

  /** Makes a diversification root in the device, sensitive, still extractable under a wrap until `seal`. */
  abstract generateKey(
    device: DeviceName,
    key: { keyId: KeyId; label: string; keyClass: DiversificationClass; algorithm: SymmetricAlgorithm },
  ): Promise<void>;

  /** Makes a signing pair, never extractable. Returns the SubjectPublicKeyInfo in DER (RFC 5280 4.1.2.7). */
  abstract generateKeyPair(
    device: DeviceName,
    key: { keyId: KeyId; label: string; keyClass: SigningClass; algorithm: AsymmetricAlgorithm },
  ): Promise<{ publicKey: Uint8Array }>;

  /** Copies a root from one device to another under a wrap: AES KEK under RSA-OAEP, then RFC 3394. Same CKA_ID. */
  abstract transfer(key: { keyId: KeyId; from: DeviceName; to: DeviceName }): Promise<void>;

  /** Takes CKA_EXTRACTABLE off for ever. */
  abstract seal(device: DeviceName, keyId: KeyId): Promise<void>;

  /** Check values of roots and of their children, computed inside; 3 or 5 bytes each, in order. */
  abstract checkValues(device: DeviceChoice, items: readonly { key: KeyPath; method: KcvMethod }[], options?: CallOptions): Promise<Uint8Array[]>;

  /** 16 bytes each, computed inside over a fixed label under the reserved child; what software compares. */
  abstract fingerprints(device: DeviceChoice, keyIds: readonly KeyId[], options?: CallOptions): Promise<Uint8Array[]>;

  abstract protectForCard(device: DeviceChoice, items: readonly ProtectedKeyLoad[], options?: CallOptions): Promise<ProtectedKey[]>;
  abstract commandMacs(device: DeviceChoice, items: readonly CommandMac[], options?: CallOptions): Promise<Uint8Array[]>;
  abstract authenticateToCard(device: DeviceChoice, items: readonly CardAuthentication[], options?: CallOptions): Promise<Uint8Array[]>;
  abstract purchaseMacs(device: DeviceChoice, items: readonly PurchaseMac[], options?: CallOptions): Promise<Uint8Array[]>;

  abstract tacs(device: DeviceChoice, items: readonly Tac[], options?: CallOptions): Promise<Uint8Array[]>;

  /** Signatures in order: ECDSA and SM2 as DER (RFC 3279 2.2.3), RSA as PKCS#1 v1.5. Each is verified before it is released. */
  abstract sign(device: DeviceChoice, items: readonly SignItem[], options?: CallOptions): Promise<Uint8Array[]>;

  /**
   * Enters the published transport key with which virtual cards leave the factory (40414243…4E4F, class psamTransportRoot,
   * sealed). No value travels. Only a device configured with `testKeys: true` does it; every other refuses (HSM_REFUSED).
   */
  abstract importTestTransportKey(device: DeviceName, key: { keyId: KeyId; label: string }): Promise<void>;

  /**
   * Escrow (docs/hsm-room.md). The device's security officer enters the custodians' public keys as trusted; no others are afterwards.
   * Takes the device out of service for a moment. Throws PIN_REFUSED.
   */
  abstract escrowTrust(device: DeviceName, keys: readonly WrappingKey[]): Promise<void>;

  /** Splits a root that is not sealed among custodians whose keys the device trusts. */
  abstract escrowSplit(device: DeviceName, split: { keyId: KeyId; splitId: string; m: number; custodians: readonly EscrowCustodian[] }): Promise<EscrowPackage>;

  /** Opens a recovery: the public key that m custodians' tokens wrap their shares to. Serves once. */
  abstract escrowTarget(device: DeviceName, target: { splitId: string; algorithm: ShareAlgorithm }): Promise<EscrowTarget>;

  /** Brings a root back from exactly m shares, in ascending order, under its own id and still to be sealed. Throws ESCROW_*. */
  abstract escrowRecover(device: DeviceName, recovery: { keyId: KeyId; escrow: EscrowPackage; shares: readonly { index: number; wrapped: Uint8Array }[] }): Promise<void>;

  /** Gives up an open recovery; returns how many objects were destroyed. */
  abstract escrowAbort(device: DeviceName, splitId: string): Promise<number>;

  /** Destroys the objects under this CKA_ID; returns how many there were. */
  abstract destroy(device: DeviceName, keyId: KeyId): Promise<number>;

  abstract inventory(device: DeviceName): Promise<KeyObject[]>;

  /** Imports the published test keys of the recipes, computes with them inside, destroys them. */
  abstract knownAnswers(device: DeviceName): Promise<KnownAnswer[]>;
}
