import { refuseUnless, SW } from './status.js';

export interface Command {
  readonly cla: number;
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
  readonly data: Buffer;
  /** Undefined when the command names no length to answer. */
  readonly le: number | undefined;
}

/** Short APDUs of ISO/IEC 7816-4, cases 1 to 4. A declared length that the frame does not hold: 6700. */
export function parseCommand(frame: Buffer): Command {
  refuseUnless(frame.length >= 4, SW.WRONG_LENGTH);
  const [cla, ins, p1, p2] = frame as unknown as [number, number, number, number];
  const head = { cla, ins, p1, p2 };
  if (frame.length === 4) return { ...head, data: Buffer.alloc(0), le: undefined };
  const p3 = frame[4] as number;
  if (frame.length === 5) return { ...head, data: Buffer.alloc(0), le: p3 };
  const end = 5 + p3;
  refuseUnless(p3 > 0 && (frame.length === end || frame.length === end + 1), SW.WRONG_LENGTH);
  return { ...head, data: frame.subarray(5, end), le: frame.length === end ? undefined : frame[end] };
}

export function withStatus(sw: number, data: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([data, Buffer.of(sw >> 8, sw & 0xff)]);
}
