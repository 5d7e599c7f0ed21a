import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { AppError, type ErrorCode, type ErrorDetails, socketPath } from '#libs/platform';

type Reply = { id: number; progress?: { done: number; total: number }; result?: unknown; error?: { code: ErrorCode; details: ErrorDetails } };
type OnProgress = (done: number, total: number) => void;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  progress: OnProgress;
}

/** Sends commands to a started service over its local socket (JSON lines, apps/service command-server). */
export class CommandClient {
  private nextId = 1;
  private readonly waiting = new Map<number, Waiting>();

  private constructor(private readonly socket: Socket) {
    // A killed service resets the connection; readline hands the socket's error on as one of its own.
    createInterface({ input: socket, crlfDelay: Infinity }).on('line', (line) => this.receive(JSON.parse(line) as Reply)).on('error', () => this.fail());
    socket.on('error', () => this.fail());
    socket.on('close', () => this.fail());
  }

  /** Throws SERVICE_UNREACHABLE. */
  static async open(path: string): Promise<CommandClient> {
    const socket = connect(socketPath(path));
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error) => reject(new AppError('SERVICE_UNREACHABLE', {}, { cause: error })));
    });
    return new CommandClient(socket);
  }

  /** Runs one command; throws the service's AppError as it was. */
  async call<T>(command: string, args: object = {}, progress: OnProgress = () => undefined): Promise<T> {
    if (!this.socket.writable) throw new AppError('SERVICE_UNREACHABLE');
    const id = this.nextId++;
    const answer = new Promise<unknown>((resolve, reject) => this.waiting.set(id, { resolve, reject, progress }));
    this.socket.write(`${JSON.stringify({ id, command, arguments: args })}\n`);
    return (await answer) as T;
  }

  close(): void {
    this.socket.destroy();
  }

  private receive(reply: Reply): void {
    const waiting = this.waiting.get(reply.id);
    if (waiting === undefined) return;
    if (reply.progress !== undefined) return waiting.progress(reply.progress.done, reply.progress.total);
    this.waiting.delete(reply.id);
    if (reply.error !== undefined) waiting.reject(new AppError(reply.error.code, reply.error.details));
    else waiting.resolve(reply.result);
  }

  private fail(): void {
    for (const each of this.waiting.values()) each.reject(new AppError('SERVICE_UNREACHABLE'));
    this.waiting.clear();
  }
}
