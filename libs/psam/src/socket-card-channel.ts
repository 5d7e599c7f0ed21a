import { connect, type Socket } from 'node:net';
import { socketPath } from '#libs/platform';
import { AppError, concatBytes } from '#libs/platform/domain';
import { CardChannel } from './card-channel.js';
import { type Apdu, type CardAnswer, parseAnswer } from './domain/apdu.js';

/** Control codes of the vpcd frame: a payload of one byte. Only the ATR request is answered. */
const RESET = Uint8Array.of(2);
const GET_ATR = Uint8Array.of(4);

const LENGTH_BYTES = 2;
const LONGEST_PAYLOAD = 0xffff;

interface Waiting {
  resolve(payload: Uint8Array): void;
  reject(error: Error): void;
}

/** A card behind a Unix socket: 2-byte big-endian length, then the payload, both ways (as vpcd of vsmartcard frames it). */
export class SocketCardChannel extends CardChannel {
  private received: Uint8Array = new Uint8Array();
  private waiting: Waiting | undefined;
  private gone: AppError | undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly timeoutSeconds: number,
  ) {
    super();
    socket.on('data', (chunk: Uint8Array) => this.take(chunk));
    socket.on('error', (error) => this.lose(error.message));
    socket.on('close', () => this.lose('closed'));
  }

  /** Throws PSAM_CARD_GONE when nothing listens there. `timeoutSeconds` holds for each command. */
  static open(path: string, timeoutSeconds = 5): Promise<SocketCardChannel> {
    return new Promise((resolve, reject) => {
      const socket = connect(socketPath(path));
      const refused = (error: NodeJS.ErrnoException): void => reject(new AppError('PSAM_CARD_GONE', { reason: error.code ?? error.message }));
      socket.once('error', refused);
      socket.once('connect', () => {
        socket.off('error', refused);
        resolve(new SocketCardChannel(socket, timeoutSeconds));
      });
    });
  }

  override async transmit(apdu: Apdu): Promise<CardAnswer> {
    const answer = await this.ask(apdu);
    if (answer.length < 2) throw new AppError('PSAM_ANSWER_MALFORMED', { step: 'transmit' });
    return parseAnswer(answer);
  }

  override async reset(): Promise<Uint8Array> {
    if (this.gone !== undefined) throw this.gone;
    this.socket.write(frame(RESET));
    return this.ask(GET_ATR);
  }

  override async close(): Promise<void> {
    this.socket.destroy();
  }

  private ask(payload: Uint8Array): Promise<Uint8Array> {
    if (this.gone !== undefined) return Promise.reject(this.gone);
    if (this.waiting !== undefined) throw new Error('a card takes one command at a time');
    return new Promise<Uint8Array>((resolve, reject) => {
      // A late answer would be taken for that of the next command, so a silent card loses its channel.
      const timer = setTimeout(() => {
        this.gone = new AppError('PSAM_CARD_SILENT', { seconds: this.timeoutSeconds });
        this.socket.destroy();
        this.settle()?.reject(this.gone);
      }, this.timeoutSeconds * 1_000);
      const done = (): void => clearTimeout(timer);
      this.waiting = {
        resolve: (answer) => { done(); resolve(answer); },
        reject: (error) => { done(); reject(error); },
      };
      this.socket.write(frame(payload));
    });
  }

  private take(chunk: Uint8Array): void {
    this.received = concatBytes(this.received, chunk);
    if (this.received.length < LENGTH_BYTES) return;
    const end = LENGTH_BYTES + (((this.received[0] as number) << 8) | (this.received[1] as number));
    if (this.received.length < end) return;
    const payload = this.received.slice(LENGTH_BYTES, end);
    this.received = this.received.slice(end);
    const waiting = this.settle();
    if (waiting === undefined || this.received.length > 0) {
      this.lose('answered without being asked');
      this.socket.destroy();
      waiting?.reject(this.gone as AppError);
      return;
    }
    waiting.resolve(payload);
  }

  private lose(reason: string): void {
    this.gone ??= new AppError('PSAM_CARD_GONE', { reason });
    this.settle()?.reject(this.gone);
  }

  private settle(): Waiting | undefined {
    const { waiting } = this;
    this.waiting = undefined;
    return waiting;
  }
}

function frame(payload: Uint8Array): Uint8Array {
  if (payload.length > LONGEST_PAYLOAD) throw new RangeError('payload too long for a frame');
  return concatBytes(Uint8Array.of(payload.length >> 8, payload.length & 0xff), payload);
}
