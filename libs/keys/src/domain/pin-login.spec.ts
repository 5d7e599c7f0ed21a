import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decidePin, type PinDecision, type PinLogin, type PinLoginState } from './pin-login.js';

const A = 'A'.repeat(32);
const B = 'B'.repeat(32);

describe('what a host is told about a PIN', () => {
  it.each<['awaited' | 'tried' | 'accepted' | 'refused', PinLoginState | undefined, string, PinDecision]>([
    ['awaited', undefined, A, { record: 'attempting', answer: 'leave' }],
    ['awaited', 'cleared', B, { record: 'attempting', answer: 'leave' }],
    ['awaited', 'accepted', B, { record: 'attempting', answer: 'leave' }],
    ['awaited', 'attempting', A, { answer: 'leave' }],
    ['awaited', 'attempting', B, {}],
    ['awaited', 'refused', A, { answer: 'latched' }],
    ['awaited', 'refused', B, { answer: 'latched' }],
    ['tried', 'attempting', A, { record: 'refused', answer: 'latched' }],
    ['tried', 'attempting', B, {}],
    ['tried', undefined, A, { record: 'refused', answer: 'latched' }],
    ['tried', 'accepted', B, { record: 'refused', answer: 'latched' }],
    ['tried', 'refused', A, { answer: 'latched' }],
    ['tried', 'cleared', A, { record: 'attempting', answer: 'leave' }],
    ['accepted', 'attempting', A, { record: 'accepted', answer: 'noted' }],
    ['accepted', 'attempting', B, { answer: 'noted' }],
    ['accepted', 'refused', B, { answer: 'noted' }],
    ['refused', 'attempting', A, { record: 'refused', answer: 'noted' }],
    ['refused', 'accepted', B, { record: 'refused', answer: 'noted' }],
    ['refused', 'refused', A, { answer: 'noted' }],
  ])('%s while the last is %s of %s', (state, last, pinId, expected) => {
    expect(decidePin({ state, pinId: A }, last === undefined ? undefined : { state: last, pinId })).toEqual(expected);
  });

  it('however hosts come and go, a token sees one wrong PIN between two clearings', () => {
    // Each host: which PIN its file holds, what it has done with it. Steps: a host is asked, tries, crashes, or an operator clears.
    const step = fc.record({ host: fc.nat(3), what: fc.constantFrom('ask', 'try', 'crash', 'clear' as const) });
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.array(step, { maxLength: 60 }), (right, steps) => {
        const hosts = right.map((isRight, n) => ({ pinId: String(n).repeat(32), isRight, state: 'awaited' as string, leave: false }));
        let last: Pick<PinLogin, 'state' | 'pinId'> | undefined;
        let wrong = 0;
        for (const { host: n, what } of steps) {
          const host = hosts[n] as (typeof hosts)[number];
          if (what === 'clear') {
            // An operator clears what was looked at: nobody is at it, and the files are as they were.
            if (last?.state === 'refused') [last, wrong] = [{ state: 'cleared', pinId: last.pinId }, 0];
            for (const each of hosts) if (each.state === 'latched') each.state = 'tried';
          } else if (what === 'crash') {
            if (host.state === 'trying') host.state = 'tried';
          } else if (what === 'try') {
            if (host.state !== 'trying') continue;
            if (!host.isRight) wrong++;
            host.state = host.isRight ? 'accepted' : 'refused';
          } else if (['awaited', 'tried', 'accepted', 'refused'].includes(host.state)) {
            const { record, answer } = decidePin({ state: host.state as 'awaited', pinId: host.pinId }, last);
            if (record !== undefined) last = { state: record, pinId: host.pinId };
            if (answer === 'leave') host.state = 'trying';
            else if (answer === 'latched') host.state = 'latched';
            else if (answer === 'noted') host.state = host.state === 'accepted' ? 'up' : 'latched';
          }
          expect(wrong).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});
