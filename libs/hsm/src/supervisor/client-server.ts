import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { AppError, isAppError } from '#libs/platform/domain';
import { type Logger, socketPath } from '#libs/platform/host';
import type { Client } from '../domain/policy.js';
import { ClientRequest } from '../domain/recipes.js';
import { encodeFrame, FrameReader } from '../wire.js';
import type { Fleet } from './fleet.js';

/** One client's door: a Unix socket of its own (0600 in a 0700 folder), so the path proves who asks. */
export class ClientServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly client: Client,
    private readonly fleet: Fleet,
    private readonly log: Logger,
  ) {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** Throws ALREADY_RUNNING when another supervisor answers there; a dead socket is removed. */
  static async listen(socketDir: string, client: Client, fleet: Fleet, log: Logger): Promise<ClientServer> {
    mkdirSync(socketDir, { recursive: true, mode: 0o700 });
    chmodSync(socketDir, 0o700);
    const path = join(socketDir, `${client}.sock`);
    if (await answers(path)) throw new AppError('ALREADY_RUNNING', { pid: path });
    rmSync(path, { force: true });
    const server = new ClientServer(client, fleet, log);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(socketPath(path), resolve);
    });
    chmodSync(path, 0o600);
    return server;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const reader = new FrameReader();
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.on('data', (piece) => {
      try {
        for (const value of reader.push(piece)) this.#answer(socket, value);
      } catch (error) {
        this.log.error('client stream refused', error, { client: this.client });
        socket.destroy();
      }
    });
  }

  #answer(socket: Socket, value: unknown): void {
    const request = ClientRequest.safeParse(value);
    if (!request.success) {
      const id = (value as { id?: unknown } | null)?.id;
      if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) throw new AppError('WIRE_MALFORMED', { reason: 'request without an id' });
      return this.#reply(socket, { id, error: { code: 'REQUEST_INVALID', details: { reason: 'unknown recipe or field' } } });
    }
    const { id, recipe, device } = request.data;
    this.fleet.run(this.client, request.data).then(
      // A recipe that answers nothing answers null: a frame has no undefined.
      (ok) => this.#reply(socket, { id, ok: ok ?? null }),
      (error: unknown) => {
        const known = isAppError(error);
        if (!known || error.code === 'HSM_REFUSED' || error.code === 'INTERNAL') this.log.error('recipe refused', error, { client: this.client, recipe, device });
        this.#reply(socket, { id, error: known ? { code: error.code, details: error.details } : { code: 'INTERNAL', details: { requestId: `${recipe}#${id}` } } });
      },
    );
  }

  #reply(socket: Socket, reply: object): void {
    if (!socket.destroyed) socket.write(encodeFrame(reply));
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socketPath(path));
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
}
