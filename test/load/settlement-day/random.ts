import { createHash } from 'node:crypto';

/** A small seeded generator (sfc32): the same seed makes the same day, on every machine. Never for keys. */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: string) {
    const digest = createHash('sha256').update(`settlement-day/${seed}`).digest();
    this.a = digest.readInt32LE(0);
    this.b = digest.readInt32LE(4);
    this.c = digest.readInt32LE(8);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** 32 bits. */
  next(): number {
    const t = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + t;
    return t >>> 0;
  }

  /** A whole number in [0, end). */
  below(end: number): number {
    return Math.floor((this.next() / 2 ** 32) * end);
  }

  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  }

  digits(count: number): string {
    let out = '';
    while (out.length < count) out += String(this.below(10));
    return out;
  }

  hex(bytes: number): string {
    let out = '';
    while (out.length < bytes * 2) out += this.next().toString(16).padStart(8, '0');
    return out.slice(0, bytes * 2).toUpperCase();
  }

  /** `count` different numbers of [0, end), in random order. */
  sample(count: number, end: number): number[] {
    const chosen = new Set<number>();
    while (chosen.size < count) chosen.add(this.below(end));
    return [...chosen];
  }
}
