import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fromHex, toHex } from '#libs/platform/domain';
import { startTestCard } from '../../../test/env/test-card.js';
import { SocketCardChannel } from './index.js';

const chipSerial = '4855465500000099';

describe('a card behind a socket', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'hufu-channel-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** A reader that answers each frame with whatever `reply` says. */
  async function reader(name: string, reply: (socket: Socket) => void): Promise<{ server: Server; path: string }> {
    const path = join(dir, name);
    const server = createServer((socket) => socket.on('data', () => reply(socket)).on('error', () => undefined));
    await new Promise<void>((done) => server.listen(path, done));
    return { server, path };
  }

  it('resets, speaks, and says that the card is gone when it is torn out', async () => {
    const card = await startTestCard(chipSerial);
    const channel = await SocketCardChannel.open(card.socket);
    expect(toHex(await channel.reset())).toBe(`3B6C000048554655${chipSerial}`);
    expect(await channel.transmit(fromHex('0084000008'))).toMatchObject({ sw: 0x9000 });
    expect(await channel.transmit(fromHex('00A4000002DF09'))).toEqual({ data: new Uint8Array(), sw: 0x6a82 });
    await card.tear();
    await expect(channel.transmit(fromHex('0084000008'))).rejects.toMatchObject({ code: 'PSAM_CARD_GONE' });
    await expect(channel.reset()).rejects.toMatchObject({ code: 'PSAM_CARD_GONE' });
  });

  it('says that nothing listens', async () => {
    await expect(SocketCardChannel.open(join(dir, 'nothing'))).rejects.toMatchObject({ code: 'PSAM_CARD_GONE', details: { reason: 'ENOENT' } });
  });

  it('gives a silent card up after its time, for good', async () => {
    const { server, path } = await reader('silent', () => undefined);
    const channel = await SocketCardChannel.open(path, 0.1);
    await expect(channel.transmit(fromHex('0084000008'))).rejects.toMatchObject({ code: 'PSAM_CARD_SILENT' });
    await expect(channel.transmit(fromHex('0084000008'))).rejects.toMatchObject({ code: 'PSAM_CARD_SILENT' });
    server.close();
  });

  it('puts an answer together that comes byte by byte', async () => {
    const { server, path } = await reader('slow', (socket) => {
      for (const [index, byte] of [0, 4, 1, 2, 0x90, 0].entries()) setTimeout(() => socket.write(Uint8Array.of(byte)), index * 5);
    });
    const channel = await SocketCardChannel.open(path);
    expect(await channel.transmit(fromHex('0084000002'))).toEqual({ data: Uint8Array.of(1, 2), sw: 0x9000 });
    await channel.close();
    server.close();
  });

  it('refuses an answer without a status word, and one too many', async () => {
    const short = await reader('short', (socket) => socket.write(Uint8Array.of(0, 1, 0x90)));
    const first = await SocketCardChannel.open(short.path);
    await expect(first.transmit(fromHex('0084000002'))).rejects.toMatchObject({ code: 'PSAM_ANSWER_MALFORMED' });
    await first.close();
    const double = await reader('double', (socket) => socket.write(Uint8Array.of(0, 2, 0x90, 0, 0, 2, 0x90, 0)));
    const second = await SocketCardChannel.open(double.path);
    await expect(second.transmit(fromHex('0084000002'))).rejects.toMatchObject({ code: 'PSAM_CARD_GONE' });
    for (const { server } of [short, double]) server.close();
  });

  it('finds a card as it left it when its state is kept, and a card dies with its parent', async () => {
    const state = join(dir, 'chip.json');
    const card = await startTestCard(chipSerial, { state });
    const channel = await SocketCardChannel.open(card.socket);
    await channel.transmit(fromHex('0084000008'));
    expect((await channel.transmit(fromHex('00820000080000000000000000'))).sw).toBe(0x63c2);
    await card.tear();
    const again = await startTestCard(chipSerial, { state });
    const second = await SocketCardChannel.open(again.socket);
    await second.transmit(fromHex('0084000008'));
    expect((await second.transmit(fromHex('00820000080000000000000000'))).sw).toBe(0x63c1);
    again.process.stdin?.end();
    await new Promise<void>((done) => again.process.once('exit', () => done()));
    await expect(second.transmit(fromHex('0084000008'))).rejects.toMatchObject({ code: 'PSAM_CARD_GONE' });
    expect(existsSync(again.socket)).toBe(false);
  });

  it('is not started with words it does not know', async () => {
    for (const args of [['--chip-serial', chipSerial], ['--socket', join(dir, 's'), '--chip-serial', 'XY'], ['--socket', join(dir, 's'), '--chip-serial', chipSerial, '--fault', 'no-such']]) {
      const card = spawn(process.execPath, [resolve('dist/test/psam-card/main.js'), ...args], { stdio: ['pipe', 'ignore', 'ignore'] });
      expect(await new Promise((done) => card.once('exit', done))).toBe(2);
    }
  });
});
