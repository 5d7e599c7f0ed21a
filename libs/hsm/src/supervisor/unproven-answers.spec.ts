import { describe, expect, it } from '@jest/globals';
import { UnprovenAnswers } from './unproven-answers.js';

const AT = new Date('2026-03-01T08:00:00.000Z');
const answers = (): UnprovenAnswers => new UnprovenAnswers(() => AT);

describe('answers that no sibling computed', () => {
  it('are listed when their device lied, and only its own', () => {
    const unproven = answers();
    unproven.add('a', 'tacs', ['K1']);
    unproven.add('b', 'tacs', ['K2']);
    unproven.doubt('a', 0);
    expect(unproven.doubtful).toEqual([{ device: 'a', recipe: 'tacs', at: AT.toISOString(), keyIds: ['K1'] }]);
  });
  it('given before the last right known answers are not', () => {
    const unproven = answers();
    unproven.add('a', 'tacs', ['K1']);
    const provenMs = performance.now() + 1;
    unproven.doubt('a', provenMs);
    expect(unproven.doubtful).toEqual([]);
  });
  it('are forgotten when proven, all of them kept until then', () => {
    const unproven = answers();
    for (let i = 0; i < 900; i++) unproven.add('a', 'tacs', [`K${i}`]);
    unproven.proven('a', 0);
    unproven.doubt('a', 0);
    expect(unproven.doubtful).toHaveLength(900);
    unproven.add('a', 'tacs', ['L']);
    unproven.proven('a', performance.now() + 1);
    unproven.doubt('a', 0);
    expect(unproven.doubtful).toHaveLength(900);
  });
  it('are listed up to a number; the latest stay', () => {
    const unproven = answers();
    for (let i = 0; i < 1500; i++) unproven.add('a', 'tacs', [`K${i}`]);
    unproven.doubt('a', 0);
    expect([unproven.doubtful.length, unproven.doubtful.at(-1)?.keyIds]).toEqual([1000, ['K1499']]);
  });
});
