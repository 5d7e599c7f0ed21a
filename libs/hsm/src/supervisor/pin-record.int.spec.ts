import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PinRecord } from './pin-record.js';

const SERIAL = 'A1';

describe('what a host knows of a PIN', () => {
  let folder: string;
  let file: string;
  let pinFile: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hufu-pin-'));
    [file, pinFile] = [join(folder, 'pin.json'), join(folder, 'pin')];
    writeFileSync(pinFile, '123456');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const record = (): PinRecord => new PinRecord(file, pinFile);
  const proved = (): string => {
    const { pinId } = record();
    record().trying(SERIAL);
    record().proved(SERIAL);
    return pinId;
  };

  it('is proven for the token that took it, under one id, also after a restart', () => {
    const pinId = proved();
    expect([record().isProven(SERIAL), record().isProven('B2'), record().pinId]).toEqual([true, false, pinId]);
  });

  it('a PIN that was tried stays so until somebody says what came of it, and is untold until the service knows', () => {
    record().trying(SERIAL);
    expect([record().isTried, record().isProven(SERIAL), record().untold]).toEqual([true, false, SERIAL]);
    record().proved(SERIAL);
    expect([record().isTried, record().untold]).toEqual([false, SERIAL]);
    record().told();
    expect(record().untold).toBeUndefined();
  });

  it('a file that was written anew is another PIN; one that was restored is the same', () => {
    const pinId = proved();
    const before = new Date('2026-01-02T03:04:05Z');
    utimesSync(pinFile, before, before);
    expect([record().isProven(SERIAL), record().pinId === pinId]).toEqual([false, false]);
    const again = proved();
    rmSync(pinFile);
    writeFileSync(pinFile, '123456');
    utimesSync(pinFile, before, before);
    expect([record().isProven(SERIAL), record().pinId]).toEqual([true, again]);
  });

  it.each(['', '{', '{}', 'null'])('a record that reads %j proves nothing', (text) => {
    const pinId = proved();
    writeFileSync(file, text);
    expect([record().isProven(SERIAL), record().pinId === pinId]).toEqual([false, false]);
  });

  it('holds nothing of the PIN', () => {
    proved();
    expect(readFileSync(file, 'utf8')).not.toContain('123456');
  });
});
