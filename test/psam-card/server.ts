import { createServer, type Server, type Socket } from 'node:net';
import type { PsamCard } from './card.js';

const CONTROL = { off: 0, on: 1, reset: 2, atr: 4 } as const;

/**
 * The card behind a Unix socket, framed as vpcd does it (vsmartcard): 2-byte big-endian length, then the payload, both
 * ways. A payload of one byte is a control code: 0 power off, 1 power on, 2 reset, 4 ATR; only 4 is answered.
 */
export function serveCard(card: PsamCard, path: string, afterCommand: () => void): Promise<Server> {
  const server = createServer((socket) => serve(socket, card, afterCommand));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

function serve(socket: Socket, card: PsamCard, afterCommand: () => void): void {
  let waiting = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    waiting = Buffer.concat([waiting, Buffer.from(chunk)]);
    while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
      const end = 2 + waiting.readUInt16BE(0);
      const answer = answerTo(card, waiting.subarray(2, end));
      waiting = waiting.subarray(end);
      afterCommand();
      if (answer !== undefined) socket.write(Buffer.concat([Buffer.of(answer.length >> 8, answer.length & 0xff), answer]));
    }
  });
}

function answerTo(card: PsamCard, payload: Buffer): Buffer | undefined {
  if (payload.length !== 1) return card.transmit(payload);
  if (payload[0] === CONTROL.atr) return card.atr;
  card.reset();
  return undefined;
}
