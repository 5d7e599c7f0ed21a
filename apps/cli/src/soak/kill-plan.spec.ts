import { describe, expect, it } from '@jest/globals';
import { planRounds, stageDurations, STAGES } from './kill-plan.js';

describe('the plan of a kill soak', () => {
  it('is the same for one seed, another for another', () => {
    expect(planRounds(5, 50)).toEqual(planRounds(5, 50));
    expect(planRounds(5, 50)).not.toEqual(planRounds(6, 50));
  });

  it('reaches every stage, both kinds of kill and all moments, and ends in broken runs', () => {
    const rounds = planRounds(1, 200);
    expect(new Set(rounds.map(({ stage }) => stage.name))).toEqual(new Set(STAGES.map(({ name }) => name)));
    expect(new Set(rounds.map(({ whom }) => whom))).toEqual(new Set(['leader', 'group']));
    expect([...rounds].every(({ moment }) => moment >= 0 && moment < 1)).toBe(true);
    expect(Math.max(...rounds.map(({ moment }) => moment)) - Math.min(...rounds.map(({ moment }) => moment))).toBeGreaterThan(0.9);
    expect(rounds.slice(-5).map(({ stage }) => stage.name)).toEqual(Array.from({ length: 5 }, () => 'run'));
  });

  it('takes a stage to last until the next begin', () => {
    const durations = stageDurations(new Map([['npm ci', 10], ['build', 50], ['start', 60], ['initdb', 60], ['run', 100]]), 130);
    expect(Object.fromEntries(durations)).toEqual({ 'npm ci': 40, build: 10, start: 40, initdb: 40, run: 30 });
  });
});
