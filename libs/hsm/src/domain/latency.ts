const KEPT = 1024;

/** The last 1,024 latencies of a device, for percentiles. */
export class Latency {
  readonly #ring = new Float64Array(KEPT);
  #count = 0;

  add(ms: number): void {
    this.#ring[this.#count++ % KEPT] = ms;
  }

  /** 0 before the first. */
  percentile(share: number): number {
    const sorted = this.#ring.slice(0, Math.min(this.#count, KEPT)).sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  }
}
