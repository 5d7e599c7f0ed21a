import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, hash } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { childEnvironment, fromHex, toHex } from '#libs/platform/host';
import { Approval, requireQuorum, subjectDigest } from '#libs/signature';
import { hsmRequest, hsmTicket, signedApproval } from '../builders/authorisations.js';
import { FAR, testApprover, testPolicy } from '../builders/quorum.js';
import { ApprovalDesk } from '../env/approval-desk.js';
import { SecretSearch } from '../env/secret-search.js';
import { TerminalProcess } from '../env/terminal-process.js';

const PASSPHRASE = 'tiger-halves-meet-27';
const CLI = resolve('dist/apps/cli/src/main.js');
const PROMPT = { decision: /approve, reject or skip: $/, passphrase: /口令 \/ passphrase: $/, fresh: /characters: $/, again: /again: $/, reason: /reason: $/ };

let folder: string;
let publicKey: string;
const at = (name: string): string => join(folder, name);
const approve = (...args: string[]): TerminalProcess => TerminalProcess.start([process.execPath, '--disable-sigusr1', CLI, 'approve', ...args], childEnvironment({ HUFU_HOME: folder }));
const RULES = { generateKey: { count: 1, roles: {} }, purchaseMacs: { count: 1, roles: {} } };
const policyOf = () => testPolicy([{ ...testApprover('wang'), entry: { id: 'wang', person: 'wang-person', roles: [], algorithm: 'p256Sha256', publicKey, notAfter: FAR, method: 'plain' } }], RULES);
const openDesk = (name: string): Promise<ApprovalDesk> => {
  const key = createPrivateKey({ key: readFileSync(at('wang.pem')), passphrase: PASSPHRASE });
  const policy = policyOf();
  return ApprovalDesk.open(at(name), { policy, approvals: [signedApproval(key, policy, { approver: 'wang' })] });
};
const counts = (subject: object, approval: Approval): void => requireQuorum(subject, [approval], { policy: policyOf(), need: { count: 1, roles: {} }, requester: 'service', now: new Date() });
const requestOf = (subject: object): string => {
  const path = at(`request-${subjectDigest(subject).slice(0, 8)}.json`);
  writeFileSync(path, JSON.stringify({ format: 'hufu/approval-request/1', subject }));
  return path;
};
let lastOut = 0;
const newOut = (): string => at(`approval-${++lastOut}.json`);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hufu-approve-'));
  const keygen = approve('keygen', '--as', 'wang', '--out', at('wang.pem'));
  await keygen.until(PROMPT.fresh);
  keygen.type(`${PASSPHRASE}\n`);
  await keygen.until(PROMPT.again);
  keygen.type(`${PASSPHRASE}\n`);
  expect([await keygen.ended, keygen.shown.includes(PASSPHRASE)]).toEqual([0, false]);
  publicKey = /public key {2}([0-9A-F]+)/.exec(keygen.shown)?.[1] ?? '';
  expect(keygen.shown.replaceAll(' ', '')).toContain(hash('sha256', fromHex(publicKey), 'hex').toUpperCase());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('an approval key', () => {
  it('is a file of its owner alone, encrypted, which OpenSSL opens with the passphrase and not without', () => {
    expect(statSync(at('wang.pem')).mode & 0o777).toBe(0o600);
    writeFileSync(at('pass'), PASSPHRASE);
    const shown = execFileSync('openssl', ['pkey', '-in', at('wang.pem'), '-passin', `file:${at('pass')}`, '-pubout', '-outform', 'DER']);
    expect(toHex(shown)).toBe(publicKey);
    expect(spawnSync('openssl', ['pkey', '-in', at('wang.pem'), '-passin', 'pass:tiger-halves-meet-28', '-noout']).status).toBe(1);
    expect(execFileSync('openssl', ['asn1parse', '-in', at('wang.pem')], { encoding: 'utf8' })).toMatch(/PBES2[^]*scrypt|PBES2[^]*1\.3\.6\.1\.4\.1\.11591\.4\.11/);
  });

  it.each([
    ['short', ['only-eleven', undefined], 'PASSPHRASE_SHORT'],
    ['typed in two ways', [PASSPHRASE, `${PASSPHRASE}x`], 'PASSPHRASE_DIFFERS'],
  ] as const)('is not made with a passphrase that is %s', async (_name, [first, second], code) => {
    const keygen = approve('keygen', '--as', 'wang', '--out', at('never.pem'));
    await keygen.until(PROMPT.fresh);
    keygen.type(`${first}\n`);
    if (second !== undefined) {
      await keygen.until(PROMPT.again);
      keygen.type(`${second}\n`);
    }
    expect(await keygen.ended).toBe(1);
    expect([keygen.shown.includes(code), existsSync(at('never.pem'))]).toEqual([true, false]);
  });

  it('is not written over, and not used when others may read it or it is not encrypted', async () => {
    const again = approve('keygen', '--as', 'wang', '--out', at('wang.pem'));
    await again.until(PROMPT.fresh);
    again.type(`${PASSPHRASE}\n`);
    await again.until(PROMPT.again);
    again.type(`${PASSPHRASE}\n`);
    expect([await again.ended, again.shown.includes('EEXIST')]).toEqual([1, true]);
    writeFileSync(at('clear.pem'), generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    writeFileSync(at('open.pem'), readFileSync(at('wang.pem')));
    chmodSync(at('open.pem'), 0o644);
    for (const key of ['clear.pem', 'open.pem', 'absent.pem']) {
      const tried = approve('--as', 'wang', '--key', at(key), '--in', requestOf(hsmRequest({})), '--out', newOut());
      expect([key, await tried.ended, tried.shown.includes('KEY_FILE_UNREADABLE')]).toEqual([key, 1, true]);
    }
  });
});

describe('hufu approve without a service', () => {
  it('shows everything, and the approval counts for exactly that', async () => {
    const subject = hsmTicket({ requestedBy: 'line-1', count: 4711 });
    const out = newOut();
    writeFileSync(at('scan.pdf'), 'scan');
    const terminal = approve('--as', 'wang', '--key', at('wang.pem'), '--in', requestOf(subject), '--out', out, '--document', '人社〔2026〕7号', '--scan', at('scan.pdf'));
    const shown = await terminal.until(PROMPT.decision);
    for (const text of ['4711', 'line-1', 'wang', subject.ticketId, '人社〔2026〕7号', ...(subjectDigest(subject).match(/.{16}/g) ?? [])]) expect(shown).toContain(text);
    terminal.type('approve\n');
    await terminal.until(PROMPT.passphrase);
    terminal.type(`${PASSPHRASE}\n`);
    expect([await terminal.ended, terminal.shown.includes(PASSPHRASE)]).toEqual([0, false]);
    const answer = JSON.parse(readFileSync(out, 'utf8')) as { id: string; approval: unknown };
    const approval = Approval.parse(answer.approval);
    expect([answer.id, approval.ownerDocument?.digest]).toEqual([subjectDigest(subject), hash('sha256', 'scan', 'hex').toUpperCase()]);
    counts(subject, approval);
    expect(() => counts({ ...subject, count: 4712 }, approval)).toThrow(expect.objectContaining({ code: 'APPROVAL_INVALID' }));
  });

  it('approves a policy under the version before it', async () => {
    const next = testPolicy([testApprover('new')], {}, { version: 3, previous: 'B'.repeat(64) });
    const out = newOut();
    const terminal = approve('--as', 'wang', '--key', at('wang.pem'), '--in', requestOf(next), '--out', out);
    await terminal.until(PROMPT.decision);
    terminal.type('approve\n');
    await terminal.until(PROMPT.passphrase);
    terminal.type(`${PASSPHRASE}\n`);
    expect(await terminal.ended).toBe(0);
    const { approval } = JSON.parse(readFileSync(out, 'utf8')) as { approval: Approval };
    requireQuorum(next, [approval], { policy: { ...policyOf(), version: 2 }, need: { count: 1, roles: {} }, requester: '', now: undefined });
  });

  it.each([
    ['reject', (terminal: TerminalProcess) => void terminal.type('reject\n')],
    ['skip', (terminal: TerminalProcess) => void terminal.type('skip\n')],
  ])('writes nothing on %s, and decides nothing on Enter, y or yes', async (word, act) => {
    const out = newOut();
    const terminal = approve('--as', 'wang', '--key', at('wang.pem'), '--in', requestOf(hsmRequest({})), '--out', out);
    for (const other of ['', 'y', 'yes', 'APPROVE']) {
      await terminal.until(PROMPT.decision);
      terminal.type(`${other}\n`);
    }
    await terminal.until(PROMPT.decision);
    act(terminal);
    if (word === 'reject') {
      await terminal.until(PROMPT.reason);
      terminal.type('两次 twice\n');
    }
    expect([await terminal.ended, existsSync(out)]).toEqual([1, false]);
  });

  it('writes nothing with a wrong passphrase, for what is over, for another paper and for what is no subject', async () => {
    const out = newOut();
    const wrong = approve('--as', 'wang', '--key', at('wang.pem'), '--in', requestOf(hsmRequest({})), '--out', out);
    await wrong.until(PROMPT.decision);
    wrong.type('approve\n');
    await wrong.until(PROMPT.passphrase);
    wrong.type('not-the-passphrase\n');
    expect([await wrong.ended, wrong.shown.includes('KEY_FILE_UNREADABLE')]).toEqual([1, true]);
    for (const [subject, code] of [
      [hsmRequest({ notAfter: '2020-01-01T00:00:00.000Z' }), 'APPROVAL_EXPIRED'],
      [{ ...hsmRequest({}), more: 1 }, 'SUBJECT_MALFORMED'],
      [{ format: 'hufu/sign-in/v1' }, 'SUBJECT_MALFORMED'],
    ] as const) {
      const refused = approve('--as', 'wang', '--key', at('wang.pem'), '--in', requestOf(subject), '--out', out);
      expect([await refused.ended, refused.shown.includes(code)]).toEqual([1, true]);
    }
    const noScan = approve('--as', 'wang', '--key', at('wang.pem'), '--in', requestOf(hsmRequest({})), '--out', out, '--document', '7号');
    expect([await noScan.ended, noScan.shown.includes('--scan')]).toEqual([1, true]);
    expect(existsSync(out)).toBe(false);
  });

  it('takes no decision and no passphrase from a pipe', () => {
    const out = newOut();
    for (const args of [['--as', 'wang', '--key', at('wang.pem'), '--in', requestOf(hsmRequest({})), '--out', out], ['keygen', '--as', 'wang', '--out', at('piped.pem')]]) {
      const piped = spawnSync(process.execPath, [CLI, 'approve', ...args], { input: `approve\n${PASSPHRASE}\n${PASSPHRASE}\n`, env: childEnvironment({ HUFU_HOME: folder }), encoding: 'utf8' });
      expect([piped.status, piped.stderr]).toEqual([1, expect.stringContaining('TERMINAL_NEEDED')]);
    }
    expect([existsSync(out), existsSync(at('piped.pem'))]).toEqual([false, false]);
  });

  it('cannot be made to show another thing by control characters in the subject', async () => {
    const evil = `1\x1b[2J\x1b[H\r\n  次数 operations │ 1\u202e9\u009b2J${' '.repeat(200)}end`;
    const subject = hsmRequest({ parameters: { label: evil } });
    const terminal = approve('--as', 'wang', '--key', at('wang.pem'), '--in', requestOf(subject), '--out', newOut());
    const shown = await terminal.until(PROMPT.decision);
    expect(shown).toContain('\\u{1B}[2J');
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
    for (const line of shown.split('\r\n')) if (line.includes('│')) expect(line).toMatch(/^[ ↳] \S* ?.*│ /u);
    expect(shown.split('\r\n').some((line) => line.startsWith('  次数'))).toBe(false);
    terminal.type('skip\n');
    await terminal.ended;
  });

  it('keeps the passphrase out of environment, arguments and memory while it waits for the decision of the next', async () => {
    const desk = await openDesk('memory.sock');
    const waits = [await desk.put(hsmRequest({})), await desk.put(hsmRequest({}))];
    const terminal = approve('--as', 'wang', '--key', at('wang.pem'), '--submit-to', at('memory.sock'));
    await terminal.until(PROMPT.decision);
    terminal.type('approve\n');
    await terminal.until(PROMPT.passphrase);
    terminal.type(`${PASSPHRASE}\n`);
    await terminal.until(PROMPT.decision);
    const search = new SecretSearch([['passphrase', Buffer.from(PASSPHRASE)]]);
    expect(search.inProcess(terminal.pid, new Set())).toEqual([]);
    for (const file of ['environ', 'cmdline']) expect(search.inFile(`/proc/${terminal.pid}/${file}`)).toEqual([]);
    terminal.type('skip\n');
    await terminal.ended;
    expect(await waits[0]?.approved).toHaveLength(1);
    await desk.close();
  });
});

describe('hufu approve at a service', () => {
  it('goes through what waits: approves, rejects with a reason, skips', async () => {
    const desk = await openDesk('desk.sock');
    const [first, second, third] = [hsmRequest({}), hsmTicket({}), hsmRequest({})];
    const [one, two] = [await desk.put(first), await desk.put(second), await desk.put(third)];
    const rejected = two.approved.catch((error: unknown) => error);
    const terminal = approve('--as', 'wang', '--key', at('wang.pem'), '--submit-to', at('desk.sock'));
    expect(await terminal.until(PROMPT.decision)).toContain(first.requestId);
    terminal.type('approve\n');
    await terminal.until(PROMPT.passphrase);
    terminal.type(`${PASSPHRASE}\n`);
    expect(await terminal.until(PROMPT.decision)).toContain(second.ticketId);
    terminal.type('reject\n');
    await terminal.until(PROMPT.reason);
    terminal.type('次数太多 too many\x7f\x7f\x7f\x7fMANY\n');
    expect(await terminal.until(PROMPT.decision)).toContain(third.requestId);
    terminal.type('skip\n');
    expect(await terminal.ended).toBe(0);
    const [approval] = await one.approved;
    counts(first, approval as Approval);
    expect(await rejected).toMatchObject({ code: 'APPROVAL_REFUSED', details: { approver: 'wang', reason: '次数太多 too MANY' } });
    await desk.close();
  });

  it('carries a request out and an approval in', async () => {
    const desk = await openDesk('carry.sock');
    const subject = hsmRequest({});
    const { approved } = await desk.put(subject);
    const run = async (...args: string[]): Promise<number> => approve(...args, '--submit-to', at('carry.sock')).ended;
    const [request, answer] = [at('carried-request.json'), newOut()];
    expect(await run('export', subjectDigest(subject), '--out', request)).toBe(0);
    const terminal = approve('--as', 'wang', '--key', at('wang.pem'), '--in', request, '--out', answer);
    await terminal.until(PROMPT.decision);
    terminal.type('approve\n');
    await terminal.until(PROMPT.passphrase);
    terminal.type(`${PASSPHRASE}\n`);
    expect(await terminal.ended).toBe(0);
    expect(await run('submit', answer)).toBe(0);
    counts(subject, (await approved)[0] as Approval);
    expect(await run('submit', answer)).toBe(1);
    await desk.close();
  });
});
