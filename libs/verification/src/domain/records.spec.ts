import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RESULT_CLASS_NAMES } from '#libs/platform/domain';
import { bucketRange, ChunkReader, encodeChunk, type LineOutcome } from './chunk-output.js';
import { runProgress } from './progress.js';
import { REJECT_REASONS, rejectText } from './reject-reason.js';
import { isFinished, RUN_STATES, transitionRun } from './run-state.js';
import { decodeSnapshot, encodeSnapshot } from './status-snapshot.js';
import { verdictLine } from './verdict.js';

describe('chunk output', () => {
  const outcome = fc.record<LineOutcome>({
    verdictLine: fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\n')),
    leaf: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    resultClass: fc.constantFrom(...RESULT_CLASS_NAMES),
    institutionCode: fc.constantFrom('', 'H1', 'H2', 'H3'),
    totalFen: fc.bigInt({ min: -(10n ** 14n), max: 10n ** 14n }),
  });

  it('is read back line by line, and its buckets where the head says', () => {
    fc.assert(
      fc.property(fc.array(outcome), fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 4 }), (outcomes, buckets) => {
        const bytes = Buffer.from(encodeChunk(outcomes, buckets));
        const reader = new ChunkReader(bytes);
        expect(outcomes.map((_, i) => ({ ...reader.outcome(i), leaf: Uint8Array.from(reader.leaf(i)) }))).toEqual(outcomes.map((each) => ({ ...each, leaf: Uint8Array.from(each.leaf) })));
        expect(reader.verdicts.toString()).toBe(outcomes.map((each) => `${each.verdictLine}\n`).join(''));
        for (const [i, bucket] of buckets.entries()) {
          const { start, end } = bucketRange(reader.head, bytes.readUInt32BE(0), i);
          expect(bytes.subarray(start, end).equals(bucket)).toBe(true);
        }
        expect(Object.values(reader.head.counts).reduce((sum, count) => sum + count, 0)).toBe(outcomes.length);
      }),
    );
  });
});

describe('snapshot', () => {
  const certificate = (serial: string): Parameters<typeof encodeSnapshot>[0]['certificates'][number] => ({ issuerHash: 'AA', serial, publicKey: Uint8Array.of(1, 2), notBeforeMs: 1, notAfterMs: 2 });
  const full = { ...certificate('02'), chain: { notBeforeMs: 0, notAfterMs: 9 }, holder: { kind: 'card', id: 'X' }, revokedAtMs: 5, statusKnownUntilMs: 7 };

  it('is the same bytes in whatever order the registers answer, and reads back', () => {
    const one = encodeSnapshot({ takenAtMs: 3, certificates: [certificate('01'), full], cards: [{ cardNo: 'B', activeFromMs: 1 }, { cardNo: 'A', activeFromMs: 2, cancelledAtMs: 4 }] });
    const other = encodeSnapshot({ takenAtMs: 3, certificates: [full, certificate('01')], cards: [{ cardNo: 'A', activeFromMs: 2, cancelledAtMs: 4 }, { cardNo: 'B', activeFromMs: 1 }] });
    expect(Buffer.from(one).equals(other)).toBe(true);
    const read = decodeSnapshot(one);
    expect({ ...read.certificates[1], publicKey: Uint8Array.from(read.certificates[1]?.publicKey ?? []) }).toEqual(full);
    expect(read.certificates[0]?.chain).toBeUndefined();
    expect(read.cards).toEqual([{ cardNo: 'A', activeFromMs: 2, cancelledAtMs: 4 }, { cardNo: 'B', activeFromMs: 1 }]);
    expect(() => decodeSnapshot(one.subarray(0, one.length - 20))).toThrow(expect.objectContaining({ code: 'EVIDENCE_DAMAGED' }));
  });
});

describe('run', () => {
  it('goes one way, and never on from its end', () => {
    const legal = RUN_STATES.flatMap((from) => RUN_STATES.filter((to) => {
      try {
        return transitionRun(from, to) === to;
      } catch {
        return false;
      }
    }).map((to) => `${from}>${to}`));
    expect(legal).toEqual(['verifying>comparing', 'verifying>failed', 'comparing>merging', 'comparing>failed', 'merging>done', 'merging>failed']);
    expect(RUN_STATES.filter(isFinished)).toEqual(['done', 'failed']);
  });

  it('reports progress with rate and time left', () => {
    const states = [{ state: 'verifying' as const, at: new Date(0), reason: undefined }];
    const chunks = [{ lines: 100, counts: { OK: 90, FORMAT: 10 } }, { lines: 100, counts: { OK: 100 } }];
    expect(runProgress(1_000, states, chunks, new Date(4_000))).toEqual({
      state: 'verifying', reason: undefined, lines: 1_000, linesDone: 200, counts: { FORMAT: 10, OK: 190 }, linesPerSecond: 50, secondsLeft: 16,
    });
    expect(runProgress(1_000, states, [], new Date(4_000)).secondsLeft).toBeUndefined();
  });
});

describe('verdict line', () => {
  it('is canonical JSON (RFC 8785)', () => {
    expect(verdictLine({ file: 'a "b"', line: 3, txId: 'S1', resultClass: 'OK' })).toBe('{"class":"OK","file":"a \\"b\\"","line":3,"tx":"S1"}');
    const fault = { offset: 99, reason: { code: 'FIELD_MISSING' as const, field: 'input.setl_id' } };
    expect(verdictLine({ file: 'f', line: 1, txId: '', resultClass: 'FORMAT', fault })).toBe('{"class":"FORMAT","file":"f","line":1,"offset":99,"reason":"FIELD_MISSING:input.setl_id","tx":""}');
  });

  it('has a text in both languages for every reason', () => {
    for (const code of Object.keys(REJECT_REASONS) as (keyof typeof REJECT_REASONS)[]) {
      const { zh, en } = rejectText({ code, field: 'x' });
      expect(zh).toMatch(/[一-鿿]/);
      expect(en).toMatch(/[a-z]/);
      expect(zh + en).not.toContain('{');
    }
  });
});
