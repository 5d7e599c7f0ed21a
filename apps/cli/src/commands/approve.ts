import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { AppError, isAppError, TerminalInput, toHex, zodReason } from '#libs/platform/host';
import { nameSchema, OwnerDocument, subjectDigest } from '#libs/signature';
import { answerFile, readAnswerFile, readRequestFile, requestFile } from '../approve/approval-file.js';
import { newPassphrase, TerminalApprover } from '../approve/approver.js';
import { digestGroups, makeKeyFile } from '../approve/key-file.js';
import { writeNewFile } from '../approve/new-file.js';
import type { WaitingApprovals } from '../approve/waiting-approvals.js';
import { type Invocation, parseArguments } from '../command.js';
import type { StateFolder } from '../state-folder.js';

const WHAT = { zh: '审批决定与口令', en: 'decision and passphrase' };
const ACTIONS: Readonly<Record<string, (invocation: Invocation, args: string[]) => Promise<number>>> = { keygen, export: exportRequest, submit };
const DECIDE = { as: { type: 'string' }, key: { type: 'string' }, in: { type: 'string' }, out: { type: 'string' }, 'submit-to': { type: 'string' }, document: { type: 'string' }, scan: { type: 'string' } } as const;
const MOST_REASON = 500;

/**
 * `approve --as ID --key FILE` at a running service; `approve --in FILE --out FILE …` without one; `approve keygen | export | submit`.
 * What is decided by a person is asked at a terminal and nowhere else.
 */
export async function run(invocation: Invocation): Promise<number> {
  const [action = '', ...args] = invocation.args;
  const found = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  return found === undefined ? decide(invocation, [...invocation.args]) : found(invocation, args);
}

async function keygen({ terminal }: Invocation, args: string[]): Promise<number> {
  const { values } = parseArguments({ args, options: { as: { type: 'string' }, out: { type: 'string' } } });
  const id = accountOf(values.as);
  const out = resolve(given('out', values.out));
  const passphrase = await newPassphrase(TerminalInput.open(WHAT));
  try {
    const spki = makeKeyFile(out, passphrase);
    terminal.say(`${id} 的审批密钥已写入 ${out}`, `approval key of ${id} written to ${out}`);
    terminal.line(`公钥 public key  ${toHex(spki)}`);
    terminal.line(`摘要 digest      ${digestGroups(spki)}`);
  } finally {
    passphrase.zero();
  }
  return 0;
}

async function exportRequest({ state, terminal }: Invocation, args: string[]): Promise<number> {
  const { values, positionals } = parseArguments({ args, options: { out: { type: 'string' }, 'submit-to': { type: 'string' } }, allowPositionals: true });
  const out = resolve(given('out', values.out));
  return atService(state, values['submit-to'], async (waiting) => {
    writeNewFile(out, requestFile(await waiting.find(onlyOne(positionals, 'approve export ID --out FILE'))));
    terminal.say(`待审批内容已写入 ${out}`, `written to ${out}`);
    return 0;
  });
}

async function submit({ state, terminal }: Invocation, args: string[]): Promise<number> {
  const { values, positionals } = parseArguments({ args, options: { 'submit-to': { type: 'string' } }, allowPositionals: true });
  const { id, approval } = readAnswerFile(onlyOne(positionals, 'approve submit FILE'));
  return atService(state, values['submit-to'], async (waiting) => {
    await waiting.approve(id, approval);
    terminal.say('已提交', 'handed in');
    return 0;
  });
}

async function decide({ state, terminal }: Invocation, args: string[]): Promise<number> {
  const { values } = parseArguments({ args, options: DECIDE });
  const input = TerminalInput.open(WHAT);
  const id = accountOf(values.as);
  const approver = new TerminalApprover({ id, keyFile: resolve(given('key', values.key)), ownerDocument: await ownerDocument(values.document, values.scan) }, input, terminal);
  if (values.in !== undefined) {
    const subject = readRequestFile(values.in);
    const out = resolve(given('out', values.out));
    const decision = await approver.decide(subject);
    if (decision.word !== 'approve') {
      terminal.say('未批准，没有写入文件', 'not approved, nothing is written');
      return 1;
    }
    writeNewFile(out, answerFile(subjectDigest(subject), decision.approval));
    terminal.say(`批准已写入 ${out}`, `approval written to ${out}`);
    return 0;
  }
  return atService(state, values['submit-to'], async (waiting) => {
    const list = await waiting.list();
    terminal.say(`${list.length} 项待审批`, `${list.length} waiting`);
    let failures = 0;
    for (const { id: subjectId, read } of list) {
      try {
        const decision = await approver.decide(read());
        if (decision.word === 'approve') await waiting.approve(subjectId, decision.approval);
        if (decision.word === 'reject') await waiting.refuse(subjectId, id, decision.reason.slice(0, MOST_REASON));
        const [zh, en] = SAID[decision.word];
        terminal.say(zh, en);
      } catch (error) {
        // One that cannot be decided does not keep the others waiting.
        if (!isAppError(error)) throw error;
        terminal.error(error);
        failures++;
      }
    }
    return failures === 0 ? 0 : 1;
  });
}

const SAID = { approve: ['已批准', 'approved'], reject: ['已拒绝', 'rejected'], skip: ['已跳过', 'skipped'] } as const;

/** Loaded when it is needed: what is decided offline needs no service and none of its parts. */
async function atService(state: StateFolder, socket: string | undefined, work: (waiting: WaitingApprovals) => Promise<number>): Promise<number> {
  const { WaitingApprovals: Waiting } = await import('../approve/waiting-approvals.js');
  const waiting = await Waiting.open(resolve(socket ?? state.file('run', 'command.sock')));
  return work(waiting).finally(() => waiting.close());
}

/** 批件: its number as typed, and the digest of the scan that the approver has looked at. */
async function ownerDocument(number: string | undefined, scan: string | undefined): Promise<z.infer<typeof OwnerDocument> | undefined> {
  if (number === undefined && scan === undefined) return undefined;
  if (number === undefined || scan === undefined) throw new AppError('COMMAND_INVALID', { reason: '--document NUMBER and --scan FILE go together' });
  const sha256 = createHash('sha256');
  await pipeline(createReadStream(scan), sha256).catch((error: unknown) => {
    throw new AppError('COMMAND_INVALID', { reason: `--scan ${scan}: ${(error as NodeJS.ErrnoException).code ?? 'unreadable'}` }, { cause: error });
  });
  const parsed = OwnerDocument.safeParse({ number, digest: toHex(sha256.digest()) });
  if (!parsed.success) throw new AppError('COMMAND_INVALID', { reason: `--document ${zodReason(parsed.error)}` });
  return parsed.data;
}

function accountOf(text: string | undefined): string {
  const parsed = nameSchema.safeParse(given('as', text));
  if (!parsed.success) throw new AppError('COMMAND_INVALID', { reason: `--as: ${zodReason(parsed.error)}` });
  return parsed.data;
}

function given(name: string, value: string | undefined): string {
  if (value === undefined || value === '') throw new AppError('COMMAND_INVALID', { reason: `--${name} is missing` });
  return value;
}

function onlyOne(positionals: readonly string[], usage: string): string {
  const [only, ...more] = positionals;
  if (only === undefined || more.length > 0) throw new AppError('COMMAND_INVALID', { reason: usage });
  return only;
}
