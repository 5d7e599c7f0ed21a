import { type Link, lineOf, LONGEST_LINE_BYTES, readLine } from './domain/chain.js';
import { AppError } from '#libs/platform/domain';

const NEWLINE = 0x0a;

/** Links of a transcript's bytes, and how many of the bytes they take: what a power cut left unfinished is behind them. Throws CEREMONY_CHAIN_BROKEN. */
export function readTranscript(bytes: Uint8Array): { readonly links: Link[]; readonly wholeBytes: number } {
  const links: Link[] = [];
  let from = 0;
  for (let end = bytes.indexOf(NEWLINE); end !== -1; from = end + 1, end = bytes.indexOf(NEWLINE, from)) {
    const at = links.length + 1;
    if (end - from > LONGEST_LINE_BYTES) throw new AppError('CEREMONY_CHAIN_BROKEN', { event: at, reasonZh: '行过长', reasonEn: 'its line is too long' });
    links.push(readLine(text(bytes.subarray(from, end), at), at));
  }
  return { links, wholeBytes: from };
}

/** Links as the bytes of a file. */
export function transcriptBytes(links: readonly Link[]): Uint8Array {
  return Buffer.concat(links.flatMap((link) => [lineOf(link), Uint8Array.of(NEWLINE)]));
}

function text(bytes: Uint8Array, at: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new AppError('CEREMONY_CHAIN_BROKEN', { event: at, reasonZh: '不是文本', reasonEn: 'it is not text' }, { cause: error });
  }
}
