import { hash } from 'node:crypto';
import { canonicalJson, type JsonValue } from '#libs/platform/domain';
import type { TreeHash } from './merkle.js';

/** What was done, to what. `kind` is `<room>.<act>`; `data` holds identifiers and digests, never a secret or a name. */
export interface JournalAct {
  readonly kind: string;
  readonly subject: string;
  readonly data: { readonly [key: string]: JsonValue };
}

export interface JournalLeaf {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  /** RFC 8785 bytes; stored as they are hashed, never serialised again. */
  readonly body: Uint8Array;
  /** RFC 9162 2.1.1: SHA-256(0x00 ‖ body). */
  readonly leafHash: Uint8Array;
}

export function journalLeaf(id: string, act: JournalAct, at: Date): JournalLeaf {
  const body = canonicalJson({ v: 1, id, at: at.toISOString(), kind: act.kind, subject: act.subject, data: act.data });
  return { id, kind: act.kind, subject: act.subject, body, leafHash: leafHash(body) };
}

/** RFC 9162 2.1.1: HASH(0x00 ‖ body). */
export function leafHash(body: Uint8Array, algorithm: TreeHash = 'sha256'): Uint8Array {
  return hash(algorithm, leafInput(body), 'buffer');
}

/** 0x00 ‖ body: what a leaf hash is taken over. */
export function leafInput(body: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + body.length);
  input.set(body, 1);
  return input;
}
