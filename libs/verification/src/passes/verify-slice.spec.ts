import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { leafHash } from '#libs/journal';
import { HEADER, INPUT, ndjsonLine } from '../../../../test/builders/settlement-lines.js';
import { ChunkReader } from '../domain/chunk-output.js';
import { SPILL_BYTES } from '../domain/duplicates.js';
import type { StatusSnapshot } from '../domain/status-snapshot.js';
import { StatusIndex } from './status-index.js';
import { verdictLeaf, verifySlice } from './verify-slice.js';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const at = Date.parse('2026-03-16T00:00:00Z');
const snapshot: StatusSnapshot = {
  takenAtMs: at,
  certificates: [{
    issuerHash: HEADER.cert_issuer, serial: HEADER.cert_sn, publicKey: pair.publicKey.export({ format: 'der', type: 'spki' }), notBeforeMs: 0, notAfterMs: 2 * at,
    chain: { notBeforeMs: 0, notAfterMs: 2 * at }, holder: { kind: 'card', id: INPUT.card_no }, statusKnownUntilMs: 2 * at,
  }],
  cards: [{ cardNo: INPUT.card_no, activeFromMs: 0 }],
};
const status = new StatusIndex(snapshot);
const signature = sign('sha256', Buffer.from(JSON.stringify(INPUT)), pair.privateKey).toString('base64');
const signed = ndjsonLine({ header: { cainfo: signature } });

function verdicts(...lines: Buffer[]): unknown[] {
  return read(lines).map((line) => JSON.parse(line));
}

function read(lines: Buffer[]): string[] {
  const reader = chunk(lines);
  return Array.from({ length: reader.head.lines }, (_, i) => reader.outcome(i).verdictLine);
}

function chunk(lines: Buffer[]): ChunkReader {
  const bytes = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
  return new ChunkReader(Buffer.from(verifySlice({ bytes, fileName: 'f', fileNo: 3, format: 'ndjson', firstLine: 11, byteStart: 5_000, buckets: 2 }, status)));
}

describe('verifySlice', () => {
  it('numbers lines in the file and rejects where the fault lies in the file', () => {
    expect(verdicts(signed, Buffer.from('{"x'), signed)).toEqual([
      { class: 'OK', file: 'f', line: 11, tx: 'S1' },
      { class: 'FORMAT', file: 'f', line: 12, offset: 5_000 + signed.length + 1 + 3, reason: 'JSON_SYNTAX', tx: '' },
      { class: 'OK', file: 'f', line: 13, tx: 'S1' },
    ]);
  });

  it('verifies over the bytes as they stand: the same message written otherwise is not what was signed', () => {
    const spaced = Buffer.from(signed.toString().replace('"input":{', '"input":{ '));
    const outside = Buffer.from(signed.toString().replace('{"infno"', '{ "infno"'));
    expect(verdicts(spaced, outside)).toMatchObject([{ class: 'BAD_SIGNATURE' }, { class: 'OK' }]);
  });

  it.each([
    ['white space in the Base64', `${signature.slice(0, 8)} ${signature.slice(8)}`],
    ['URL-safe Base64', signature.replaceAll('+', '-').replaceAll('/', '_').replace(/=*$/, '')],
    ['bytes after the signature', Buffer.concat([Buffer.from(signature, 'base64'), Buffer.of(0)]).toString('base64')],
    ['no Base64 at all', '***'],
  ])('takes no second spelling of a signature: %s', (_name, cainfo) => {
    expect(verdicts(ndjsonLine({ header: { cainfo } }))).toMatchObject([{ class: 'BAD_SIGNATURE' }]);
  });

  it('spills payable transactions only, each to one bucket', () => {
    const { head } = chunk([signed, ndjsonLine(), signed]);
    expect(head.bucketBytes.reduce((sum, bytes) => sum + bytes, 0)).toBe(2 * SPILL_BYTES);
    expect(head.counts).toEqual({ BAD_SIGNATURE: 1, OK: 2 });
  });

  it('hashes leaves as the journal does (RFC 9162 2.1.1)', () => {
    const [line] = read([signed]) as [string];
    expect(Buffer.from(verdictLeaf(line)).equals(leafHash(Buffer.from(line)))).toBe(true);
    expect(Buffer.from(verdictLeaf('张')).equals(leafHash(Buffer.from('张')))).toBe(true);
  });
});
