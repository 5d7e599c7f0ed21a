import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { decode, encode } from 'cborg';
import { socketPath } from '#libs/platform';

/** One frame of the supervisor's protocol: 4 bytes of length, big-endian, then CBOR (RFC 8949). */
function frameOf(value: unknown): Uint8Array {
  const body = encode(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** What came back for one frame: `code` is `ok`, or the supervisor's error code. */
export interface RawReply {
  readonly code: string;
  readonly ok: unknown;
  readonly details: Readonly<Record<string, unknown>>;
}

interface Answer {
  readonly id: number;
  readonly ok?: unknown;
  readonly error?: { readonly code: string; readonly details: Readonly<Record<string, unknown>> };
}

/** A client that says whatever an attacker on its socket could say: no schema, no packing, no authoriser of ours in between. */
export class RawHsmClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (reply: RawReply) => void>();
  #next = 1;
  /** Resolves when the supervisor has cut the connection. */
  readonly cut: Promise<void>;

  constructor(socketDir: string, client: string) {
    this.#socket = connect(socketPath(join(socketDir, `${client}.sock`)));
    let heard = Buffer.alloc(0);
    this.#socket.on('error', () => undefined);
    this.#socket.on('data', (piece) => {
      heard = Buffer.concat([heard, piece]);
      while (heard.length >= 4 && heard.length >= 4 + heard.readUInt32BE()) {
        const end = 4 + heard.readUInt32BE();
        this.#hear(decode(heard.subarray(4, end)) as Answer);
        heard = heard.subarray(end);
      }
    });
    this.cut = new Promise((resolve) => this.#socket.once('close', () => resolve()));
    void this.cut.then(() => {
      for (const settle of this.#waiting.values()) settle({ code: 'CUT', ok: undefined, details: {} });
    });
  }

  /** One request; `envelope` adds to it or replaces what stands in it. A connection that is cut answers `CUT`. */
  ask(recipe: string, device: string, request: unknown, envelope: object = {}): Promise<RawReply> {
    const id = this.#next++;
    return new Promise((settle) => {
      this.#waiting.set(id, settle);
      this.#socket.write(frameOf({ id, recipe, device, request, ...envelope }));
    });
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }

  #hear({ id, ok, error }: Answer): void {
    const settle = this.#waiting.get(id);
    this.#waiting.delete(id);
    settle?.({ code: error?.code ?? 'ok', ok, details: error?.details ?? {} });
  }
}
