/** A device takes so many items a second and a second's worth at once; 0 = it is not limited. Time comes in as milliseconds. */
export class TokenBucket {
  #level: number;
  #atMs: number;

  constructor(
    private readonly perSecond: number,
    nowMs: number,
  ) {
    this.#level = perSecond;
    this.#atMs = nowMs;
  }

  /** Takes `items` and returns 0, or how many milliseconds to wait before asking again. A batch larger than the bucket passes when it is full. */
  take(items: number, nowMs: number): number {
    if (this.perSecond === 0) return 0;
    this.#level = Math.min(this.perSecond, this.#level + ((nowMs - this.#atMs) * this.perSecond) / 1000);
    this.#atMs = nowMs;
    const wanted = Math.min(items, this.perSecond);
    if (this.#level < wanted) return Math.ceil(((wanted - this.#level) * 1000) / this.perSecond);
    this.#level -= items;
    return 0;
  }
}
