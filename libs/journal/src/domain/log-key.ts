import { z } from 'zod';
import { canonicalJson, fromHex, toHex } from '#libs/platform/domain';
import type { JournalAct } from './entry.js';

/** The key that signs heads. */
export interface LogKey {
  /** CKA_ID, 32 upper-case hex characters. */
  readonly keyId: string;
  readonly algorithm: 'p256' | 'sm2';
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  readonly deviceGroup: string;
  /** The first shard that it may sign. */
  readonly fromShard: number;
}

/** The head of a shard that is closed: the next shard names it in its leaf 0, so that years follow one another. */
export interface ClosedShard {
  readonly shard: number;
  readonly size: number;
  readonly sha256Root: string;
  readonly sm3Root: string;
}

/** Kind of the entry that puts a key into force: leaf 0 of every shard, and the last entry before a rotation. */
export const LOG_KEY_KIND = 'journal.logKey';

/** What the signature of a head is verified with. */
export const SIGNATURE_ALGORITHMS = { p256: 'p256Sha256', sm2: 'sm2Sm3' } as const satisfies Record<LogKey['algorithm'], string>;

/** The entry by which `key` takes over, in `shard`. `previous`: the shard before it, at its leaf 0 only. */
export function logKeyAct(key: LogKey, shard: number, previous: ClosedShard | undefined): JournalAct {
  const closed = previous === undefined ? null : { shard: previous.shard, size: previous.size, sha256Root: previous.sha256Root, sm3Root: previous.sm3Root };
  return { kind: LOG_KEY_KIND, subject: key.keyId, data: { shard, algorithm: key.algorithm, publicKey: toHex(key.spki), previous: closed } };
}

const digest = z.string().regex(/^[0-9A-F]{64}$/);
const LogKeyBody = z.strictObject({
  v: z.literal(1),
  id: z.uuid(),
  at: z.iso.datetime(),
  kind: z.literal(LOG_KEY_KIND),
  subject: z.string().regex(/^[0-9A-F]{32}$/),
  data: z.strictObject({
    shard: z.int(),
    algorithm: z.enum(['p256', 'sm2']),
    publicKey: z.string().regex(/^([0-9A-F]{2}){32,512}$/),
    previous: z.strictObject({ shard: z.int(), size: z.int().min(1), sha256Root: digest, sm3Root: digest }).nullable(),
  }),
});

export interface LogKeyNamed {
  readonly keyId: string;
  readonly algorithm: LogKey['algorithm'];
  readonly spki: Uint8Array;
  readonly shard: number;
  readonly previous: ClosedShard | undefined;
}

/** What a `journal.logKey` entry says; undefined for a body that is not one, or not in its canonical form. */
export function readLogKey(body: Uint8Array): LogKeyNamed | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    const { subject, data } = LogKeyBody.parse(value);
    if (Buffer.compare(canonicalJson(value as never), body) !== 0) return undefined;
    return { keyId: subject, algorithm: data.algorithm, spki: fromHex(data.publicKey), shard: data.shard, previous: data.previous ?? undefined };
  } catch {
    // Not JSON, not UTF-8 or another form: not such an entry.
    return undefined;
  }
}
