import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { derOctetString, derOid, derSequence, derSetOf, isAppError, toHex } from '#libs/platform/domain';
import { keyIdOf, TestAgent } from '../../../../test/env/test-agent.js';
import type { AsymmetricAlgorithm } from '../domain/algorithms.js';
import { loadProfiles } from '../profile-files.js';

const SIMULATORS = [...loadProfiles('libs/hsm/profiles').values()].filter(({ simulator }) => simulator).map(({ name }) => name);

/** Signed attributes of a report (RFC 5652 5.3); `size` octets of an unknown attribute fill it up. */
function report(n: number, size: number): Uint8Array {
  const attribute = (oid: string, value: Uint8Array): Uint8Array => derSequence(derOid(oid), derSetOf(value));
  const digest = createHash('sha256').update(String(n)).digest();
  const filling = size === 0 ? [] : [attribute('1.2.840.113549.1.9.16.2.4', derOctetString(new Uint8Array(size).fill(n)))];
  return derSetOf(attribute('1.2.840.113549.1.9.3', derOid('1.2.840.113549.1.7.1')), attribute('1.2.840.113549.1.9.4', derOctetString(digest)), ...filling);
}

/** By the openssl program: it computes Z from the ID itself. */
function opensslSm2(dir: string, spki: Uint8Array, bytes: Uint8Array, signature: Uint8Array, id: string): boolean {
  const file = (name: string, content: Uint8Array): string => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  try {
    execFileSync('openssl', ['pkeyutl', '-verify', '-pubin', '-keyform', 'DER', '-inkey', file('key', spki), '-rawin', '-digest', 'sm3', '-pkeyopt', `distid:${id}`, '-in', file('data', bytes), '-sigfile', file('sig', signature)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

let lastId = 1000;

describe.each(SIMULATORS)('signatures of %s', (name) => {
  let agent: TestAgent;
  let dir: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'hufu-sign-'));
    agent = await TestAgent.start(name);
  });
  afterAll(async () => {
    await agent.stop();
    rmSync(dir, { recursive: true });
  });

  it('verify by an independent implementation, also over what is longer than a frame', async () => {
    for (const algorithm of agent.profile.signing) {
      const keyId = keyIdOf(++lastId);
      const { publicKey } = (await agent.run('generateKeyPair', { keyId, label: algorithm, keyClass: 'reportSigning', algorithm })) as { publicKey: Uint8Array };
      const items = [0, 100, 9000].map((size, n) => ({ keyId, purpose: 'report', bytes: report(n, size) }));
      const signatures = (await agent.run('sign', { items })) as Uint8Array[];
      const verifies = (bytes: Uint8Array, signature: Uint8Array): boolean =>
        algorithm === 'sm2'
          ? opensslSm2(dir, publicKey, bytes, signature, '1234567812345678')
          : verify('sha256', bytes, createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' }), signature);
      expect(items.map(({ bytes }, i) => verifies(bytes, signatures[i] as Uint8Array))).toEqual([true, true, true]);
      expect(verifies((items[0] as { bytes: Uint8Array }).bytes, signatures[1] as Uint8Array)).toBe(false);
      if (algorithm === 'sm2') expect(opensslSm2(dir, publicKey, (items[0] as { bytes: Uint8Array }).bytes, signatures[0] as Uint8Array, 'another-id')).toBe(false);
      expect(agent.fingerprints()[keyId]).toBe(toHex(createHash('sha256').update(publicKey).digest()).slice(0, 32));
    }
  });

  it('are refused by name for an algorithm that the profile does not have', async () => {
    const all: readonly AsymmetricAlgorithm[] = ['p256', 'rsa2048', 'sm2'];
    for (const algorithm of all.filter((each) => !agent.profile.signing.includes(each))) {
      const making = agent.run('generateKeyPair', { keyId: keyIdOf(++lastId), label: 'x', keyClass: 'reportSigning', algorithm });
      await expect(making).rejects.toMatchObject({ code: 'HSM_CAPABILITY_MISSING', details: { device: agent.device, recipe: `generateKeyPair (${algorithm})` } });
    }
  });

  it('of a pair that is not the recorded one are never made', async () => {
    const keyId = keyIdOf(++lastId);
    await agent.run('generateKeyPair', { keyId, label: 'x', keyClass: 'reportSigning', algorithm: 'p256' });
    agent = await agent.restart({ [keyId]: '00'.repeat(16) });
    const error = await agent.run('sign', { items: [{ keyId, purpose: 'report', bytes: report(1, 0) }] }).catch((caught: unknown) => caught);
    expect(isAppError(error) && [error.code, error.details]).toEqual(['HSM_ANSWER_WRONG', { device: agent.device, what: `fingerprint of ${keyId}` }]);
  });
});
