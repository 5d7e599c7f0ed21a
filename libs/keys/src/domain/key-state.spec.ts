import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KEY_STATES, type KeyState, transition } from './key-state.js';

const states = Object.keys(KEY_STATES) as KeyState[];

describe('key states (NIST SP 800-57 part 1, 7)', () => {
  it('never leaves an end, and never comes back from compromise', () => {
    for (const to of states) {
      expect(() => transition('destroyed', to)).toThrow('KEY_STATE_ILLEGAL');
      expect(() => transition('aborted', to)).toThrow('KEY_STATE_ILLEGAL');
      if (to !== 'destroyed') expect(() => transition('compromised', to)).toThrow('KEY_STATE_ILLEGAL');
    }
  });

  it('cannot become active without having been preActive', () => {
    expect(() => transition('planned', 'active')).toThrow('KEY_STATE_ILLEGAL');
    expect(transition('preActive', 'active')).toBe('active');
  });

  it('whatever is asked for, only moves of the table happen, and compromise cannot be forgotten', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...states), { maxLength: 30 }), (wishes) => {
        let state: KeyState = 'planned';
        let compromised = false;
        for (const to of wishes) {
          try {
            state = transition(state, to);
          } catch {
            continue;
          }
          compromised ||= state === 'compromised';
          expect(compromised && state !== 'compromised' && state !== 'destroyed').toBe(false);
        }
      }),
    );
  });
});
