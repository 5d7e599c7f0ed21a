import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { toHex } from '#libs/platform/domain';
import { keyIdOf, type ReleasedToken, TestAgent } from './test-agent.js';

/** A token with one signing key, as a person would carry it: SoftHSM for P-256, hsm-sim for SM2. */
export class TestUkey {
  private constructor(
    readonly profile: string,
    readonly token: ReleasedToken,
    readonly publicKey: Uint8Array,
  ) {}

  static async make(profile: string, algorithm: 'p256' | 'sm2', lines: Record<string, string> = {}): Promise<TestUkey> {
    const agent = await TestAgent.start(profile, { lines });
    const { publicKey } = (await agent.run('generateKeyPair', { keyId: keyIdOf(7), label: 'approver', keyClass: 'reportSigning', algorithm })) as { publicKey: Uint8Array };
    return new TestUkey(profile, await agent.release(), publicKey);
  }

  get keyDigest(): string {
    return hash('sha256', this.publicKey, 'hex').toUpperCase();
  }

  /** The same, asked for in another way. */
  with(changes: Partial<ReleasedToken>): TestUkey {
    return new TestUkey(this.profile, { ...this.token, ...changes }, this.publicKey);
  }

  remove(): void {
    rmSync(this.token.dir, { recursive: true, force: true });
  }
}

export type UkeyOrder = { readonly ask: 'keys' } | { readonly ask: 'sign'; readonly pin: string; readonly bytes: Uint8Array; readonly keyDigest?: string };
type UkeyAnswer = Readonly<Record<string, unknown>>;

/** Has a process of its own (user-token-process.ts) ask the token; one answer an order, errors as {code, details}. */
export async function askUserToken({ profile, token, keyDigest }: TestUkey, orders: readonly UkeyOrder[]): Promise<UkeyAnswer[]> {
  const place = JSON.stringify({ profile, module: token.module, serial: token.serial });
  const child = spawn(process.execPath, [resolve('dist/test/env/user-token-process.js'), place], { env: { ...token.environment }, stdio: ['pipe', 'pipe', 'inherit'] });
  const answers: UkeyAnswer[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => answers.push(JSON.parse(line) as UkeyAnswer));
  child.stdin.end(orders.map((order) => `${JSON.stringify('bytes' in order ? { keyDigest, ...order, bytes: toHex(order.bytes) } : order)}\n`).join(''));
  await new Promise((settle) => child.once('close', settle));
  return answers;
}
