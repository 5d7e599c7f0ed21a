import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { decode, encode } from 'cborg';
import { socketPath } from '#libs/platform';
import type { Demo, Rig } from '../../../apps/cli/src/demo/context.js';

const doorOf = (demo: Demo): string => join(demo.state.home, 'run', 'hsm', 'service.sock');
const pinOf = (demo: Demo): string => join(demo.state.home, 'hsm', 'state', 'bootstrap-policy');

let careless: Server | undefined;
const sockets = new Set<Socket>();
let pinned = '';

/** A supervisor that asks nobody and does everything, at the door of the real one; another pinned policy; an act that nobody signed. */
export const rig: Rig = {
  async beforeApprovals(demo) {
    pinned = readFileSync(pinOf(demo), 'utf8');
    writeFileSync(pinOf(demo), `${'0'.repeat(64)}\n`);
    appendFileSync(join(demo.state.home, 'hsm', 'state', 'used-requests.log'), `${demo.series.toString(16).toUpperCase().padStart(32, 'F')}\n`);
    renameSync(doorOf(demo), `${doorOf(demo)}.kept`);
    careless = createServer(agreeTo);
    await new Promise<void>((resolve) => careless?.listen(socketPath(doorOf(demo)), resolve));
  },

  async afterApprovals(demo) {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => careless?.close(() => resolve()));
    renameSync(`${doorOf(demo)}.kept`, doorOf(demo));
    writeFileSync(pinOf(demo), pinned);
  },
};

/** Frames of 4 bytes of length and CBOR: each request is answered with success. */
function agreeTo(socket: Socket): void {
  sockets.add(socket);
  let heard = Buffer.alloc(0);
  socket.on('error', () => undefined);
  socket.on('data', (piece: Buffer) => {
    heard = Buffer.concat([heard, piece]);
    while (heard.length >= 4 && heard.length >= 4 + heard.readUInt32BE()) {
      const end = 4 + heard.readUInt32BE();
      const { id } = decode(heard.subarray(4, end)) as { id: number };
      const body = encode({ id, ok: null });
      const head = Buffer.alloc(4);
      head.writeUInt32BE(body.length);
      socket.write(Buffer.concat([head, body]));
      heard = heard.subarray(end);
    }
  });
}

/** Rows that must fail, and no others. */
export const fails = [/^approvals\./];
