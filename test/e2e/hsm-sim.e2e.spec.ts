import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { childEnvironment, derChildren, derContent, derSequence, derUnsigned, readDer } from '#libs/platform';

/** The simulator as C programs and OpenSC see it. The module never enters this process: `./hufu` builds it, children load it. */
const BUILD = resolve('hsm-sim/build');
const MODULE = join(BUILD, 'libhsm-sim.so');
const PROGRAMS: readonly [program: string, leastExpectations: number][] = [
  ['known-answers', 89],
  ['known-answers-asymmetric', 175],
  ['mechanisms', 287],
  ['attacks', 220],
  ['behaviour', 103],
];

describe.each(PROGRAMS)('%s', (program, leastExpectations) => {
  it(`holds all of at least ${leastExpectations} expectations`, () => {
    const run = spawnSync(join(BUILD, 'test', program), [MODULE], { encoding: 'utf8', env: childEnvironment() });
    if (run.error !== undefined) throw run.error;
    const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(run.stdout) ?? [];
    expect({ failures: run.stdout.split('\n').filter((line) => line.startsWith('FAILED')), failed, exit: run.status }).toEqual({ failures: [], failed: '0', exit: 0 });
    expect(Number(passed)).toBeGreaterThanOrEqual(leastExpectations);
  });
});

describe('OpenSC pkcs11-tool', () => {
  const USER_PIN = 'user-1234'; // as in hsm-sim/test/client.h
  const SO_PIN = 'so-12345678';
  const DEFAULT_ID = '1234567812345678';
  const folder = mkdtempSync(join(tmpdir(), 'hufu hsm-sim '));
  const at = (name: string): string => join(folder, name);
  const env = { ...childEnvironment(), HUFU_SIM_CONF: at('conf') };
  const tool = (...options: string[]): string => execFileSync('pkcs11-tool', ['--module', MODULE, ...options], { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] });
  const asUser = (...options: string[]): string => tool('--login', '--pin', USER_PIN, ...options);
  const sm2Key = (...options: string[]): string => execFileSync(join(BUILD, 'test/sm2-key'), [MODULE, ...options], { encoding: 'utf8', env }).trim();
  const openssl = (...options: string[]): { ok: boolean; said: string } => {
    const run = spawnSync('openssl', options, { encoding: 'utf8', env: childEnvironment() });
    if (run.error !== undefined) throw run.error;
    return { ok: run.status === 0, said: run.stdout + run.stderr };
  };

  beforeAll(() => {
    if (!existsSync(MODULE)) throw new Error(`${MODULE} is missing: ./hufu builds it`);
    writeFileSync(at('conf'), `label = e2e\nserial = E2E0000000000001\ndir = ${folder}\n`);
    writeFileSync(at('message'), 'message digest');
    tool('--init-token', '--label', 'e2e token', '--so-pin', SO_PIN);
    tool('--login', '--login-type', 'so', '--so-pin', SO_PIN, '--init-pin', '--pin', USER_PIN);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('lists the slot and, without any configuration, every mechanism', () => {
    const slots = tool('-L');
    expect(slots).toMatch(/token label\s*: e2e token/);
    expect(slots).toMatch(/serial num\s*: E2E0000000000001/);
    const listed = execFileSync('pkcs11-tool', ['--module', MODULE, '-M'], { encoding: 'utf8', env: childEnvironment() });
    expect(listed.split('\n').filter((line) => line.includes(', hw, ') || line.endsWith(', hw'))).toHaveLength(75);
    const vendor = [...readFileSync(resolve('hsm-sim/src/sim_numbers.h'), 'utf8').matchAll(/#define CKM_HUFU_\w+ \(HUFU_BASE \+ 0x(\w\w)\)/g)].map(([, index]) => `mechtype-0x804855${index}`);
    expect(vendor).toHaveLength(23);
    for (const name of [...vendor, 'DES3-ECB', 'AES-CMAC', 'SHA256-HMAC', 'RSA-PKCS-OAEP', 'ECDSA-SHA256', 'DES3-ECB-ENCRYPT-DATA', 'XOR-BASE-AND-DATA']) expect(listed).toContain(`  ${name},`);
  });

  it('passes the tool’s own test', () => {
    asUser('--keypairgen', '--key-type', 'rsa:2048', '--id', '70', '--usage-sign');
    expect(asUser('--test')).toContain('No errors');
  });

  it('signs with EC and RSA keys, and OpenSSL verifies', () => {
    asUser('--keypairgen', '--key-type', 'EC:prime256v1', '--id', '01');
    asUser('--keypairgen', '--key-type', 'rsa:2048', '--id', '02', '--usage-sign');
    for (const [id, mechanism, format] of [['01', 'ECDSA-SHA256', ['--signature-format', 'openssl']], ['02', 'SHA256-RSA-PKCS', []]] as const) {
      asUser('--sign', '-m', mechanism, '--id', id, '-i', at('message'), '-o', at('signature'), ...format);
      asUser('--read-object', '--type', 'pubkey', '--id', id, '-o', at('public.der'));
      const verify = (data: string) => openssl('dgst', '-sha256', '-verify', at('public.der'), '-keyform', 'DER', '-signature', at('signature'), data);
      expect(verify(at('message'))).toEqual({ ok: true, said: 'Verified OK\n' });
      expect(verify(at('conf')).ok).toBe(false);
    }
    expect(asUser('--verify', '-m', 'SHA256-RSA-PKCS', '--id', '02', '-i', at('message'), '--signature-file', at('signature'))).toContain('Signature is valid');
  });

  it('signs SM2 with SM3 for the default ID and for no other', () => {
    const point = sm2Key('make', '0A');
    asUser('--sign', '-m', '0x80485502', '--id', '0A', '-i', at('message'), '-o', at('signature'));
    const pair = readFileSync(at('signature'));
    expect(pair).toHaveLength(64);
    writeFileSync(at('signature.der'), derSequence(derUnsigned(pair.subarray(0, 32)), derUnsigned(pair.subarray(32))));
    writeFileSync(at('public.der'), Buffer.from(`3059301306072A8648CE3D020106082A811CCF5501822D034200${point}`, 'hex'));
    const verify = (id: string, data = at('message')) => openssl('dgst', '-sm3', '-verify', at('public.der'), '-keyform', 'DER', '-sigopt', `distid:${id}`, '-signature', at('signature.der'), data);
    expect(verify(DEFAULT_ID)).toEqual({ ok: true, said: 'Verified OK\n' });
    expect(verify('ALICE123@YAHOO.COM').ok).toBe(false);
    expect(verify(DEFAULT_ID, at('conf')).ok).toBe(false);
  });

  it('verifies an SM2 signature of OpenSSL, with the default ID and with no other', () => {
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:SM2', '-out', at('sm2.pem'));
    openssl('pkey', '-in', at('sm2.pem'), '-pubout', '-outform', 'DER', '-out', at('sm2.der'));
    sm2Key('take', '0B', readFileSync(at('sm2.der')).subarray(-65).toString('hex'));
    const verdict = (id: string): string => {
      openssl('dgst', '-sm3', '-sign', at('sm2.pem'), '-sigopt', `distid:${id}`, '-out', at('signature.der'), at('message'));
      writeFileSync(at('signature'), rawPair(readFileSync(at('signature.der'))));
      const run = spawnSync('pkcs11-tool', ['--module', MODULE, '--login', '--pin', USER_PIN, '--verify', '-m', '0x80485502', '--id', '0B', '-i', at('message'), '--signature-file', at('signature')], { encoding: 'utf8', env });
      return run.stdout + run.stderr;
    };
    expect(verdict(DEFAULT_ID)).toContain('Signature is valid');
    expect(verdict('ALICE123@YAHOO.COM')).toMatch(/Invalid signature|CKR_SIGNATURE_INVALID/);
  });

  it('hashes', () => {
    const hash = (mechanism: string): string => {
      writeFileSync(at('abc'), 'abc');
      tool('--hash', '-m', mechanism, '-i', at('abc'), '-o', at('hash'));
      return readFileSync(at('hash')).toString('hex');
    };
    expect(hash('SHA256')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'); // FIPS 180-4
    expect(hash('0x80485510')).toBe('66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0'); // GB/T 32905 A.1
  });

  it('makes AES and 3DES keys that are found again, work, and are destroyed', () => {
    asUser('--keygen', '--key-type', 'AES:32', '--id', '03', '--label', 'data key', '--private', '--sensitive');
    asUser('--keygen', '--key-type', 'DES3:24', '--id', '04', '--label', 'three keys');
    const iv = '0'.repeat(32);
    asUser('--encrypt', '-m', 'AES-CBC-PAD', '--iv', iv, '--id', '03', '-i', at('message'), '-o', at('cipher'));
    expect(readFileSync(at('cipher'))).toHaveLength(16);
    asUser('--decrypt', '-m', 'AES-CBC-PAD', '--iv', iv, '--id', '03', '-i', at('cipher'), '-o', at('clear'));
    expect(readFileSync(at('clear'), 'utf8')).toBe('message digest');
    expect(asUser('-O', '--type', 'secrkey')).toMatch(/Secret Key Object; AES length 32\s+label:\s+data key\s+ID:\s+03/);
    expect(asUser('-O', '--type', 'secrkey')).toMatch(/Secret Key Object; DES3 length 24\s+label:\s+three keys\s+ID:\s+04/);
    expect(tool('-O', '--type', 'secrkey')).not.toContain('data key'); // private: not without a login
    asUser('--delete-object', '--type', 'secrkey', '--id', '03');
    expect(asUser('-O', '--type', 'secrkey')).not.toContain('data key');
  });

  it('wraps what may leave and nothing else, and unwraps it', () => {
    asUser('--keygen', '--key-type', 'AES:32', '--id', '11', '--usage-wrap');
    asUser('--keygen', '--key-type', 'AES:32', '--id', '12', '--extractable');
    asUser('--keygen', '--key-type', 'AES:32', '--id', '13');
    const wrap = (id: string): string => asUser('--wrap', '-m', 'AES-KEY-WRAP', '--id', '11', '--application-id', id, '-o', at('wrapped'));
    expect(() => wrap('13')).toThrow(/CKR_KEY_UNEXTRACTABLE/);
    wrap('12');
    expect(readFileSync(at('wrapped'))).toHaveLength(40);
    const unwrap = (...usage: string[]): string => asUser('--unwrap', '-m', 'AES-KEY-WRAP', '--id', '11', '--application-id', '14', '--key-type', 'AES:', '-i', at('wrapped'), ...usage);
    expect(() => unwrap('--usage-decrypt', '--sensitive')).toThrow(/CKR_TEMPLATE_INCONSISTENT/);
    expect(() => unwrap('--usage-wrap')).toThrow(/CKR_TEMPLATE_INCONSISTENT/); // readable
    unwrap('--usage-wrap', '--sensitive');
    expect(asUser('-O', '--type', 'secrkey')).toMatch(/ID:\s+14/);
  });

  it('shows its identity without a login, and wants the right PIN', () => {
    expect(tool('-O', '--type', 'pubkey')).toContain('device-identity');
    expect(() => tool('--login', '--pin', 'wrong', '-O')).toThrow(/CKR_PIN_INCORRECT/);
    expect(tool('-L')).toContain('user PIN count low');
    asUser('-O');
    expect(tool('-L')).not.toContain('user PIN count low');
  });
});

/** SM2Signature (GM/T 0009 7.3) as r ‖ s. */
function rawPair(der: Buffer): Buffer {
  const numbers = derChildren(der, readDer(der)).map((number) => Buffer.concat([Buffer.alloc(32), derContent(der, number)]).subarray(-32));
  return Buffer.concat(numbers);
}
