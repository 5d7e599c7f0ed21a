import { RESULT_CLASS_NAMES, type ResultClass } from '#libs/platform/domain';
import { amountsAgree } from './amount.js';
import { dataMatches, type SettlementRecord } from './settlement-record.js';
import type { CardStatusView, CertificateView } from './status-snapshot.js';

/** Everything a verdict is made of. What costs time is a function, asked only when nothing before it decided. */
export interface RecordFacts {
  readonly record: SettlementRecord;
  /** The message's `signtype` is one the scheme allows. */
  readonly algorithmAllowed: boolean;
  /** Found by issuer and serial; undefined when no register knows it. */
  readonly certificate: CertificateView | undefined;
  /** Over the signed bytes, by the certificate's key and the named algorithm. */
  readonly signatureValid: () => boolean;
  /** Undefined when the register does not know the card. */
  readonly card: CardStatusView | undefined;
}

/** Classes that one record shows by itself. FORMAT is decided by the parser, DUPLICATE_TX over all records (pass 2). */
export type RecordClass = Exclude<ResultClass, 'FORMAT' | 'DUPLICATE_TX'>;

type Certified = RecordFacts & { readonly certificate: CertificateView };
type Rule = (facts: Certified, judgedAtMs: number) => boolean;

/** Every rule after CERT_UNKNOWN may rely on the certificate being there: the order of RESULT_CLASSES sees to it. */
const RULES: Readonly<Record<RecordClass, Rule>> = {
  NO_SIGNATURE: ({ record }) => record.signature === '',
  ALG_NOT_ALLOWED: ({ algorithmAllowed }) => !algorithmAllowed,
  CERT_UNKNOWN: ({ certificate }: RecordFacts) => certificate === undefined,
  BAD_SIGNATURE: ({ signatureValid }) => !signatureValid(),
  // A signature by somebody else's certificate is a signature over data of which the signer is not a party.
  DATA_MISMATCH: ({ record, certificate }) => !dataMatches(record) || !isParty(certificate, record),
  CHAIN_INVALID: ({ certificate }, at) => certificate.chain === undefined || at < certificate.chain.notBeforeMs || at > certificate.chain.notAfterMs,
  CERT_EXPIRED_AT_TX: ({ certificate }, at) => at < certificate.notBeforeMs || at > certificate.notAfterMs,
  CERT_REVOKED_AT_TX: ({ certificate }, at) => certificate.revokedAtMs !== undefined && certificate.revokedAtMs <= at,
  // A revocation after the transaction says by itself that the certificate was good until then.
  INDETERMINATE: ({ record, certificate, card }, at) =>
    (certificate.revokedAtMs === undefined && (certificate.statusKnownUntilMs ?? -Infinity) < at) || (record.cardNo !== '' && (card === undefined || at < card.activeFromMs)),
  CARD_CANCELLED_AT_TX: ({ card }, at) => card?.cancelledAtMs !== undefined && card.cancelledAtMs <= at,
  AMOUNT_MISMATCH: ({ record }) => !amountsAgree(record.amounts),
  CERT_REVOKED_LATER: ({ certificate }) => certificate.revokedAtMs !== undefined,
  OK: () => true,
};

const RECORD_CLASSES = RESULT_CLASS_NAMES.filter((name): name is RecordClass => name in RULES);

/**
 * The verdict on one record by itself: the first class, in the precedence of RESULT_CLASSES, whose rule holds. The time
 * judged is the server's receive time, since a terminal can set its own clock. Cards on hold or reported lost are not
 * told apart yet; only cancellation is.
 */
export function decide(facts: RecordFacts): RecordClass {
  const at = facts.record.receivedAtMs;
  for (const name of RECORD_CLASSES) if (RULES[name](facts as Certified, at)) return name;
  return 'OK';
}

function isParty({ holder }: CertificateView, record: SettlementRecord): boolean {
  if (holder === undefined) return true;
  if (holder.kind === 'institution') return holder.id === record.institutionCode;
  return holder.kind === 'card' && record.cardNo !== '' && holder.id === record.cardNo;
}

/** A verdict that lets the payment stand; only such records can be duplicates of each other. */
export function isPayable(resultClass: ResultClass): boolean {
  return resultClass === 'OK' || resultClass === 'CERT_REVOKED_LATER';
}
