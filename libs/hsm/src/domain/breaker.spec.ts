import { describe, expect, it } from '@jest/globals';
import { Breaker } from './breaker.js';

const failing = (times: number): Breaker => {
  const breaker = new Breaker();
  for (let i = 0; i < times; i++) breaker.failed();
  return breaker;
};

describe('the breaker', () => {
  it('opens at the fifth failure in a row', () => {
    expect([failing(4).state, failing(5).state]).toEqual(['closed', 'open']);
  });
  it('counts from nothing after a success', () => {
    const breaker = failing(4);
    breaker.succeeded();
    for (let i = 0; i < 4; i++) breaker.failed();
    expect(breaker.state).toBe('closed');
  });
  it('is closed by right known answers and by nothing else', () => {
    const breaker = failing(5);
    breaker.succeeded();
    expect(breaker.state).toBe('open');
    breaker.trying();
    expect(breaker.state).toBe('halfOpen');
    breaker.succeeded();
    expect(breaker.state).toBe('halfOpen');
    breaker.tried(false);
    expect(breaker.state).toBe('open');
    breaker.trying();
    breaker.tried(true);
    breaker.failed();
    expect(breaker.state).toBe('closed');
  });
  it('is opened again by a failure while known answers are asked', () => {
    const breaker = failing(5);
    breaker.trying();
    breaker.failed();
    breaker.tried(true);
    expect(breaker.state).toBe('open');
  });
  it('known answers of a device that works change nothing', () => {
    const breaker = failing(3);
    breaker.trying();
    breaker.tried(false);
    expect(breaker.state).toBe('closed');
  });
});
