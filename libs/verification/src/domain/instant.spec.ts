import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readReceiveTime, readTerminalTime } from './instant.js';

describe('times', () => {
  it('are China time', () => {
    expect(readReceiveTime('2026-03-16T08:00:00.000+08:00')).toBe(Date.parse('2026-03-16T00:00:00Z'));
    expect(readTerminalTime('2024-02-29 23:59:59')).toBe(Date.parse('2024-02-29T15:59:59Z'));
  });

  it.each(['2026-02-29T10:00:00.000+08:00', '2026-13-01T10:00:00.000+08:00', '2026-04-31T10:00:00.000+08:00', '2026-03-16T24:00:00.000+08:00',
    '2026-03-16T10:60:00.000+08:00', '2026-03-16T10:00:60.000+08:00', '2026-03-16T10:00:00.000Z', '2026-03-16T10:00:00+08:00', '2026-03-16 10:00:00.000+08:00',
    '2026-03-16T10:00:00.000+09:00', '2026-00-10T10:00:00.000+08:00', '1900-02-29T10:00:00.000+08:00'])('refuses %s', (text) => {
    expect(readReceiveTime(text)).toBeUndefined();
  });

  it('reads every instant back', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date('1971-01-01'), max: new Date('2099-12-31'), noInvalidDate: true }), (at) => {
        const text = `${new Date(at.getTime() + 8 * 3_600_000).toISOString().slice(0, 23)}+08:00`;
        expect(readReceiveTime(text)).toBe(at.getTime());
      }),
    );
  });
});
