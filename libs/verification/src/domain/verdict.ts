import type { ResultClass } from '#libs/platform/domain';
import type { RejectReason } from './reject-reason.js';

/** The verdict on one line of one file. */
export interface Verdict {
  readonly file: string;
  /** Counted from 1, header line included. */
  readonly line: number;
  /** Empty when the line could not be read. */
  readonly txId: string;
  readonly resultClass: ResultClass;
  /** FORMAT only: byte offset of the fault in the file, and why. */
  readonly fault?: { readonly offset: number; readonly reason: RejectReason } | undefined;
}

/**
 * The line of the result file, without its line feed: RFC 8785 by construction (members sorted, no spaces). These bytes
 * are the leaves of the run's Merkle tree, so nothing of the run itself stands in them.
 */
export function verdictLine(verdict: Verdict): string {
  const { fault } = verdict;
  const reason = fault === undefined ? '' : `,"offset":${fault.offset},"reason":${JSON.stringify(reasonName(fault.reason))}`;
  return `{"class":"${verdict.resultClass}","file":${JSON.stringify(verdict.file)},"line":${verdict.line}${reason},"tx":${JSON.stringify(verdict.txId)}}`;
}

/** `FIELD_MISSING:input.setl_id`, `JSON_SYNTAX`. */
export function reasonName(reason: RejectReason): string {
  return reason.field === undefined ? reason.code : `${reason.code}:${reason.field}`;
}
