import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { derOctetString, derOid, derSequence, derSetOf, fromHex, isAppError } from '#libs/platform/domain';
import { keyIdOf, TestAgent } from '../../../../test/env/test-agent.js';
import type { ItemFields } from '../domain/batch.js';

const CONTROL_BYTES = 4096;
const TEXT_AT = 64;

/** Commands faults of a running hsm-sim: generation (64 bits, little-endian) at 0, text at 64. */
class Control {
  readonly path: string;
  readonly #file: number;
  #generation = 0n;
  constructor(private readonly dir: string) {
    this.path = join(dir, 'control');
    this.#file = openSync(this.path, 'w+');
    ftruncateSync(this.#file, CONTROL_BYTES);
  }
  say(text: string): void {
    const bytes = Buffer.alloc(CONTROL_BYTES - TEXT_AT);
    bytes.write(text);
    writeSync(this.#file, bytes, 0, bytes.length, TEXT_AT);
    const generation = Buffer.alloc(8);
    generation.writeBigUInt64LE(++this.#generation);
    writeSync(this.#file, generation, 0, 8, 0);
  }
  close(): void {
    closeSync(this.#file);
    rmSync(this.dir, { recursive: true });
  }
}

const CHIP = fromHex('00112233445566AA');
const keyId = keyIdOf(1);
const items = (count: number): ItemFields[] => Array.from({ length: count }, (_, n) => ({ key: { keyId, factors: [CHIP, fromHex((n + 1).toString(16).padStart(16, '0'))] }, method: 'zero3' as const }));
const errorOf = async (act: Promise<unknown>): Promise<unknown> => {
  try {
    await act;
    return 'ok';
  } catch (error) {
    return isAppError(error) ? [error.code, error.details.ckr ?? error.details] : String(error);
  }
};
const exitOf = (agent: TestAgent): Promise<unknown> => new Promise((settle) => agent.child.once('exit', settle));

describe('the agent under faults of its device', () => {
  let control: Control;
  let agent: TestAgent;
  beforeEach(async () => {
    control = new Control(mkdtempSync(join(tmpdir(), 'hufu-control-')));
    agent = await TestAgent.start('hsm-sim', { lines: { control: control.path, objects_most: '120' } });
    await agent.run('generateKey', { keyId, label: 'x', keyClass: 'dataRoot', algorithm: '3des2' });
  });
  afterEach(async () => {
    control.say('');
    await agent.stop();
    control.close();
  });

  it('leaves no object behind: after batches that went well and batches that broke off at any call', async () => {
    const expected = await agent.batch('checkValues', items(3000));
    for (let nth = 1; nth <= 60; nth += 3) {
      control.say(`C_DeriveKey ckr=CKR_DEVICE_ERROR nth=${nth}`);
      expect(await errorOf(agent.batch('checkValues', items(64), nth % 2 === 0))).toEqual(['HSM_ERROR', 'CKR_DEVICE_ERROR']);
      expect((agent.reports.at(-1) as { fatal?: boolean }).fatal).toBe(false);
    }
    control.say('');
    // 120 objects is all that the token holds: leaked ones would fill it.
    expect(await agent.batch('checkValues', items(3000))).toEqual(expected);
    expect((await agent.ping(1)).errors).toEqual({ CKR_DEVICE_ERROR: 20 });
  });

  it('opens another session where one got stuck or lost, and goes on as if nothing had been', async () => {
    const expected = await agent.batch('checkValues', items(500));
    for (const fault of ['C_DeriveKey ckr=CKR_OPERATION_ACTIVE nth=40', 'C_DeriveKey ckr=CKR_SESSION_HANDLE_INVALID nth=7', 'C_GetAttributeValue ckr=CKR_SESSION_CLOSED nth=100']) {
      control.say(fault);
      expect(await agent.batch('checkValues', items(500))).toEqual(expected);
    }
  });

  it('ends when all sessions and with them the login are gone, saying so', async () => {
    const exit = exitOf(agent);
    control.say('* sessions-gone');
    expect(await errorOf(agent.batch('checkValues', items(10)))).toEqual(['HSM_ERROR', 'CKR_USER_NOT_LOGGED_IN']);
    expect((agent.reports.find(({ kind }) => kind === 'refused') as { fatal?: boolean }).fatal).toBe(true);
    expect(await exit).toBe(0);
  });

  it('finds a removed device when idle, reports it and ends', async () => {
    const exit = exitOf(agent);
    control.say('* remove');
    await agent.ping(1);
    expect(await exit).toBe(0);
    expect(agent.reports.at(-1)).toEqual({ kind: 'gone', ckr: 'CKR_DEVICE_REMOVED' });
  });

  it('shows the age of a call that hangs while it goes on answering', async () => {
    control.say('C_DeriveKey hang nth=1');
    const stuck = errorOf(agent.batch('checkValues', items(1)));
    let pong = await agent.ping(1);
    for (let seq = 2; pong.oldestCall.ms < 50; seq++) {
      await new Promise((settle) => setTimeout(settle, 10));
      pong = await agent.ping(seq);
    }
    expect(pong.oldestCall.ms).toBeGreaterThanOrEqual(50);
    expect(pong.oldestCall.running).toBe(false);
    const exit = exitOf(agent);
    agent.child.kill('SIGKILL');
    await exit;
    expect(await stuck).toContain('the agent ended');
  });

  it('serves single online items and pings in the middle of batches', async () => {
    control.say('C_DeriveKey latency=4');
    const order: string[] = [];
    const noted = async (label: string, work: Promise<unknown>): Promise<void> => {
      await work;
      order.push(label);
    };
    // Two seconds of work for eight sessions, and each single item waits for one item of it at most.
    const batches = [1, 2].map(() => noted('batch', agent.batch('checkValues', items(1000), false)));
    const singles = items(5).map((item) => noted('single', agent.batch('checkValues', [item], true)));
    await Promise.all([...batches, ...singles, noted('pong', agent.ping(1))]);
    expect(order.slice(0, 6).toSorted()).toEqual(['pong', ...Array.from({ length: 5 }, () => 'single')]);
  });

  it('never releases a signature that the device computed wrongly', async () => {
    await agent.run('generateKeyPair', { keyId: keyIdOf(2), label: 's', keyClass: 'reportSigning', algorithm: 'sm2' });
    const attribute = (oid: string, value: Uint8Array): Uint8Array => derSequence(derOid(oid), derSetOf(value));
    const bytes = derSetOf(attribute('1.2.840.113549.1.9.3', derOid('1.2.840.113549.1.7.1')), attribute('1.2.840.113549.1.9.4', derOctetString(new Uint8Array(32))));
    const sign = (): Promise<unknown> => agent.run('sign', { items: [{ keyId: keyIdOf(2), purpose: 'report', bytes }] });
    expect(await errorOf(sign())).toBe('ok');
    control.say('C_Sign flip');
    expect(await errorOf(sign())).toEqual(['HSM_ANSWER_WRONG', { device: agent.device, what: `signature of ${keyIdOf(2)}` }]);
  });
});
