import { z } from 'zod';
import { type AppError, canonicalJson, equalBytes, isAppError, type JsonValue } from '#libs/platform/domain';
import type { Link } from '../domain/chain.js';
import { digestsOfBytes, sameDigests } from '../domain/digests.js';
import type { SignedApproval } from '../domain/event.js';
import { BundleFile, type Manifest, manifestOf } from '../domain/manifest.js';
import { type Mode, MODES } from '../domain/plan.js';
import { requireRehearsed } from '../domain/rehearsal.js';
import { apply } from '../domain/replay.js';
import { parseScript, type Script } from '../domain/script.js';
import type { Signers } from '../domain/signers.js';
import { type CeremonyState, emptyState, PHASES } from '../domain/state.js';
import { subtitles } from '../domain/subtitles.js';
import { readTranscript } from '../transcript-file.js';
import type { Bundle } from './bundle.js';
import { type BundleFault, type BundleFaultKind, BundleFaultFound, faultOf, plain } from './fault.js';

export interface VerifiedCeremony {
  /** As far as the events held. */
  readonly state: CeremonyState | undefined;
  readonly events: number;
  /** The first thing that is wrong; undefined when everything holds. */
  readonly fault: BundleFault | undefined;
}

const ManifestFile = z.strictObject({
  manifest: z.looseObject({ files: z.array(BundleFile).max(10_000) }),
  approvals: z.array(z.looseObject({ approver: z.string().max(64), nonce: z.string().max(32) })).length(2),
});
const FILE = { transcript: 'transcript.jsonl', script: 'script.json', rehearsal: 'rehearsal.jsonl', manifest: 'manifest.json' } as const;

/**
 * Verifies a bundle from its files alone: the chain, every rule and every signature by replaying the events, the script, the rehearsal behind
 * a real ceremony, the files, and the manifest, which is made anew and compared. `mode` is what the reader wants it to be: nothing in a bundle can
 * make a rehearsal real. Never throws for what a bundle may hold.
 */
export function verifyBundle(bundle: Bundle, { signers, mode }: { readonly signers: Signers; readonly mode: Mode }): VerifiedCeremony {
  let state: CeremonyState | undefined;
  try {
    const script = within(FILE.script, () => parseScript(json(bundle, FILE.script), FILE.script));
    const { links, wholeBytes } = within(FILE.transcript, () => readTranscript(content(bundle, FILE.transcript)));
    if (wholeBytes !== content(bundle, FILE.transcript).length) fail('chain', `event ${links.length + 1}`, '行不完整', 'its line is not whole');
    let reached: CeremonyState = emptyState(script);
    for (const link of links) {
      const before: CeremonyState = reached;
      reached = within(`event ${link.event.seq}`, () => apply(before, link, signers), link);
      state = reached;
      if (link.event.mode !== mode) fail('rehearsal', 'event 1', MODES[link.event.mode].zh, MODES[link.event.mode].en);
    }
    if (reached.phase !== 'closed') fail('unfinished', `event ${links.length}`, PHASES[reached.phase].zh, PHASES[reached.phase].en);
    requireRehearsal(bundle, reached, script, signers);
    requireFiles(bundle, reached, links);
    requireManifest(bundle, reached, signers);
    return { state, events: links.length, fault: undefined };
  } catch (error) {
    if (!(error instanceof BundleFaultFound)) throw error;
    return { state, events: state?.last?.event.seq ?? 0, fault: error.fault };
  }
}

function requireRehearsal(bundle: Bundle, { plan }: CeremonyState, script: Script, signers: Signers): void {
  const there = bundle.contents.has(FILE.rehearsal);
  if (plan?.mode !== 'real') {
    if (there) fail('file', FILE.rehearsal, '演练不依据演练', 'a rehearsal rests on none');
    return;
  }
  if (!there) fail('file', FILE.rehearsal, '缺失', 'it is missing');
  within(FILE.rehearsal, () => requireRehearsed(plan, script, readTranscript(content(bundle, FILE.rehearsal)).links, signers));
}

/** Every file of the folder has a reason, and what the transcript says of it holds. A recording may be kept elsewhere. */
function requireFiles({ files }: Bundle, state: CeremonyState, links: readonly Link[]): void {
  const expected = new Set<string>([FILE.transcript, FILE.script, FILE.rehearsal, FILE.manifest]);
  for (const { name, kind, bytes, sha256, sm3 } of state.files) {
    const path = `files/${name}`;
    const found = files.find((file) => file.path === path);
    expected.add(path);
    if (found === undefined && kind === 'video') continue;
    if (found === undefined) return fail('file', path, '缺失', 'it is missing');
    if (found.bytes !== bytes || !sameDigests(found, { sha256, sm3 })) fail('file', path, '内容被修改', 'it was changed');
  }
  for (const recording of state.recordings) {
    const path = `${recording.video}.srt`;
    expected.add(path);
    const found = files.find((file) => file.path === path);
    if (found === undefined) return fail('file', path, '缺失', 'it is missing');
    if (!sameDigests(found, digestsOfBytes(new TextEncoder().encode(subtitles(state, links, recording))))) fail('file', path, '与记录不符', 'it is not that of the transcript');
  }
  const foreign = files.find(({ path }) => !expected.has(path));
  if (foreign !== undefined) fail('file', foreign.path, '不属于证据包', 'it does not belong to the bundle');
}

function requireManifest(bundle: Bundle, state: CeremonyState, signers: Signers): void {
  const at = FILE.manifest;
  const raw = json(bundle, at);
  const parsed = ManifestFile.safeParse(raw);
  if (!parsed.success) return fail('malformed', at, '字段错误', parsed.error.issues[0]?.message ?? '');
  const { manifest, approvals } = parsed.data;
  const expected: Manifest = manifestOf(state, bundle.files.filter(({ path }) => path !== at));
  const members = new Set([...Object.keys(expected), ...Object.keys(manifest)]);
  for (const member of members) if (!sameJson((expected as Record<string, unknown>)[member], manifest[member])) fail('manifest', `${at} ${member}`, '与记录不符', 'it is not that of the transcript');
  if (!equalBytes(canonicalJson(raw as JsonValue), content(bundle, at))) fail('malformed', at, '不是规范形式', 'it is not in its one form');
  const { plan, last, nonces } = state;
  const roles = approvals.map(({ approver }) => plan?.participants.find(({ id }) => id === approver && state.attended.has(id))?.role);
  for (const role of ['auditor', 'witness'] as const) if (!roles.includes(role)) fail('signature', at, `缺少${role}`, `no signature of the ${role}`);
  for (const approval of approvals as readonly SignedApproval[]) {
    if (nonces.has(approval.nonce)) fail('signature', at, '随机数重复', 'a nonce was used twice');
    within(at, () => signers.requireSigned(expected, approval, { at: new Date(last?.event.at ?? 0), policyVersion: plan?.policyVersion ?? 0 }));
  }
}

function within<T>(at: string, act: () => T, link?: Link): T {
  try {
    return act();
  } catch (error) {
    if (isAppError(error)) throw new BundleFaultFound(faultOf(placeOf(at, error, link), error));
    if (error instanceof RangeError) throw new BundleFaultFound({ kind: 'malformed', at, detail: plain(error.message) });
    throw error;
  }
}

/** A broken chain names its own event; a script that the plan does not name is the script's fault. */
function placeOf(at: string, { code, details }: AppError, link: Link | undefined): string {
  if (code === 'CEREMONY_CHAIN_BROKEN' && at !== FILE.rehearsal) return `event ${String(details['event'])}`;
  return code === 'CEREMONY_PLAN_INVALID' && link?.event.type === 'planned' ? `${at}, ${FILE.script}` : at;
}

function content({ contents }: Bundle, path: string): Uint8Array {
  return contents.get(path) ?? fail('file', path, '缺失', 'it is missing');
}

function json(bundle: Bundle, path: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content(bundle, path)));
  } catch (error) {
    if (error instanceof BundleFaultFound) throw error;
    return fail('malformed', path, '不是 JSON', 'it is not JSON');
  }
}

function sameJson(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return equalBytes(canonicalJson(a as JsonValue), canonicalJson(b as JsonValue));
}

function fail(kind: BundleFaultKind, at: string, zh: string, en: string): never {
  throw new BundleFaultFound({ kind, at, detail: { zh, en } });
}
