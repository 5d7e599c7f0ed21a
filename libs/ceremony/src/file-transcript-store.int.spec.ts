import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FixedClock } from '#libs/platform';
import { TestRoom } from '../../../test/builders/ceremony.js';
import { Ceremony, FileTranscriptStore, type Link, readScript, readTranscript, replay, TRANSCRIPT_FILE, transcriptBytes } from './index.js';

const script = readScript(join(import.meta.dirname, '../../../certs/ceremonies/generate.yaml'));
const room = new TestRoom();
const { links } = room.play(script, { until: 20 });
const KILLS = 12;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hufu ceremony '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (): string => join(folder, TRANSCRIPT_FILE);
async function kept(content: readonly Link[]): Promise<void> {
  const store = FileTranscriptStore.open(folder);
  await store.load();
  await store.begin(script);
  for (const link of content) await store.append(link);
  await store.close();
}

describe('the folder of a ceremony', () => {
  it('cut off at any byte goes on after the last whole event', async () => {
    await kept(links.slice(0, 3));
    const bytes = readFileSync(file());
    const ends = [...bytes.keys()].filter((at) => bytes[at] === 0x0a).map((at) => at + 1);
    const places = [...Array.from({ length: 120 }, (_, n) => Math.floor((n * bytes.length) / 120)), ...ends, ...ends.map((end) => end - 1)];
    for (const cut of places) {
      writeFileSync(file(), bytes.subarray(0, cut));
      const store = FileTranscriptStore.open(folder);
      const whole = ends.filter((end) => end <= cut).length;
      expect([cut, (await store.load())?.links.length]).toEqual([cut, whole]);
      await store.append(links[whole] as Link);
      await store.close();
      expect(readFileSync(file()).equals(Buffer.from(transcriptBytes(links.slice(0, whole + 1))))).toBe(true);
    }
  });

  it('a line that is whole and wrong is not cut off but refused', async () => {
    await kept(links.slice(0, 3));
    const text = readFileSync(file(), 'utf8');
    for (const planted of [text.replace('"phoneHandedIn":true', '"phoneHandedIn": true').replace('A-101', 'A-102'), `${text}{}\n`, `${text}x\n`]) {
      writeFileSync(file(), planted);
      const store = FileTranscriptStore.open(folder);
      await expect(store.load()).rejects.toMatchObject({ code: 'CEREMONY_CHAIN_BROKEN' });
      await store.close();
      expect(readFileSync(file(), 'utf8')).toBe(planted);
    }
  });

  it('has one writer; the lock goes with its holder', async () => {
    const store = FileTranscriptStore.open(folder);
    expect(() => FileTranscriptStore.open(folder)).toThrow(expect.objectContaining({ code: 'CEREMONY_LOCKED' }));
    await store.close();
    await FileTranscriptStore.open(folder).close();
  });

  it('is swept of what a killed writer left half-written, and of nothing else', async () => {
    await kept(links.slice(0, 1));
    for (const name of ['script.json.4711.part', 'scan.part']) writeFileSync(join(folder, name), 'x');
    await FileTranscriptStore.open(folder).close();
    expect(readdirSync(folder).sort()).toEqual(['.lock', 'scan.part', 'script.json', 'transcript.jsonl']);
  });

  it('holds one ceremony', async () => {
    await kept(links.slice(0, 1));
    const parts = { store: FileTranscriptStore.open(folder), approvers: room.approvers, clock: new FixedClock(room.at) };
    await expect(Ceremony.begin(parts, script)).rejects.toMatchObject({ code: 'CEREMONY_ALREADY_DONE' });
    await parts.store.close();
  });

  it('goes on where it stood: a power cut in the middle of a component burns its bag, an act under way stays without outcome', async () => {
    const day = room.play(script).links;
    const until = (type: string, step: string): Link[] => day.slice(0, day.findIndex(({ event }) => event.type === type && 'step' in event && event.step === step) + 1);
    for (const [type, step, seen] of [['componentWritten', 'component-2', 'bag'], ['executionIntended', 'copy', 'intent']] as const) {
      rmSync(folder, { recursive: true });
      await kept(until(type, step));
      const store = FileTranscriptStore.open(folder);
      const { state } = await Ceremony.resume({ store, approvers: room.approvers, clock: new FixedClock(room.at) }, { by: 'admin', station: 'B' });
      await store.close();
      expect(state.last?.event).toMatchObject({ type: 'stationStarted', station: 'B' });
      if (seen === 'bag') expect([state.component, state.deviations.length, state.bagsUsed.has('NEW-0002')]).toEqual([undefined, 1, true]);
      else expect(state.intent).toMatchObject({ step: 'copy', orphaned: true });
    }
  });

  it('two events at once are judged one after the other', async () => {
    await kept(links.slice(0, 12));
    const store = FileTranscriptStore.open(folder);
    const ceremony = await Ceremony.resume({ store, approvers: room.approvers, clock: new FixedClock(room.at) }, { by: 'admin', station: 'B' });
    const asked = await Promise.allSettled([1, 1, 2].map((copy) => ceremony.record({ type: 'printed', by: 'admin', form: 'script', copy })));
    expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await store.close();
    expect(replay(script, readTranscript(readFileSync(file())).links, room.approvers)).toEqual(ceremony.state);
  });
});

describe('a station that is killed', () => {
  it(`${KILLS} times at random moments has kept every event that it told of, and goes on`, async () => {
    await kept(links);
    const policy = join(folder, 'policy.json');
    writeFileSync(policy, JSON.stringify(room.chain));
    let told = links.length;
    for (let kill = 0; kill < KILLS; kill++) {
      const station = spawn(process.execPath, [resolve('dist/test/env/ceremony-writer.js'), folder, policy], { stdio: ['ignore', 'pipe', 'inherit'] });
      let out = '';
      const ready = new Promise<void>((done) => station.stdout.on('data', (chunk: Buffer) => ((out += chunk.toString('latin1')), done())));
      const ended = new Promise<NodeJS.Signals | null>((done) => station.once('exit', (_code, signal) => done(signal)));
      await ready;
      await sleep(5 + Math.random() * 60);
      station.kill('SIGKILL');
      expect(await ended).toBe('SIGKILL');
      const lines = out.split('\n').slice(0, -1);
      const last = Number(lines.at(-1));
      const { links: whole } = readTranscript(readFileSync(file()));
      expect(whole.length).toBeGreaterThanOrEqual(Number.isNaN(last) ? told + 1 : last);
      told = whole.length;
      expect(replay(script, whole, room.approvers).last?.event.seq).toBe(told);
      // And what a power cut may leave of a line that was being written.
      if (kill % 3 === 0) appendFileSync(file(), '{"digests":{"sha2');
      if (kill % 3 === 1) truncateSync(file(), readFileSync(file()).lastIndexOf(0x0a) + 1);
    }
    expect(told).toBeGreaterThan(links.length + KILLS);
  }, 60_000);
});
