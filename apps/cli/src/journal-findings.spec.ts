import { describe, expect, it } from '@jest/globals';
import type { JournalState } from '#libs/journal';
import { journalFindings } from './doctor-checks.js';

const good: JournalState = {
  logKeys: 1, waiting: 0, oldestWaitingSeconds: 0, head: { shard: 2026, size: 9, ageSeconds: 3 },
  anchors: [{ name: 'a', shard: 2026, size: 9, ageSeconds: 2 }, { name: 'b', shard: 2026, size: 9, ageSeconds: 2 }],
};
const said = (state: JournalState): string[] => journalFindings(state).filter(({ verdict }) => verdict !== 'ok').map(({ text }) => text.en);

describe('what the doctor says of the log', () => {
  it('is nothing to note when heads are fresh and anchored twice', () => expect(said(good)).toEqual([]));

  it.each<[string, Partial<JournalState>, RegExp]>([
    ['no key', { logKeys: 0, waiting: 4 }, /no log key: 4 entries wait and privileged acts are refused/],
    ['a sequencer that stands still', { waiting: 2, oldestWaitingSeconds: 61 }, /2 journal entries wait, the oldest for 61 s/],
    ['one anchor', { anchors: good.anchors.slice(1) }, /1 anchors took checkpoints/],
    ['an anchor behind', { anchors: [good.anchors[0] as JournalState['anchors'][number], { name: 'b', shard: 2026, size: 4, ageSeconds: 300 }] }, /anchor behind the log: b 2026\/4 \(300 s\)/],
  ])('names %s', (_, change, expected) => {
    expect(said({ ...good, ...change })).toEqual([expect.stringMatching(expected)]);
  });
});
