import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type BundleFault, Ceremony, type CeremonyState, digestsOfBytes, FileTranscriptStore, keepEvidence, type Link, linkOf, type Manifest, type Mode, type Plan, prepareBundle, readBundle, readScript,
  readTranscript, rehearsalOf, replay, sheetPage, signBundle, transcriptBytes, verifyBundle,
} from '#libs/ceremony';
import { FixedClock } from '#libs/platform';
import { canonicalJson, type JsonValue } from '#libs/platform/domain';
import { TestRoom } from '../builders/ceremony.js';

const script = readScript(join(import.meta.dirname, '../../certs/ceremonies/generate.yaml'));
const room = new TestRoom();
const root = mkdtempSync(join(tmpdir(), 'hufu ceremony '));
const rehearsed = join(root, 'rehearsal');
const real = join(root, 'real');
const policy = join(root, 'policy.json');

/** A whole day with three custodians over the file store, its bundle signed by auditor and witness. */
async function held(folder: string, changes: Partial<Plan>, rehearsal?: readonly Link[]): Promise<CeremonyState> {
  const clock = new FixedClock(room.at);
  const store = FileTranscriptStore.open(folder);
  const ceremony = await Ceremony.begin({ store, approvers: room.approvers, clock }, script, rehearsal);
  const files = (kind: 'photo' | 'scan' | 'video') => keepEvidence(folder, { name: `${kind}.bin`, kind, bytes: new TextEncoder().encode(`${kind} of the seals`) });
  const drafts = room.day(script, () => ceremony.state, files, changes);
  for (let next = drafts.next(ceremony.state); next.done !== true; next = drafts.next(ceremony.state)) {
    clock.set(room.tick());
    await ceremony.record(next.value);
  }
  const manifest = prepareBundle(folder, ceremony.state, ceremony.links);
  signBundle(folder, manifest, ['auditor', 'witness'].map((id) => room.sign(id, manifest)));
  await store.close();
  return ceremony.state;
}

const faultIn = (folder: string, mode: Mode): BundleFault | undefined => verifyBundle(readBundle(folder), { signers: room.approvers, mode }).fault;
const hufu = (...args: string[]) => spawnSync(process.execPath, [resolve('dist/apps/cli/src/main.js'), 'ceremony', ...args], { encoding: 'utf8' });

let done: CeremonyState;
beforeAll(async () => {
  writeFileSync(policy, JSON.stringify(room.chain));
  await held(rehearsed, {});
  const links = readTranscript(readFileSync(join(rehearsed, 'transcript.jsonl'))).links;
  const rehearsal = rehearsalOf(script, links, room.approvers);
  done = await held(real, { ceremony: 'KC-2026-002', mode: 'real', ...(rehearsal === undefined ? {} : { rehearsal }) }, links);
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('a ceremony with three custodians', () => {
  it('rehearsed and then held is verified offline, by the library and by the command', () => {
    expect(faultIn(rehearsed, 'rehearsal')).toBeUndefined();
    expect(faultIn(real, 'real')).toBeUndefined();
    expect([done.components.size, done.bags.size, done.signatures.size, done.kcvs.get('generate')]).toEqual([3, 3, 7, 'A1B2C3']);
    const good = hufu('verify', real, '--policy', policy, '--policy-digest', room.approvers.bootstrapDigest);
    expect([good.status, good.stdout.split('\n').at(-2)]).toEqual([0, '核验通过：完成 / verified: completed']);
    expect(hufu('verify', rehearsed, '--policy', policy, '--rehearsal').status).toBe(0);
  });

  it('a rehearsal never passes as real, nor a real one as a rehearsal', () => {
    expect(faultIn(rehearsed, 'real')).toMatchObject({ kind: 'rehearsal', at: 'event 1' });
    expect(faultIn(real, 'rehearsal')).toMatchObject({ kind: 'rehearsal' });
    expect(hufu('verify', rehearsed, '--policy', policy).status).toBe(1);
    // Every event rewritten as real, the chain mended: what people signed still says REHEARSAL.
    const forged = join(root, 'forged');
    cpSync(rehearsed, forged, { recursive: true });
    const { rehearsal } = done.plan as Plan;
    const links = readTranscript(readFileSync(join(forged, 'transcript.jsonl'))).links.reduce<Link[]>((all, { event }) => {
      const plan = event.type === 'planned' ? { plan: { ...event.plan, mode: 'real' as const, ...(rehearsal === undefined ? {} : { rehearsal }) } } : {};
      return [...all, linkOf({ ...event, ...plan, mode: 'real', previous: all.at(-1)?.digests ?? null } as Link['event'])];
    }, []);
    writeFileSync(join(forged, 'transcript.jsonl'), transcriptBytes(links));
    cpSync(join(rehearsed, 'transcript.jsonl'), join(forged, 'rehearsal.jsonl'));
    // The times lie before the rehearsal closed, and were they moved, the first touch would not hold.
    expect(faultIn(forged, 'real')).toMatchObject({ kind: 'rule', at: expect.stringMatching(/^event 1/) });
    const later = links.reduce<Link[]>((all, { event }) => [...all, linkOf({ ...event, at: new Date(Date.parse(event.at) + 86_400_000).toISOString(), previous: all.at(-1)?.digests ?? null } as Link['event'])], []);
    writeFileSync(join(forged, 'transcript.jsonl'), transcriptBytes(later));
    expect(faultIn(forged, 'real')).toMatchObject({ kind: 'signature', at: expect.stringMatching(/^event 3/) });
  });

  it('a policy of other people, or another pinned digest, verifies nothing', () => {
    const others = new TestRoom();
    expect(verifyBundle(readBundle(real), { signers: others.approvers, mode: 'real' }).fault).toMatchObject({ kind: 'signature', at: 'event 3' });
    expect(hufu('verify', real, '--policy', policy, '--policy-digest', 'A'.repeat(64)).stderr).toContain('POLICY_CHANGED');
  });

  it('its script is shown with digest and as it is read aloud', () => {
    const shown = hufu('script', resolve('certs/ceremonies/generate.yaml')).stdout;
    expect(shown.replaceAll(' ', '')).toContain(done.plan?.script.sha256);
    expect(shown).toMatch(/\n16 {2}[0-9A-F]{4} {2}\S+ {2}[a-z ]+\n/);
  });

  it('gives subtitles in the time of the camera, and a sheet with the digest that was signed', () => {
    const text = readFileSync(join(rehearsed, 'V-1.srt'), 'utf8');
    expect(text).toMatch(/^1\n00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}\n【演练 REHEARSAL】\ncheckIn 签到\nCheck-in\n/);
    const links = readTranscript(readFileSync(join(rehearsed, 'transcript.jsonl'))).links;
    const opened = links.find(({ event }) => event.type === 'stepOpened' && event.step === 'generate')?.event.at ?? '';
    // Station time plus 1500 ms is the camera's; it started at START by its own clock.
    const position = new Date(Date.parse(opened) - Date.parse('2026-06-01T01:00:00.000Z') + 1500).toISOString().slice(11, 23).replace('.', ',');
    expect(text).toContain(`${position} --> `);
    const sheet = sheetPage(done, 2);
    expect(sheet).toContain(done.transcriptHead?.digests.sha256.match(/.{4}/g)?.join(' '));
    expect(sheet).toContain('第 2 份 copy 2');
    expect(sheet).not.toContain('REHEARSAL');
    expect(sheetPage(replay(script, links, room.approvers), 1)).toContain('演练 REHEARSAL');
  });
});

/** One thing changed in a copy of the bundle. */
type Mutation = readonly [string, (folder: string) => void, string, string | RegExp];
const edit = (path: string, change: (text: string) => string) => (folder: string): void => writeFileSync(join(folder, path), change(readFileSync(join(folder, path), 'utf8')));
const lines = (change: (all: string[]) => string[]) => edit('transcript.jsonl', (text) => `${change(text.split('\n').slice(0, -1)).join('\n')}\n`);
const chained = (change: (event: Link['event']) => object) => (folder: string): void => {
  const links = readTranscript(readFileSync(join(folder, 'transcript.jsonl'))).links;
  writeFileSync(join(folder, 'transcript.jsonl'), transcriptBytes(links.reduce<Link[]>((all, { event }) => [...all, linkOf({ ...change(event), previous: all.at(-1)?.digests ?? null } as Link['event'])], [])));
};
const manifest = (change: (manifest: Manifest) => object, sign = false) => (folder: string): void => {
  const file = join(folder, 'manifest.json');
  const read = JSON.parse(readFileSync(file, 'utf8')) as { manifest: Manifest; approvals: JsonValue };
  const changed = change(read.manifest);
  writeFileSync(file, canonicalJson({ manifest: changed as JsonValue, approvals: sign ? (['admin', 'witness'].map((id) => room.sign(id, changed)) as unknown as JsonValue) : read.approvals }));
};

const MUTATIONS: readonly Mutation[] = [
  ['an event edited', lines((all) => all.map((line, n) => (n === 4 ? line.replace('"phoneHandedIn":true', '"phoneHandedIn":false') : line))), 'chain', 'event 5'],
  ['an event removed', lines((all) => all.filter((_line, n) => n !== 10)), 'chain', 'event 11'],
  ['two events exchanged', lines((all) => all.map((line, n) => (n === 10 ? (all[11] as string) : n === 11 ? (all[10] as string) : line))), 'chain', 'event 11'],
  ['the end cut off', lines((all) => all.slice(0, -1)), 'unfinished', /^event/],
  ['the last newline gone', edit('transcript.jsonl', (text) => text.slice(0, -1)), 'chain', /^event/],
  ['times moved before an act, the chain mended', chained((event) => ({ ...event, at: new Date(Date.parse(event.at) + (event.seq > 20 ? 1 : 0)).toISOString() })), 'rule', /^event/],
  ['the check value of a component exchanged, the chain mended', chained((event) => JSON.parse(JSON.stringify(event).replaceAll('D4E5F6', 'D4E5F7')) as object), 'signature', /^event/],
  ['another safe, the chain mended', chained((event) => (event.type === 'bagSealed' ? { ...event, safe: 'S-2' } : event)), 'signature', /^event/],
  ['somebody else named at an act, the chain mended', chained((event) => (event.type === 'armSigned' && event.by === 'custodian-2' ? { ...event, by: 'custodian-3' } : event)), 'signature', /^event/],
  ['a check value heard wrong, the chain mended', chained((event) => (event.type === 'kcvHeard' && event.by === 'recorder' ? { ...event, typed: 'FFFFFF' } : event)), 'rule', /^event/],
  ['the script edited', edit('script.json', (text) => text.replace('五分钟', '五小时')), 'rule', 'event 1, script.json'],
  ['the script gone', (folder) => rmSync(join(folder, 'script.json')), 'file', 'script.json'],
  ['the script no script', edit('script.json', () => '{}'), 'script', 'script.json'],
  ['the rehearsal gone', (folder) => rmSync(join(folder, 'rehearsal.jsonl')), 'file', 'rehearsal.jsonl'],
  ['the rehearsal edited', edit('rehearsal.jsonl', (text) => text.replace('A-101', 'A-102')), 'chain', 'rehearsal.jsonl'],
  ['the rehearsal cut short', edit('rehearsal.jsonl', (text) => `${text.split('\n').slice(0, -2).join('\n')}\n`), 'rule', 'rehearsal.jsonl'],
  ['a photo edited', edit('files/photo.bin', (text) => text.replace('seals', 'seal5')), 'file', 'files/photo.bin'],
  ['a scan gone', (folder) => rmSync(join(folder, 'files/scan.bin')), 'file', 'files/scan.bin'],
  ['a file renamed', (folder) => renameSync(join(folder, 'files/scan.bin'), join(folder, 'files/scan2.bin')), 'file', 'files/scan.bin'],
  ['a foreign file', (folder) => (mkdirSync(join(folder, 'more')), writeFileSync(join(folder, 'more/x'), 'x')), 'file', 'more/x'],
  ['the subtitles edited', edit('V-1.srt', (text) => text.replace('签到', '签名')), 'file', 'V-1.srt'],
  ['the manifest gone', (folder) => rmSync(join(folder, 'manifest.json')), 'file', 'manifest.json'],
  ['the manifest with another result', manifest((all) => ({ ...all, result: 'aborted' })), 'manifest', 'manifest.json result'],
  ['the manifest with somebody more', manifest((all) => ({ ...all, attendance: [...all.attendance, all.attendance[0]] })), 'manifest', 'manifest.json attendance'],
  ['the manifest with a member more', manifest((all) => ({ ...all, note: 'x' })), 'manifest', 'manifest.json note'],
  ['the manifest signed by others', manifest((all) => all, true), 'signature', 'manifest.json'],
  ['the manifest with spaces', edit('manifest.json', (text) => text.replace('{', '{ ')), 'malformed', 'manifest.json'],
];

describe('a bundle with', () => {
  it.each(MUTATIONS)('%s is refused, and the first bad thing is named', (name, mutate, kind, at) => {
    const folder = join(root, digestsOfBytes(new TextEncoder().encode(name)).sha256.slice(0, 16));
    cpSync(real, folder, { recursive: true });
    expect(faultIn(folder, 'real')).toBeUndefined();
    mutate(folder);
    const fault = faultIn(folder, 'real');
    expect(fault).toMatchObject({ kind, at: typeof at === 'string' ? at : expect.stringMatching(at) });
    rmSync(folder, { recursive: true });
  });
});
