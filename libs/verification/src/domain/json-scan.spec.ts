import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { JsonScanner, type JsonSpan } from './json-scan.js';

const scan = (text: string): { scanner: JsonScanner; found: JsonSpan | undefined } => {
  const scanner = new JsonScanner(Buffer.from(text));
  return { scanner, found: scanner.object() };
};

describe('JsonScanner', () => {
  it('finds where values lie, white space inside them included', () => {
    const text = ' {"a" : "x" , "input":\t{ "b": [1, {"c":null}] , "d":"é"} }\r';
    const { found } = scan(text);
    const input = found?.members?.get('input');
    const bytes = Buffer.from(text);
    expect(bytes.subarray(input?.start, input?.end).toString()).toBe('{ "b": [1, {"c":null}] , "d":"é"}');
    expect([...(input?.members?.keys() ?? [])]).toEqual(['b', 'd']);
    expect(input?.members?.get('b')?.kind).toBe('array');
  });

  it.each([
    ['', 'JSON_SYNTAX', 0],
    ['[]', 'JSON_SYNTAX', 0],
    ['{"a":1}x', 'JSON_SYNTAX', 7],
    ['{"a":1,}', 'JSON_SYNTAX', 7],
    ['{"a" 1}', 'JSON_SYNTAX', 5],
    ['{"a":01}', 'JSON_SYNTAX', 6],
    ['{"a":-}', 'JSON_SYNTAX', 6],
    ['{"a":1.}', 'JSON_SYNTAX', 7],
    ['{"a":1e}', 'JSON_SYNTAX', 7],
    ['{"a":tru}', 'JSON_SYNTAX', 8],
    ['{"a":"\t"}', 'JSON_SYNTAX', 6],
    ['{"a":"\\x"}', 'JSON_SYNTAX', 6],
    ['{"a":"\\u12g4"}', 'JSON_SYNTAX', 6],
    ['{"a":"b', 'JSON_SYNTAX', 7],
    ['{"a":[1 2]}', 'JSON_SYNTAX', 8],
    ['{a:1}', 'JSON_SYNTAX', 1],
    ['{"a":1,"a":2}', 'JSON_DUPLICATE_NAME', 7],
    ['{"x":{"a":1,"b":{"c":1,"c":1}}}', 'JSON_DUPLICATE_NAME', 23],
    ['{"x":[{"a":1,"a":1}]}', 'JSON_DUPLICATE_NAME', 13],
    ['{"\\u0061":1}', 'JSON_NAME_ESCAPED', 1],
    [`{"a":${'['.repeat(9)}${']'.repeat(9)}}`, 'JSON_TOO_DEEP', 13],
  ])('%s → %s at byte %i', (text, code, at) => {
    const { scanner, found } = scan(text);
    expect(found).toBeUndefined();
    expect([scanner.fault?.reason.code, scanner.fault?.at]).toEqual([code, at]);
  });

  it('reads strings as JSON.parse does, and refuses half a surrogate pair', () => {
    const { scanner, found } = scan('{"a":"\\u5f20\\n\\"x\\"","b":"\\ud800","c":"张","d":1}');
    const text = (name: string): string | undefined => scanner.text(found?.members?.get(name) as JsonSpan);
    expect([text('a'), text('b'), text('c'), text('d')]).toEqual(['张\n"x"', undefined, '张', undefined]);
  });

  it('accepts what JSON.parse accepts, and finds the same values', () => {
    const name = fc.string().filter((text) => !JSON.stringify(text).includes('\\') && text.isWellFormed());
    const leaf = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string({ unit: 'binary' }), fc.boolean(), fc.constant(null));
    const value = fc.oneof(leaf, fc.array(leaf), fc.dictionary(name, leaf));
    fc.assert(
      fc.property(fc.dictionary(name, value), fc.constantFrom(0, 1, 2), (object, indent) => {
        const text = JSON.stringify(object, undefined, indent);
        const { scanner, found } = scan(text);
        expect(scanner.fault).toBeUndefined();
        const bytes = Buffer.from(text);
        const entries = [...(found?.members ?? [])].map(([key, span]) => [key, JSON.parse(bytes.toString('utf8', span.start, span.end))] as const);
        expect(entries).toEqual(Object.entries(JSON.parse(text) as object));
      }),
    );
  });

  it('never accepts what JSON.parse refuses, and never throws', () => {
    const mutated = fc.tuple(fc.jsonValue(), fc.nat(), fc.integer({ min: 0x20, max: 0x7e })).map(([value, at, byte]) => {
      const bytes = Buffer.from(JSON.stringify({ value }));
      bytes[at % bytes.length] = byte;
      return bytes.toString('utf8');
    });
    const soup = fc.string({ unit: fc.constantFrom(...'{}[]":,\\ue1-+.0 tfn'.split('')), maxLength: 30 });
    fc.assert(
      fc.property(fc.oneof(mutated, soup), (text) => {
        const { scanner, found } = scan(text);
        if (found === undefined) expect(scanner.fault?.at).toBeLessThanOrEqual(Buffer.byteLength(text));
        else expect(() => JSON.parse(text)).not.toThrow();
      }),
      { numRuns: 2_000 },
    );
  });
});
