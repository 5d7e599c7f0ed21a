import { describe, expect, it } from '@jest/globals';
import { type AnchorPlace, distinctPlaces } from './anchor-places.js';

const FILE: AnchorPlace = { kind: 'file' };
const syslog = (host?: string): AnchorPlace => ({ kind: 'syslog', ...(host === undefined ? {} : { host }) });

describe('distinctPlaces', () => {
  it.each<[string, readonly AnchorPlace[], number]>([
    ['one file', [FILE], 1],
    ['two files', [FILE, FILE], 1],
    ['a file and a collector', [FILE, syslog('collector.example')], 2],
    ['a file and a local daemon', [FILE, syslog()], 2],
    ['two collectors', [syslog('a.example'), syslog('b.example')], 2],
    ['one collector twice', [syslog('a.example'), syslog('A.example')], 1],
    ['this host by four names', [syslog(), syslog('localhost'), syslog('127.0.0.1'), syslog('::1')], 1],
  ])('%s', (_, anchors, places) => expect(distinctPlaces(anchors)).toBe(places));
});
