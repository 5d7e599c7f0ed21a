import { AppError, equalBytes } from '#libs/platform/domain';
import { type DiversificationClass, KEY_CLASSES, type KeyClass } from './key-class.js';

/**
 * What a key below a root is used for in a card recipe, and how many factors lead to it.
 *
 * The depth is fixed because E(K, X) ‖ E(K, ~X) is the diversification rule itself (PBOC 2.0): a key that answers a card's
 * challenge or encrypts a key load must never be the parent of another key, or two "challenges" X and ~X would return that
 * other key in clear. So every card key of the control and maintenance roots stands at depth 3 (region, card serial, file),
 * also that of the MF, and the levels above it are used for nothing but diversification.
 */
export const CARD_ROLES = {
  /** The key that is written into the card. */
  load: {
    psamControlRoot: { least: 3, most: 3 },
    psamMaintenanceRoot: { least: 3, most: 3 },
    purchaseRoot: { least: 1, most: 2 },
    dataRoot: { least: 1, most: 2 },
  },
  /** The key that encrypts a key load and makes its MAC. */
  control: { psamTransportRoot: { least: 1, most: 1 }, psamControlRoot: { least: 3, most: 3 } },
  commandMac: {
    psamTransportRoot: { least: 1, most: 1 },
    psamControlRoot: { least: 3, most: 3 },
    psamMaintenanceRoot: { least: 3, most: 3 },
  },
  authenticate: { psamTransportRoot: { least: 1, most: 1 }, psamControlRoot: { least: 3, most: 3 } },
  purchaseMac: { purchaseRoot: { least: 2, most: 2 } },
  /** The key of a user card that makes transaction certificates. */
  tac: { dataRoot: { least: 2, most: 2 } },
} as const satisfies Record<string, Partial<Record<DiversificationClass, Depth>>>;

export type CardRole = keyof typeof CARD_ROLES;

/** Number of factors, both ends included. */
interface Depth {
  readonly least: number;
  readonly most: number;
}

/** Levels below a root at most: region, card, file. */
export const DEEPEST_PATH = 3;

/** Throws KEY_CLASS_MISMATCH when the class does not serve the role, KEY_PATH_DEPTH when the path is too short or too long. */
export function requireCardRole(role: CardRole, keyClass: KeyClass, key: { keyId: string; factors: readonly Uint8Array[] }): void {
  requireCardDepth(role, keyClass, key.keyId, key.factors.length);
}

/** The same by the number of factors alone. */
export function requireCardDepth(role: CardRole, keyClass: KeyClass, keyId: string, factorCount: number): void {
  const depth = (CARD_ROLES[role] as Partial<Record<KeyClass, Depth>>)[keyClass];
  if (depth === undefined) throw new AppError('KEY_CLASS_MISMATCH', { keyId, keyClass, recipe: role });
  if (factorCount < depth.least || factorCount > depth.most) {
    throw new AppError('KEY_PATH_DEPTH', { keyId, keyClass, recipe: role, least: depth.least, most: depth.most, actual: factorCount });
  }
}

/**
 * What may be loaded under which key of a card: the transport key brings in the card's own control key and nothing else, and
 * control and maintenance keys go only to the card (region and serial) whose control key protects the load.
 * Throws KEY_LOAD_NOT_ALLOWED.
 */
export function requireLoadUnder(load: KeyOnCard, control: KeyOnCard): void {
  requireLoadClasses(load.keyClass, control.keyClass, () => sameCard(load, control));
}

/** The same where the factors lie in a packed batch: `sameCard` says whether region and serial are equal. */
export function requireLoadClasses(keyClass: KeyClass, controlClass: KeyClass, isSameCard: () => boolean): void {
  const underTransport = controlClass === 'psamTransportRoot';
  const ofOneCard = keyClass === 'psamControlRoot' || keyClass === 'psamMaintenanceRoot';
  const allowed = underTransport ? keyClass === 'psamControlRoot' : !ofOneCard || isSameCard();
  if (!allowed) throw new AppError('KEY_LOAD_NOT_ALLOWED', { keyClass, controlClass });
}

interface KeyOnCard {
  readonly keyClass: KeyClass;
  readonly factors: readonly Uint8Array[];
}

function sameCard(a: KeyOnCard, b: KeyOnCard): boolean {
  return [0, 1].every((level) => equalBytes(a.factors[level] ?? new Uint8Array(), b.factors[level] ?? new Uint8Array()));
}

export function isKeyClass(name: string): name is KeyClass {
  return Object.hasOwn(KEY_CLASSES, name);
}

export const ALL_KEY_CLASSES = Object.keys(KEY_CLASSES) as readonly KeyClass[];

/** CKA_LABEL of an object: its class, a slash, the label of the key record. The agent reads the class from there. */
export function objectLabel(keyClass: KeyClass, label: string): string {
  return `${keyClass}/${label}`;
}

/** The class written in a CKA_LABEL; undefined for an object that this product did not make. */
export function classOfLabel(objectLabel: string): KeyClass | undefined {
  const name = objectLabel.slice(0, Math.max(0, objectLabel.indexOf('/')));
  return isKeyClass(name) ? name : undefined;
}
