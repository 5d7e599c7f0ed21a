import { DER, type DerElement, derChildren, derContent, readDer, toHex } from '#libs/platform/domain';
import type { RecipeName, RecipeRequest } from './recipes.js';

/**
 * What a recipe needs beside the client's own right. This table is code and no setting changes it: the signed policy says who and
 * how many, never whether.
 *   free       routine, bound by the purpose of its key or without effect on keys
 *   ticket     routine under a signed ticket that is counted down
 *   approvals  privileged: m approvers have signed exactly this act
 */
export type Authority = 'free' | 'ticket' | 'approvals';

const AUTHORITIES: Readonly<Record<Exclude<RecipeName, 'sign'>, Authority>> = {
  devices: 'free',
  fleet: 'free',
  deviceNote: 'free',
  pinQuestions: 'free',
  pinAnswer: 'free',
  inventory: 'free',
  knownAnswers: 'free',
  checkValues: 'free',
  fingerprints: 'free',
  policyChain: 'free',
  // The quorum before it has signed it, which is looked at where it is kept.
  addPolicy: 'free',
  // One person may stop; a quorum starts again.
  stop: 'free',
  start: 'approvals',
  protectForCard: 'ticket',
  commandMacs: 'ticket',
  authenticateToCard: 'ticket',
  purchaseMacs: 'ticket',
  tacs: 'ticket',
  generateKey: 'approvals',
  generateKeyPair: 'approvals',
  importTestTransportKey: 'approvals',
  transfer: 'approvals',
  seal: 'approvals',
  escrowTrust: 'approvals',
  escrowSplit: 'approvals',
  escrowTarget: 'approvals',
  escrowRecover: 'approvals',
  // Ends a recovery that can be opened anew; no key is touched.
  escrowAbort: 'free',
  destroy: 'approvals',
};

export interface Authorised {
  readonly authority: Authority;
  /** Name of the rule in the signed policy. */
  readonly rule: string;
}

/** A stop of the rule by which stops are ended could not be ended. */
export function isStoppable(rule: string): boolean {
  return rule !== 'start' && POLICY_RULES.includes(rule);
}

export function authorityOf(recipe: RecipeName, request: unknown): Authorised {
  if (recipe !== 'sign') return { authority: AUTHORITIES[recipe], rule: recipe };
  const certificates = (request as RecipeRequest<'sign'>).items.filter(({ purpose }) => purpose === 'tbsCertificate');
  if (certificates.some(({ bytes }) => mayIssue(bytes))) return { authority: 'approvals', rule: 'sign:caCertificate' };
  return certificates.length > 0 ? { authority: 'ticket', rule: 'sign:certificate' } : { authority: 'free', rule: 'sign' };
}

/** Every rule that a signed policy must have for all recipes to be possible. */
export const POLICY_RULES: readonly string[] = [
  ...Object.entries(AUTHORITIES).flatMap(([recipe, authority]) => (authority === 'free' ? [] : [recipe])),
  'sign:caCertificate',
  'sign:certificate',
];

/** 2.5.29.19 basicConstraints, 2.5.29.15 keyUsage, 2.16.840.1.113730.1.1 nsCertType. */
const ISSUES: Readonly<Record<string, (value: Uint8Array) => boolean>> = {
  '551D13': (value) => derChildren(value, whole(value)).some(({ tag }) => tag === DER.boolean),
  // Without basicConstraints OpenSSL takes keyCertSign, and the old Netscape type, for a CA.
  '551D0F': (value) => ((derContent(value, whole(value))[1] ?? 0) & KEY_CERT_SIGN) !== 0,
  '6086480186F8420101': () => true,
};
/** Bit 5 of the first octet of KeyUsage (RFC 5280 4.2.1.3), after the count of unused bits. */
const KEY_CERT_SIGN = 0x04;
const EXTENSIONS = 0xa3;

/**
 * Whether this TBSCertificate makes a CA: basicConstraints with cA TRUE (RFC 5280 4.2.1.9), or what relying parties take for it.
 * What cannot be read counts as one, and so does a certificate without extensions (version 1), so that a strange encoding never
 * gets by with less.
 */
export function mayIssue(tbs: Uint8Array): boolean {
  try {
    const lists = derChildren(tbs, whole(tbs)).filter(({ tag }) => tag === EXTENSIONS).flatMap((wrapper) => derChildren(tbs, wrapper));
    return lists.length !== 1 || derChildren(tbs, lists[0] as DerElement).some((extension) => issues(tbs, extension));
  } catch {
    return true;
  }
}

/** Extension: OID, critical if TRUE, OCTET STRING (RFC 5280 4.1). */
function issues(tbs: Uint8Array, extension: DerElement): boolean {
  const [oid, ...rest] = derChildren(tbs, extension);
  const value = rest.at(-1);
  const form = rest.map(({ tag }) => tag).join();
  if (oid?.tag !== DER.oid || value === undefined || ![`${DER.octetString}`, `${DER.boolean},${DER.octetString}`].includes(form)) return true;
  return ISSUES[toHex(derContent(tbs, oid))]?.(derContent(tbs, value)) ?? false;
}

/** The one element that fills `bytes`. Throws when something follows it. */
function whole(bytes: Uint8Array): DerElement {
  const element = readDer(bytes);
  if (element.end !== bytes.length) throw new RangeError('bytes after the element');
  return element;
}
