import { describe, expect, it, jest } from '@jest/globals';
import { toHex } from '#libs/platform/domain';
import type { Logger } from '#libs/platform/host';
import { Breaker } from '../domain/breaker.js';
import type { DeviceAgent } from './device-agent.js';
import type { FingerprintRecord } from './fingerprint-record.js';
import { KnownAnswerWatch } from './known-answer-watch.js';

const KEY = '01'.repeat(16);
const FINGERPRINT = Uint8Array.from({ length: 32 }, (_, i) => i);

/** A device that is quarantined and answers every fingerprint with `answer`. */
function quarantined(keys: readonly string[], answer: Uint8Array) {
  const release = jest.fn();
  const run = jest.fn(() => Promise.resolve(Uint8Array.of(answer.length, ...answer)));
  const agent = { name: 'd', config: { testKeys: false }, keys: new Set(keys), breaker: new Breaker(), counts: { knownAnswerRuns: 0 }, rightRuns: 0, status: () => ({ state: 'quarantined' }), run, release };
  const record = { ofRoot: (keyId: string) => (keyId === KEY ? toHex(FINGERPRINT) : undefined) } as unknown as FingerprintRecord;
  // The next run of a row would come by a timer after a third of this.
  const watch = new KnownAnswerWatch(new Map(), record, { warn: jest.fn() } as unknown as Logger, 0, jest.fn(), jest.fn());
  return { look: () => watch.look(agent as unknown as DeviceAgent), agent, release, run };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

describe('a quarantined device', () => {
  it('is released by three right runs in a row', async () => {
    const { look, release, run } = quarantined([KEY], FINGERPRINT);
    expect(await look()).toBe(true);
    await settled();
    expect(run.mock.calls.length).toBeGreaterThanOrEqual(3);
    expect(release).toHaveBeenCalled();
  });

  it('is not released by runs in which nothing was asked: it holds no recorded key, and test keys are not allowed', async () => {
    const { look, release, run } = quarantined(['02'.repeat(16)], FINGERPRINT);
    for (let n = 0; n < 5; n++) expect(await look()).toBe(false);
    await settled();
    expect([run.mock.calls.length, release.mock.calls.length]).toEqual([0, 0]);
  });

  it('starts to count anew after a wrong answer', async () => {
    const { look, release, agent } = quarantined([KEY], FINGERPRINT.map((byte) => byte ^ 1));
    agent.rightRuns = 2;
    expect(await look()).toBe(false);
    expect([agent.rightRuns, release.mock.calls.length]).toEqual([0, 0]);
  });
});
