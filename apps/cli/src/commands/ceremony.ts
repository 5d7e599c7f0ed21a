import { existsSync } from 'node:fs';
import { groups, readScript, scriptDigests, spoken } from '#libs/ceremony';
import { ceremonyLines, readBundle, readPolicy, verifyBundle } from '#libs/ceremony/verify';
import { AppError } from '#libs/platform/domain';
import { type Invocation, parseArguments } from '../command.js';

const ACTIONS: Readonly<Record<string, (invocation: Invocation, args: string[]) => number>> = { verify, script };

/** `ceremony verify FOLDER --policy PATH`, `ceremony script FILE`. Both need nothing but the files that they are given. */
export async function run(invocation: Invocation): Promise<number> {
  const [action = '', ...args] = invocation.args;
  const found = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (found === undefined) throw new AppError('COMMAND_INVALID', { reason: `ceremony ${action}: ${Object.keys(ACTIONS).join(', ')}` });
  return found(invocation, args);
}

/** Exit code 0 only for a bundle that holds whole, of the mode that was asked for. */
function verify({ terminal }: Invocation, args: string[]): number {
  const { values, positionals } = parseArguments({
    args,
    options: { policy: { type: 'string' }, 'policy-digest': { type: 'string' }, rehearsal: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const [folder, ...rest] = positionals;
  if (folder === undefined || rest.length > 0 || values.policy === undefined) throw new AppError('COMMAND_INVALID', { reason: 'ceremony verify FOLDER --policy PATH [--policy-digest HEX] [--rehearsal]' });
  const signers = readPolicy(there(values.policy), values['policy-digest']?.replace(/\s/g, '').toUpperCase());
  const report = verifyBundle(readBundle(there(folder)), { signers, mode: values.rehearsal ? 'rehearsal' : 'real' });
  terminal.say(`审批名单第 1 版摘要 ${groups(signers.bootstrapDigest)}`, 'digest of the first approver list, to be compared with paper');
  for (const { zh, en } of ceremonyLines(report)) terminal.say(zh, en);
  return report.fault === undefined ? 0 : 1;
}

function script({ terminal }: Invocation, args: string[]): number {
  const { positionals } = parseArguments({ args, options: {}, allowPositionals: true });
  const [file, ...rest] = positionals;
  if (file === undefined || rest.length > 0) throw new AppError('COMMAND_INVALID', { reason: 'ceremony script FILE' });
  const read = readScript(there(file));
  const { sha256, sm3 } = scriptDigests(read);
  terminal.say(`${read.title.zh}，第 ${read.version} 版`, `${read.title.en}, version ${read.version}`);
  terminal.line(`SHA-256 ${groups(sha256)}`);
  terminal.line(`SM3     ${groups(sm3)}`);
  for (const [index, { zh, en }] of spoken(sha256).entries()) terminal.line(`${String(index + 1).padStart(2)}  ${sha256.slice(4 * index, 4 * index + 4)}  ${zh}  ${en}`);
  return 0;
}

function there(path: string): string {
  if (!existsSync(path)) throw new AppError('NOT_FOUND', { what: path });
  return path;
}
