import { decode, encode } from 'cborg';
import { AppError } from '#libs/platform/domain';

/** One frame: 4 bytes of length, big-endian, then so many bytes of CBOR (RFC 8949). */
const LENGTH_BYTES = 4;
export const FRAME_MOST = 4 * 1024 * 1024;

const STRICT = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowNaN: false,
  allowInfinity: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
} as const;

/** Throws WIRE_MALFORMED when the value is too large for a frame. */
export function encodeFrame(value: unknown): Uint8Array {
  const body = encode(value, { ignoreUndefinedProperties: true });
  if (body.length > FRAME_MOST) throw malformed(`frame of ${body.length} bytes, ${FRAME_MOST} at most`);
  const frame = new Uint8Array(LENGTH_BYTES + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, LENGTH_BYTES);
  return frame;
}

/** Cuts a byte stream into frames and decodes them. After an error the stream cannot be trusted: close it. */
export class FrameReader {
  #pieces: Uint8Array[] = [];
  #buffered = 0;

  /** The values of the frames that are complete with this piece. Throws WIRE_MALFORMED. */
  push(piece: Uint8Array): unknown[] {
    this.#pieces.push(piece);
    this.#buffered += piece.length;
    const values: unknown[] = [];
    for (;;) {
      if (this.#buffered < LENGTH_BYTES) return values;
      const head = this.#joined(LENGTH_BYTES);
      const length = new DataView(head.buffer, head.byteOffset).getUint32(0);
      if (length === 0 || length > FRAME_MOST) throw malformed(`frame of ${length} bytes`);
      if (this.#buffered < LENGTH_BYTES + length) return values;
      const whole = this.#joined(LENGTH_BYTES + length);
      values.push(decodeBody(whole.subarray(LENGTH_BYTES, LENGTH_BYTES + length)));
      const rest = whole.subarray(LENGTH_BYTES + length);
      this.#pieces[0] = rest;
      this.#buffered -= LENGTH_BYTES + length;
    }
  }

  /** Makes the first piece at least `bytes` long. Pieces are joined once a frame is complete, not at every arrival. */
  #joined(bytes: number): Uint8Array {
    const [first] = this.#pieces;
    if (first !== undefined && first.length >= bytes) return first;
    const joined = Buffer.concat(this.#pieces);
    this.#pieces = [joined];
    return joined;
  }
}

function decodeBody(body: Uint8Array): unknown {
  try {
    return decode(body, STRICT);
  } catch (error) {
    throw malformed((error as Error).message, error);
  }
}

function malformed(reason: string, cause?: unknown): AppError {
  return new AppError('WIRE_MALFORMED', { reason }, { cause });
}
