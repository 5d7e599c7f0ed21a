import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { csvLine, INPUT, ndjsonLine } from '../../../../test/builders/settlement-lines.js';
import { CSV_HEADER_LINE } from '../../../../test/load/settlement-day/messages.js';
import { CSV_COLUMNS, CSV_HEADER } from './csv-format.js';
import { LONGEST_LINE, parseLine, SETTLEMENT_FORMATS, type SettlementFormat } from './settlement-format.js';
import type { SettlementRecord } from './settlement-record.js';

const parse = (format: SettlementFormat, line: Buffer, ended = true): ReturnType<typeof parseLine> => parseLine(format, line, ended);
const record = (format: SettlementFormat, line: Buffer): SettlementRecord => {
  const parsed = parse(format, line);
  if ('fault' in parsed) throw new Error(JSON.stringify(parsed.fault));
  return parsed.record;
};
const fault = (format: SettlementFormat, line: Buffer, ended = true): [string, string | undefined, number] => {
  const parsed = parse(format, line, ended);
  if (!('fault' in parsed)) throw new Error('no fault');
  return [parsed.fault.reason.code, parsed.fault.reason.field, parsed.fault.at];
};

describe('NDJSON', () => {
  it('reads a record; what was signed is the bytes of `input` as they stand', () => {
    const line = ndjsonLine();
    const read = record('ndjson', line);
    expect(Buffer.from(read.signedBytes).toString()).toBe(JSON.stringify(INPUT));
    expect(read).toMatchObject({
      txId: 'S1', cardNo: 'A12345674', institutionCode: 'H11010100001', signType: 'SHA256withECDSA', certSerial: '51AA',
      receivedAtMs: Date.parse('2026-03-16T01:00:01.250Z'), terminalTimeMs: Date.parse('2026-03-16T01:00:00Z'),
      amounts: { type: 'settle', totalFen: 10_000n, balanceAfterFen: 47_000n }, booked: { txId: 'S1', totalFen: 10_000n },
    });
    const spaced = Buffer.from(line.toString().replace('"input":{', '"input" :  { ').replace('}}', ' } }'));
    expect(Buffer.from(record('ndjson', spaced).signedBytes).toString()).toBe(JSON.stringify(INPUT).replace('{', '{ ').replace('}', ' }'));
  });

  it('reads escapes as the text they stand for and keeps their bytes', () => {
    const line = Buffer.from(ndjsonLine().toString().replace('"input":{"mdtrt_id":"M1"', '"input":{"mdtrt_id":"\\u004d1"'));
    expect(Buffer.from(record('ndjson', line).signedBytes).toString()).toContain('\\u004d1');
  });

  it('takes a missing or empty signature as a record without one', () => {
    expect(record('ndjson', ndjsonLine({ header: { cainfo: undefined, cert_sn: undefined, cert_issuer: undefined, signtype: undefined } }))).toMatchObject({ signature: '', signType: '' });
    expect(record('ndjson', ndjsonLine({ header: { cainfo: '' } })).signature).toBe('');
  });

  const text = ndjsonLine().toString();
  const at = (piece: string): number => Buffer.from(text.slice(0, text.indexOf(piece))).length;
  it.each([
    ['an amount as a number', { input: { acct_pay: 30 } }, 'FIELD_INVALID', 'input.acct_pay'],
    ['an amount with one decimal', { input: { acct_pay: '30.0' } }, 'FIELD_INVALID', 'input.acct_pay'],
    ['minus zero', { input: { acct_pay: '-0.00' } }, 'FIELD_INVALID', 'input.acct_pay'],
    ['no id', { input: { setl_id: undefined } }, 'FIELD_MISSING', 'input.setl_id'],
    ['an empty id', { input: { setl_id: '' } }, 'FIELD_INVALID', 'input.setl_id'],
    ['a day that is none', { header: { recv_time: '2026-02-30T09:00:01.250+08:00' } }, 'FIELD_INVALID', 'recv_time'],
    ['no receive time', { header: { recv_time: undefined } }, 'FIELD_MISSING', 'recv_time'],
    ['an unknown type', { input: { tx_type: 'gift' } }, 'FIELD_INVALID', 'input.tx_type'],
    ['a signature that is no text', { header: { cainfo: null } }, 'FIELD_INVALID', 'cainfo'],
    ['no booked row', { booked: { medfee_sumamt: undefined } }, 'FIELD_MISSING', 'booked.medfee_sumamt'],
  ])('rejects %s', (_name, change, code, field) => {
    expect(fault('ndjson', ndjsonLine(change)).slice(0, 2)).toEqual([code, field]);
  });

  it('says at which byte', () => {
    expect(fault('ndjson', Buffer.from(text.replace('"30.00"', '30.00')))).toEqual(['FIELD_INVALID', 'input.acct_pay', at('"30.00"')]);
    expect(fault('ndjson', Buffer.from(text.replace('"setl_id":"S1","psn_no"', '"psn_no"')))).toEqual(['FIELD_MISSING', 'input.setl_id', at('{"mdtrt_id"')]);
    expect(fault('ndjson', Buffer.from(text.replace('"input":{', '"input":[{').replace(/}}$/, '}]}')))).toEqual(['FIELD_INVALID', 'input', at('{"mdtrt_id"')]);
    const broken = Buffer.concat([Buffer.from(text.slice(0, text.indexOf('东'))), Buffer.of(0xb6, 0xab), Buffer.from(text.slice(text.indexOf('东')))]);
    expect(fault('ndjson', broken)).toEqual(['NOT_UTF8', undefined, at('东')]);
  });
});

describe('CSV in GB18030', () => {
  it('reads a record; what was signed is the line before the signature column', () => {
    const line = csvLine();
    const read = record('csv-gb18030', line);
    expect(Buffer.from(read.signedBytes).equals(line.subarray(0, line.indexOf(',MAYC')))).toBe(true);
    expect(read).toMatchObject({ txId: 'S1', headerInstitutionCode: 'H11010100001', signature: 'MAYCAQECAQI=', amounts: { totalFen: 10_000n } });
  });

  it('has the header that the generator, which shares no code, writes', () => {
    expect(Buffer.from(CSV_HEADER).toString()).toBe(CSV_HEADER_LINE);
    expect(CSV_COLUMNS).toHaveLength(28);
  });

  it('says what is wrong and at which byte', () => {
    const line = csvLine();
    const place = (piece: string): number => line.indexOf(Buffer.from(piece, 'latin1'));
    expect(fault('csv-gb18030', csvLine({ acct_pay: '30' }))).toEqual(['FIELD_INVALID', 'input.acct_pay', place('30.00,10.00')]);
    expect(fault('csv-gb18030', csvLine({ trans_time: '2026-13-16 09:00:00' }))).toEqual(['FIELD_INVALID', 'input.trans_time', place('2026-03-16 09')]);
    expect(fault('csv-gb18030', Buffer.concat([line, Buffer.from(',')]))).toEqual(['COLUMN_COUNT', undefined, line.length + 1]);
    expect(fault('csv-gb18030', csvLine({ psn_name: '"x"' }))).toEqual(['QUOTE_NOT_ALLOWED', undefined, place('\xd5\xc5')]);
    expect(fault('csv-gb18030', csvLine({ psn_name: '\xff' }))).toEqual(['NOT_GB18030', undefined, place('\xd5\xc5')]);
    expect(fault('csv-gb18030', csvLine({ psn_name: 'a\tb' }))).toEqual(['NOT_GB18030', undefined, place('\xd5\xc5') + 1]);
    expect(fault('csv-gb18030', csvLine({ psn_name: 'x,y' }))).toEqual(['COLUMN_COUNT', undefined, line.length - 1]);
  });
});

describe('any line', () => {
  it('may end in CR LF; empty, cut and endless ones are rejected by name', () => {
    expect(record('ndjson', Buffer.concat([ndjsonLine(), Buffer.from('\r')])).txId).toBe('S1');
    expect(record('csv-gb18030', Buffer.concat([csvLine(), Buffer.from('\r')])).booked.totalFen).toBe(10_000n);
    expect(fault('ndjson', Buffer.from(''))).toEqual(['LINE_EMPTY', undefined, 0]);
    expect(fault('csv-gb18030', Buffer.from('\r'))).toEqual(['LINE_EMPTY', undefined, 0]);
    expect(fault('ndjson', ndjsonLine(), false)).toEqual(['LINE_TRUNCATED', undefined, ndjsonLine().length]);
    expect(fault('ndjson', Buffer.alloc(LONGEST_LINE + 1, 0x20))).toEqual(['LINE_TOO_LONG', undefined, LONGEST_LINE]);
  });

  it('gives a record or a fault inside the line, whatever its bytes', () => {
    const whole = { ndjson: ndjsonLine(), 'csv-gb18030': csvLine() };
    const mutated = fc.tuple(fc.constantFrom(...SETTLEMENT_FORMATS), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), fc.option(fc.nat())).map(([format, changes, cut]) => {
      const line = Buffer.from(whole[format]);
      for (const [at, byte] of changes) line[at % line.length] = byte;
      return { format, line: cut === null ? line : line.subarray(0, cut % line.length) };
    });
    const noise = fc.tuple(fc.constantFrom(...SETTLEMENT_FORMATS), fc.uint8Array({ maxLength: 60 })).map(([format, bytes]) => ({ format, line: Buffer.from(bytes) }));
    fc.assert(
      fc.property(fc.oneof(mutated, noise), ({ format, line }) => {
        const parsed = parse(format, line);
        if ('fault' in parsed) {
          expect(parsed.fault.at).toBeGreaterThanOrEqual(0);
          expect(parsed.fault.at).toBeLessThanOrEqual(line.length);
        } else {
          // The signed bytes are a piece of the line itself, never made anew.
          expect(line.includes(Buffer.from(parsed.record.signedBytes))).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
