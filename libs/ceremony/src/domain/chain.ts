import { z } from 'zod';
import { AppError, canonicalJson, type JsonValue } from '#libs/platform/domain';
import { type CeremonyEvent, parseEvent } from './event.js';
import { Digests, digestsOf, sameDigests } from './digests.js';

/** One line of a transcript: the event and its own digests, so that a change is found where it was made and not one line later. */
export interface Link {
  readonly event: CeremonyEvent;
  readonly digests: Digests;
}

const Line = z.strictObject({ digests: Digests, event: z.unknown() });
export const LONGEST_LINE_BYTES = 256 * 1024;

export function linkOf(event: CeremonyEvent): Link {
  return { event, digests: digestsOf(event as unknown as JsonValue) };
}

/** Canonical JSON and a newline. */
export function lineOf({ event, digests }: Link): Uint8Array {
  return canonicalJson({ digests, event } as unknown as JsonValue);
}

/** Reads one line; `at` is what it is called in an error. Throws CEREMONY_CHAIN_BROKEN where content and digests do not fit. */
export function readLine(line: string, at: number): Link {
  let content: unknown;
  try {
    content = JSON.parse(line);
  } catch (error) {
    throw broken(at, '不是 JSON', 'it is not JSON', error);
  }
  const parsed = Line.safeParse(content);
  if (!parsed.success) throw broken(at, '缺少摘要', 'it has no digests');
  // The digests are of what stands there, before any reading by a schema could add to it.
  if (!sameDigests(digestsOf(parsed.data.event as JsonValue), parsed.data.digests)) throw broken(at, '内容被修改', 'its content was changed');
  const event = parseEvent(parsed.data.event);
  if (!sameDigests(digestsOf(event as unknown as JsonValue), parsed.data.digests)) throw broken(at, '不是规范形式', 'it is not in its one form');
  return { event, digests: parsed.data.digests };
}

/** An event follows the one before it, in number, digest, ceremony and mode. Throws CEREMONY_CHAIN_BROKEN. */
export function requireFollows(before: Link | undefined, { event }: Link): void {
  const at = (before?.event.seq ?? 0) + 1;
  if (event.seq !== at) throw broken(at, `此处为第 ${event.seq} 号`, `number ${event.seq} stands there`);
  const follows = before === undefined ? event.previous === null : event.previous !== null && sameDigests(event.previous, before.digests);
  if (!follows) throw broken(at, '与前一事件不相接', 'it does not follow the event before it');
  if (before !== undefined && (event.ceremony !== before.event.ceremony || event.mode !== before.event.mode)) throw broken(at, '属于另一作业', 'it is of another ceremony');
}

function broken(event: number, reasonZh: string, reasonEn: string, cause?: unknown): AppError {
  return new AppError('CEREMONY_CHAIN_BROKEN', { event, reasonZh, reasonEn }, cause === undefined ? undefined : { cause });
}
