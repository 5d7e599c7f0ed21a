import { randomUUID } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { z } from 'zod';
import { AppError, isAppError, Logger, socketPath, zodReason } from '#libs/platform';
import { APPROVAL_COMMANDS } from './approval-commands.js';
import { COMMANDS } from './index.js';

const Request = z.strictObject({ id: z.int(), command: z.string(), arguments: z.unknown() });

/** A request line may carry a batch of certificate requests, no more. */
const LONGEST_LINE = 16 * 1024 * 1024;

/**
 * The local door until operators can sign in: JSON lines over a Unix socket that only its owner may open (0600).
 * Request {id, command, arguments}; replies {id, progress}, then {id, result} or {id, error: {code, details}}.
 */
@Injectable()
export class CommandServer {
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();
  private opened!: () => void;
  /** Until `open`, only what waits for approvers is answered; everything else waits. */
  private readonly settled = new Promise<void>((resolve) => (this.opened = resolve));

  constructor(
    private readonly modules: ModuleRef,
    private readonly log: Logger,
  ) {}

  /** The folder of the socket exists; this process may write nothing else there. */
  async listen(path: string): Promise<void> {
    rmSync(path, { force: true });
    const server = createServer((socket) => this.serve(socket));
    this.server = server;
    const before = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(socketPath(path), resolve);
      });
    } finally {
      process.umask(before);
    }
    chmodSync(path, 0o600);
  }

  /** Intents are settled: every command may run. */
  open(): void {
    this.opened();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => (this.server === undefined ? resolve() : this.server.close(() => resolve())));
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket, crlfDelay: Infinity }).on('line', (line) => void this.answer(socket, line));
  }

  private async answer(socket: Socket, line: string): Promise<void> {
    let id = -1;
    const send = (reply: object): void => {
      if (socket.writable) socket.write(`${JSON.stringify({ id, ...reply })}\n`);
    };
    try {
      if (line.length > LONGEST_LINE) throw new AppError('REQUEST_INVALID', { reason: 'line too long' });
      const request = parse(Request, JSON.parse(line) as unknown);
      id = request.id;
      const command = COMMANDS[request.command];
      if (command === undefined) throw new AppError('REQUEST_INVALID', { reason: `no command ${request.command}` });
      const args = parse(command.arguments, request.arguments);
      if (!Object.hasOwn(APPROVAL_COMMANDS, request.command)) await this.settled;
      const result = await command.run({ get: (token) => this.modules.get(token, { strict: false }) }, args, (done, total) => send({ progress: { done, total } }));
      send({ result });
    } catch (error) {
      send({ error: this.rendered(error) });
    }
  }

  /** AppErrors keep their code; anything else is an internal error whose cause stays in the log. */
  private rendered(error: unknown): object {
    if (isAppError(error)) return { code: error.code, details: error.details };
    if (error instanceof SyntaxError) return { code: 'REQUEST_INVALID', details: { reason: 'not JSON' } };
    const requestId = randomUUID();
    this.log.error('command failed', error, { requestId });
    return { code: 'INTERNAL', details: { requestId } };
  }
}

function parse<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new AppError('REQUEST_INVALID', { reason: zodReason(parsed.error) });
  return parsed.data;
}
