/** Two lanes in front of a device: online before batch, and batch work holds at most 70 % of what may be in flight. */
export class Lanes<T> {
  #online: T[] = [];
  #batch: T[] = [];
  #batchRunning = 0;
  #running = 0;
  readonly #batchMost: number;

  constructor(private readonly most: number) {
    this.#batchMost = Math.max(1, Math.floor(most * 0.7));
  }

  get waiting(): number {
    return this.#online.length + this.#batch.length;
  }

  get running(): number {
    return this.#running;
  }

  add(item: T, online: boolean): void {
    (online ? this.#online : this.#batch).push(item);
  }

  /** The next that may start now; tell `ended` when it is over. */
  next(): { readonly item: T; readonly online: boolean } | undefined {
    if (this.#running >= this.most) return undefined;
    const online = this.#online.length > 0;
    if (!online && this.#batchRunning >= this.#batchMost) return undefined;
    const item = (online ? this.#online : this.#batch).shift();
    if (item === undefined) return undefined;
    this.#running++;
    if (!online) this.#batchRunning++;
    return { item, online };
  }

  /** What `next` gave could not start after all: it goes to the front again. */
  putBack(item: T, online: boolean): void {
    (online ? this.#online : this.#batch).unshift(item);
    this.ended(online);
  }

  ended(online: boolean): void {
    this.#running--;
    if (!online) this.#batchRunning--;
  }

  /** Everything that waits, taken out; nothing runs any more. */
  drain(): T[] {
    const waiting = [...this.#online.splice(0), ...this.#batch.splice(0)];
    this.#running = 0;
    this.#batchRunning = 0;
    return waiting;
  }
}
