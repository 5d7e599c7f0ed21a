import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exportFile } from '#libs/journal';
import { childEnvironment } from '#libs/platform';
import type { Approval, HsmRequest } from '#libs/signature';
import { newId } from '../builders/authorisations.js';
import { RawHsmClient } from '../builders/raw-hsm-client.js';
import { PEOPLE, ThreeWays, type Way } from './rigs/three-ways.js';

const DEVICE = 'diversification-1';
const ROOT = { keyClass: 'dataRoot', algorithm: '3des2', device: DEVICE } as const;

let rig: ThreeWays;
beforeAll(async () => {
  rig = await ThreeWays.open();
});
afterAll(() => rig.close());

interface Waiting {
  readonly id: string;
  readonly subject: HsmRequest;
  readonly approvals: readonly Approval[];
  readonly outcome: string;
}

/** What the database says of approvals, for the test alone. */
async function viewOf(label: string): Promise<Waiting> {
  const [row] = (await rig.owner.query(
    `SELECT r.subject_digest AS id, r.subject::json AS subject, o.outcome,
            (SELECT coalesce(json_agg(a.content::json ORDER BY a.recorded_at), '[]') FROM approval a WHERE a.subject_digest = r.subject_digest) AS approvals
     FROM approval_request r LEFT JOIN approval_outcome o USING (subject_digest) WHERE r.subject::json -> 'parameters' ->> 'label' = $1`,
    [label],
  )) as Waiting[];
  if (row === undefined) throw new Error(`${label} was not asked for`);
  return row;
}

/** Asks every 50 ms until it is so. */
async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + 20_000; ; await sleep(50)) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(what);
  }
}

const keyOf = async (label: string): Promise<Record<string, unknown>> => (await rig.asker.send('GET', `/keys/${encodeURIComponent(label)}`)).body;
const inDevice = async (keyId: string): Promise<number> => (await rig.hsm.hsm.inventory(DEVICE)).filter((object) => object.keyId === keyId).length;

async function asked(label: string): Promise<Waiting> {
  const { status, body } = await rig.asker.send('POST', '/keys', { label, ...ROOT });
  expect([status, body]).toEqual([202, { label }]);
  return until(`${label} is put before the approvers`, () => viewOf(label).catch(() => undefined));
}

const made: { readonly label: string; readonly ways: readonly [Way, Way]; readonly waiting: Waiting }[] = [];

describe('a root that two of three approve, each in another way', () => {
  it.each<[Way, Way]>([
    ['browser', 'ukey'],
    ['ukey', 'terminal'],
    ['terminal', 'browser'],
  ])('%s and %s: asked for over HTTP, approved, made once, in the register and in the device', async (first, second) => {
    const label = `root/${first}-${second}`;
    const { subject } = await asked(label);
    expect(subject).toMatchObject({ requestedBy: PEOPLE.asker, requester: 'service', recipe: 'generateKey', keys: [expect.any(String)] });
    const keyId = subject.keys[0] as string;
    await rig.approve(first);
    await until('the first approval stands', async () => ((await viewOf(label)).approvals.length === 1 ? true : undefined));
    // One of two makes nothing.
    expect([(await keyOf(label))['state'], await inDevice(keyId)]).toEqual(['planned', 0]);
    await rig.approve(second);
    const key = await until('the key is made', async () => {
      const found = await keyOf(label);
      if (found['failure'] !== null) throw new Error(JSON.stringify(found['failure']));
      return found['state'] === 'preActive' ? found : undefined;
    });
    expect(key).toMatchObject({ keyId, kcv: expect.stringMatching(/^[0-9A-F]{6}$/), copies: [expect.objectContaining({ device: DEVICE, state: 'present' })] });
    expect(await inDevice(keyId)).toBe(1);
    const waiting = await viewOf(label);
    expect([waiting.outcome, waiting.approvals.map(({ approver }) => approver)]).toEqual(['approved', [PEOPLE[first], PEOPLE[second]]]);
    made.push({ label, ways: [first, second], waiting });
  });

  it('each by the method that the policy names for the approver', () => {
    const methods = Object.fromEntries(made.flatMap(({ waiting }) => waiting.approvals.map(({ approver, method }) => [approver, method])));
    expect(methods).toEqual({ [PEOPLE.browser]: 'webauthn', [PEOPLE.ukey]: 'ukey', [PEOPLE.terminal]: 'plain' });
  });

  it('a stranger verifies it offline, from the export, a key and an anchor, by the bundled verifier', async () => {
    const folder = join(rig.folder, 'stranger');
    mkdirSync(folder);
    await pipeline(Readable.from(exportFile(rig.owner, new Date())), createWriteStream(join(folder, 'export')));
    writeFileSync(join(folder, 'key.der'), rig.journal.key.spki);
    writeFileSync(join(folder, 'anchor'), rig.journal.anchor.lines.map((line) => `${line}\n`).join(''));
    const bundled = spawnSync(process.execPath, [resolve('dist/apps/cli/src/main.js'), 'journal', 'bundle', '--out', join(folder, 'verify.mjs')], { env: childEnvironment({}), encoding: 'utf8' });
    expect(bundled.status).toBe(0);
    expect(readdirSync(folder).sort()).toEqual(['anchor', 'export', 'key.der', 'verify.mjs']);
    const verify = (file: string): { code: number | null; text: string } => {
      const { status, stdout, stderr } = spawnSync(process.execPath, ['verify.mjs', file, '--key', 'key.der', '--anchor', 'anchor'], { cwd: folder, env: {}, encoding: 'utf8' });
      return { code: status, text: stdout + stderr };
    };
    const { code, text } = verify('export');
    expect([code, text]).toEqual([0, expect.stringMatching(/the journal is whole/)]);
    expect(text).toContain(`3 approvals, each signed by its quorum; first policy SHA-256 ${rig.policyDigest}`);
    // One hex digit of one signature.
    const bytes = readFileSync(join(folder, 'export'));
    const signature = made[0]?.waiting.approvals[0]?.signature ?? '';
    const place = bytes.lastIndexOf(signature) + signature.length - 1;
    bytes[place] = bytes[place] === 0x30 ? 0x31 : 0x30;
    writeFileSync(join(folder, 'altered'), bytes);
    expect(verify('altered')).toEqual({ code: 1, text: expect.stringMatching(/entry 20\d\d\/\d+: edited/) });
  });
});

describe('a service that lies about approvals', () => {
  let liar: RawHsmClient;
  beforeAll(() => {
    liar = new RawHsmClient(rig.hsm.socketDir, 'service');
  });
  afterAll(() => liar.close());

  const generate = async (request: HsmRequest, approvals: readonly object[]): Promise<string> => {
    const [keyId] = request.keys;
    const { label, keyClass, algorithm } = request.parameters;
    return (await liar.ask('generateKey', DEVICE, { keyId, label, keyClass, algorithm }, { authorisation: { kind: 'approvals', request, approvals } })).code;
  };
  /** The request that was approved, and the same with other words. */
  const lies = (index: number): { request: HsmRequest; approvals: readonly Approval[]; other: HsmRequest } => {
    const { subject, approvals } = (made[index] as (typeof made)[number]).waiting;
    return { request: subject, approvals, other: { ...subject, requestId: newId(), keys: [newId()] } };
  };
  const nothingMade = async (request: HsmRequest): Promise<void> => expect(await inDevice(request.keys[0] as string)).toBe(0);

  it.each([0, 1, 2])('the approvals of request %i do not serve another key, another request or a second time', async (index) => {
    const { request, approvals, other } = lies(index);
    expect(await generate(request, approvals)).toBe('REQUEST_REPLAYED');
    expect(await generate(other, approvals)).toBe('APPROVAL_INVALID');
    expect(await generate({ ...request, requestId: newId() }, approvals)).toBe('APPROVAL_INVALID');
    await nothingMade(other);
  });

  it('approvals of two different requests do not make a quorum for a third', async () => {
    const { other } = lies(0);
    const mixed = [lies(0).approvals[0] as Approval, lies(2).approvals[0] as Approval];
    expect(await generate(other, mixed)).toBe('APPROVAL_INVALID');
    expect(await generate(other, [])).toBe('QUORUM_NOT_MET');
    await nothingMade(other);
  });

  it('an assertion is no plain signature and no signature of a UKey, and the name under it is not exchanged', async () => {
    const { request, approvals } = lies(0);
    const assertion = approvals.find(({ method }) => method === 'webauthn') as Extract<Approval, { method: 'webauthn' }>;
    const { authenticatorData: _a, clientDataJson: _c, ...bare } = assertion;
    const fresh = { ...request, requestId: newId() };
    for (const forged of [{ ...bare, method: 'plain' }, { ...bare, method: 'ukey' }, { ...assertion, approver: PEOPLE.terminal }, { ...assertion, nonce: newId() }, { ...assertion, notAfter: '2099-01-01T00:00:00.000Z' }]) {
      expect(await generate(request, [forged, ...approvals.filter((each) => each !== assertion)])).toBe('APPROVAL_INVALID');
      expect(await generate(fresh, [forged])).toBe('APPROVAL_INVALID');
    }
  });

  it('who asked cannot be taken out of the request, nor another one be put in', async () => {
    const { request, approvals } = lies(1);
    const { requestedBy: _, ...without } = request;
    expect(await generate({ ...without, requestId: newId() }, approvals)).toBe('APPROVAL_INVALID');
    expect(await generate({ ...request, requestedBy: PEOPLE.terminal }, approvals)).toBe('APPROVAL_INVALID');
  });

  it('a policy that only the service has signed is not taken', async () => {
    const { policy } = rig.policy;
    const next = { ...policy, version: 2, previous: rig.policyDigest, amend: { count: 1, roles: {} } };
    for (const approvals of [[], rig.policy.approvals]) {
      const { code } = await liar.ask('addPolicy', '', { signed: JSON.stringify({ policy: next, approvals }) });
      expect(['QUORUM_NOT_MET', 'APPROVAL_INVALID']).toContain(code);
    }
    expect(await rig.hsm.hsm.policyChain()).toHaveLength(1);
  });
});

describe('at the desk', () => {
  it('whoever asked is refused by name, and one rejection ends it', async () => {
    const label = 'root/rejected';
    const { id, subject } = await asked(label);
    expect((await rig.asker.send('POST', `/approvals/${id}/refusals`, { reason: 'mine' })).status).toBe(403);
    const person = rig.persons.get('browser');
    await person?.page.goto(`${rig.origin('approve')}/approve`);
    await person?.page.click('#rows button');
    await person?.page.fill('#reason', '用途不明 unclear purpose');
    await person?.page.click('#reject');
    const key = await until('it is over', async () => {
      const found = await keyOf(label);
      return found['state'] === 'aborted' ? found : undefined;
    });
    expect(key['failure']).toMatchObject({ code: 'APPROVAL_REFUSED' });
    expect([(await viewOf(label)).outcome, await inDevice(subject.keys[0] as string)]).toEqual(['refused', 0]);
  });
});
