import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { AccessConfig, AccessTerms } from '../access-terms.js';
import { Origins } from './origins.js';

const folder = mkdtempSync(join(tmpdir(), 'hufu-origins-'));
const nameKeyFile = join(folder, 'name-key');
writeFileSync(nameKeyFile, randomBytes(32));
afterAll(() => rmSync(folder, { recursive: true }));
const origins = (signIn?: object): Origins => new Origins(new AccessTerms(AccessConfig.parse({ nameKeyFile, ...(signIn === undefined ? {} : { signIn }) })));

describe('where browsers reach the service', () => {
  it('follows the port that it listens on, and is not guessed before', () => {
    const local = origins();
    expect(() => local.all()).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    local.listeningOn(8081);
    expect(local.all()).toEqual(['http://hufu.localhost:8081', 'http://approve.hufu.localhost:8081']);
    expect([local.of('signIn'), local.of('approve')]).toEqual([local.all(), ['http://approve.hufu.localhost:8081']]);
    expect([local.rpId('signIn'), local.rpId('approve')]).toEqual(['hufu.localhost', 'approve.hufu.localhost']);
  });

  it('is what the configuration says, wherever the service listens', () => {
    const given = origins({ rpIds: { signIn: 'hufu.test', approve: 'approve.hufu.test' }, origins: { console: 'https://hufu.test', approve: 'https://approve.hufu.test', certificate: 'https://hufu.test:9443' } });
    given.listeningOn(1);
    expect(given.all()).toEqual(['https://hufu.test', 'https://approve.hufu.test', 'https://hufu.test:9443']);
    expect(given.of('approve')).toEqual(['https://approve.hufu.test']);
  });

  it('is refused at the start with a path, a trailing slash, another scheme, or hosts that are not one below the other', () => {
    for (const console of ['https://hufu.test/', 'https://hufu.test/x', 'ftp://hufu.test', 'hufu.test', 'https://HUFU.test']) expect(() => origins({ origins: { console, approve: 'https://approve.hufu.test' } })).toThrow();
    expect(() => origins({ rpIds: { signIn: 'hufu.test', approve: 'other.test' } })).toThrow(/lies below/);
    expect(() => origins({ rpIds: { signIn: 'hufu.test', approve: 'nothufu.test' } })).toThrow(/lies below/);
  });
});
