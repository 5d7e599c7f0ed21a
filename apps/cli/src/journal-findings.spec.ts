import { describe, expect, it } from '@jest/globals';
import type { JournalState } from '#libs/journal';
import { clockFindings, journalFindings } from './doctor-checks.js';

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

describe('clockFindings', () => {
  const host = new Date('2026-06-01T08:00:00Z');
  const at = (ms: number): Date => new Date(host.getTime() + ms);
  it.each<[string, number, number | undefined, string[]]>([
    ['agrees', 100, -5_000, ['ok']],
    ['an empty journal', 0, undefined, ['ok']],
    ['behind the database', 3_600_000, -5_000, ['bad']],
    ['ahead of it', -3_000, -5_000, ['bad']],
    ['behind what is recorded', 0, 3_600_000, ['ok', 'bad']],
  ])('%s', (_, database, latest, verdicts) => {
    const found = clockFindings(host, { now: at(database), latest: latest === undefined ? undefined : at(latest) });
    expect(found.map(({ verdict }) => verdict)).toEqual(verdicts);
  });
});
