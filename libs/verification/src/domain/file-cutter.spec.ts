import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isAppError } from '#libs/platform/domain';
import { CSV_HEADER } from './csv-format.js';
import { type CutFile, FileCutter } from './file-cutter.js';
import type { SettlementFormat } from './settlement-format.js';

function cut(bytes: Uint8Array, format: SettlementFormat, blockBytes = 7, linesPerSlice = 3, bytesPerSlice = 100): CutFile {
  const cutter = new FileCutter('f', format, { linesPerSlice, bytesPerSlice });
  for (let at = 0; at < bytes.length; at += blockBytes) cutter.add(Buffer.from(bytes.subarray(at, at + blockBytes)));
  cutter.finish();
  return cutter.result();
}

const code = (bytes: Uint8Array, format: SettlementFormat): string | undefined => {
  try {
    cut(bytes, format);
    return undefined;
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
};
const header = Buffer.concat([CSV_HEADER, Buffer.from('\n')]);
const gb = Buffer.from('D5C5CEB0', 'hex');

describe('FileCutter', () => {
  it('cuts on lines and covers every byte once, in whatever blocks the file arrives', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'é', ' '), maxLength: 60 }), { minLength: 1 }), fc.boolean(), fc.integer({ min: 1, max: 50 }), (texts, ended, blockBytes) => {
        const bytes = Buffer.from(`x\n${texts.join('\n')}${ended ? '\n' : 'y'}`);
        const file = cut(bytes, 'ndjson', blockBytes);
        const total = bytes.toString().split('\n').length - (ended ? 1 : 0);
        expect([file.bytes, file.lines]).toEqual([bytes.length, total]);
        let [byte, line] = [0, 1];
        for (const slice of file.slices) {
          expect([slice.byteStart, slice.firstLine]).toEqual([byte, line]);
          const part = bytes.subarray(slice.byteStart, slice.byteEnd);
          expect(createHash('sha256').update(part).digest('hex').toUpperCase()).toBe(slice.digest);
          expect(part.toString().split('\n').length - (part.at(-1) === 10 ? 1 : 0)).toBe(slice.lines);
          [byte, line] = [slice.byteEnd, slice.firstLine + slice.lines];
        }
        expect(byte).toBe(bytes.length);
      }),
    );
  });

  it('passes the header line of a CSV over; records count from line 2', () => {
    const file = cut(Buffer.concat([header, Buffer.from('a\nb\n')]), 'csv-gb18030');
    expect(file.lines).toBe(2);
    expect(file.slices[0]).toMatchObject({ firstLine: 2, byteStart: header.length, lines: 2 });
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'ndjson', 'FILE_EMPTY'],
    ['blank lines', Buffer.from('\n\r\n'), 'ndjson', 'FILE_NO_RECORDS'],
    ['a header alone', header, 'csv-gb18030', 'FILE_NO_RECORDS'],
    ['a header without its line feed', Buffer.from(CSV_HEADER), 'csv-gb18030', 'FILE_NO_RECORDS'],
    ['another header', Buffer.from('infno,msgid\na,b\n'), 'csv-gb18030', 'FILE_HEADER_WRONG'],
    ['UTF-8 instead of GB18030', Buffer.concat([header, Buffer.from('1,张伟\n2,ascii\n3,李娜\n')]), 'csv-gb18030', 'FILE_WRONG_ENCODING'],
    ['a UTF-8 mark in front', Buffer.concat([Buffer.from('efbbbf', 'hex'), header, Buffer.from('a\n')]), 'csv-gb18030', 'FILE_WRONG_ENCODING'],
    ['UTF-16', Buffer.from('fffe7b007d000a00', 'hex'), 'ndjson', 'FILE_WRONG_ENCODING'],
    ['GB18030 instead of UTF-8', Buffer.concat([gb, Buffer.from('\n'), gb, Buffer.from('\n')]), 'ndjson', 'FILE_WRONG_ENCODING'],
  ] as const)('refuses %s', (_name, bytes, format, expected) => expect(code(bytes, format)).toBe(expected));

  it.each([
    ['one damaged line among good ones', Buffer.concat([Buffer.from('{"a":"张"}\n'), gb, Buffer.from('\n')]), 'ndjson'],
    ['one damaged line alone', Buffer.concat([gb, Buffer.from('\n')]), 'ndjson'],
    ['one UTF-8 line among GB18030', Buffer.concat([header, gb, Buffer.from('\n张伟\n')]), 'csv-gb18030'],
    ['ASCII only', Buffer.concat([header, Buffer.from('a\n')]), 'csv-gb18030'],
    ['CR LF', Buffer.concat([CSV_HEADER, Buffer.from('\r\na\r\n')]), 'csv-gb18030'],
  ] as const)('lets pass %s: lines are judged one by one', (_name, bytes, format) => expect(code(bytes, format)).toBeUndefined());

  it('refuses a file without lines before it fills the memory', () => {
    const cutter = new FileCutter('f', 'ndjson');
    const block = Buffer.alloc(1_048_576, 0x61);
    expect(() => {
      for (let i = 0; i < 20; i++) cutter.add(block);
    }).toThrow(expect.objectContaining({ code: 'FILE_NOT_LINES' }));
  });
});
