import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { appendFileSync, createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { FixedClock, openDataSource } from '#libs/platform';
import { enterLogKey, LocalSigner } from '../../../../test/builders/local-log.js';
import { MemoryAnchor } from '../../../../test/env/running-journal.js';
import { createTestDatabase, type TestDatabase } from '../../../../test/env/test-database.js';
import { AnchorConfigs, Anchoring, exportFile, Journal, type LogKey, openAnchor, readJournalState, Sequencer, verifyFile } from '../index.js';
import { FileAnchor } from './file-anchor.js';

describe('anchors', () => {
  const clock = new FixedClock(new Date('2026-03-04T05:06:07.008Z'));
  const signer = new LocalSigner();
  const journal = new Journal(clock);
  let database: TestDatabase;
  let owner: DataSource;
  let dataSource: DataSource;
  let log: Sequencer;
  let key: LogKey;
  let folder: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    owner = await openDataSource({ url: database.url, poolSize: 2 });
    dataSource = await openDataSource({ url: database.url, role: 'hufu_journal', poolSize: 2 });
    log = new Sequencer(dataSource, signer, clock);
    folder = mkdtempSync(join(tmpdir(), 'hufu anchors '));
    key = signer.make();
    await enterLogKey(owner, clock, key);
  });
  afterAll(async () => {
    await dataSource.destroy();
    await owner.destroy();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const checkpoint = async (): Promise<string> => {
    const id = await owner.transaction((tx) => journal.record(tx, { kind: 'test.one', subject: 's', data: {} }));
    await log.drain();
    return id;
  };
  beforeEach(async () => {
    await checkpoint();
  });

  it('a file gets every head once, in order, also after a line that a power cut left unfinished, and the verifier compares it', async () => {
    const path = join(folder, 'file');
    const anchoring = new Anchoring(dataSource, new FileAnchor('file', path), clock);
    expect(await anchoring.runOnce()).toBeGreaterThan(0);
    expect(await anchoring.runOnce()).toBe(0);
    appendFileSync(path, '{"checkpoint":"hufu/jour');
    await checkpoint();
    expect(await anchoring.runOnce()).toBe(1);
    const exported = join(folder, 'export');
    await pipeline(Readable.from(exportFile(owner, clock.now())), createWriteStream(exported));
    const heads = readFileSync(path, 'utf8').split('\n').filter((line) => line.endsWith('}')).length;
    const whole = verifyFile(exported, { publicKey: key.spki, anchorFiles: [path] });
    expect(whole).toMatchObject({ checkpoints: heads, anchored: heads, fault: undefined });
    // What the anchor has and an older export has not: the end was cut off.
    await checkpoint();
    await anchoring.runOnce();
    expect(verifyFile(exported, { publicKey: key.spki, anchorFiles: [path] }).fault).toMatchObject({ kind: 'truncated' });
    expect((await readJournalState(owner.manager)).anchors).toEqual([expect.objectContaining({ name: 'file', size: heads + 3 })]);
  });

  it('an anchor that is away takes nothing and gets everything later', async () => {
    const anchor = new MemoryAnchor('away');
    anchor.beforePush = () => {
      throw new Error('mount is gone');
    };
    const anchoring = new Anchoring(dataSource, anchor, clock);
    await expect(anchoring.runOnce()).rejects.toThrow('mount is gone');
    expect(await owner.query("SELECT 1 FROM journal_anchor WHERE anchor = 'away'")).toEqual([]);
    anchor.beforePush = () => undefined;
    const pushed = await anchoring.runOnce();
    expect(anchor.lines).toHaveLength(pushed);
  });

  const MESSAGE = /^<109>1 2026-03-04T05:06:07\.008Z \S+ hufu \d+ journal-checkpoint - \{"checkpoint":"hufu\/journal\/1\\nhufu-journal-2026\\n\d+\\n.*","signature":"[0-9A-F]+"\}$/;

  it('syslog over UDP is one RFC 5424 message a datagram', async () => {
    const socket: UdpSocket = createSocket('udp4');
    await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
    const messages: string[] = [];
    const got = new Promise<void>((done) => socket.on('message', (message) => (messages.push(message.toString()), done())));
    const { port } = socket.address();
    await new Anchoring(dataSource, openAnchor({ kind: 'syslog', name: 'udp', transport: 'udp', host: '127.0.0.1', port }, clock), clock).runOnce();
    await got;
    socket.close();
    expect(messages[0]).toMatch(MESSAGE);
  });

  it.each(['tcp', 'unix'] as const)('syslog over %s is octet-counted, and a collector that is not there takes nothing', async (transport) => {
    const messages: string[] = [];
    const server: Server = createServer((socket) => {
      let text = '';
      socket.on('data', (piece) => (text += piece.toString()));
      socket.on('end', () => {
        for (let at = 0; at < text.length; ) {
          const space = text.indexOf(' ', at);
          const length = Number(text.slice(at, space));
          messages.push(text.slice(space + 1, space + 1 + length));
          at = space + 1 + length;
        }
      });
    });
    const path = join(folder, 'log');
    await new Promise<void>((done) => (transport === 'unix' ? server.listen(path, done) : server.listen(0, '127.0.0.1', done)));
    const place = transport === 'unix' ? { path } : { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    const config = { kind: 'syslog', name: transport, transport, ...place } as Parameters<typeof openAnchor>[0];
    const anchoring = new Anchoring(dataSource, openAnchor(config, clock), clock);
    const pushed = await anchoring.runOnce();
    expect(pushed).toBeGreaterThan(0);
    await new Promise<void>((done) => server.close(() => done()));
    expect(messages).toHaveLength(pushed);
    for (const message of messages) expect(message).toMatch(MESSAGE);
    await checkpoint();
    await expect(anchoring.runOnce()).rejects.toThrow();
    expect(await owner.query('SELECT count(*) AS n FROM journal_anchor WHERE anchor = $1', [transport])).toEqual([{ n: String(pushed) }]);
  });

  it('an entry counts for a privileged act when one anchor took a head over it; else the refusal says why', async () => {
    const id = await owner.transaction((tx) => journal.record(tx, { kind: 'test.one', subject: 's', data: {} }));
    const waiting = journal.anchored(owner.manager, id);
    await log.drain();
    const memory = new Anchoring(dataSource, new MemoryAnchor('late'), clock);
    while ((await memory.runOnce()) > 0);
    await waiting;
    const started = performance.now();
    const none = await owner.transaction((tx) => journal.record(tx, { kind: 'test.one', subject: 's', data: {} }));
    await expect(journal.anchored(owner.manager, none)).rejects.toMatchObject({ code: 'JOURNAL_STALE', details: { reasonEn: expect.stringContaining('the sequencer does not run') } });
    expect(performance.now() - started).toBeLessThan(6_500);
    await log.drain();
    await expect(journal.anchored(owner.manager, none)).rejects.toMatchObject({ code: 'JOURNAL_STALE', details: { reasonEn: expect.stringMatching(/^no anchor took the checkpoint/) } });
  }, 20_000);

  it('are named once each, in a form that is refused by name when it is wrong', () => {
    const file = { kind: 'file', name: 'a', path: '/x' };
    expect(AnchorConfigs.safeParse([file, { ...file, name: 'b' }]).success).toBe(true);
    for (const wrong of [[], [file, file], [{ ...file, name: 'A' }], [{ kind: 'syslog', name: 'a', transport: 'tcp', host: 'h', port: 0 }], [{ ...file, extra: 1 }]]) {
      expect(AnchorConfigs.safeParse(wrong).success).toBe(false);
    }
  });
});
