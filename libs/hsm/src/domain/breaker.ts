/** Failures in a row that open the breaker. */
const FAILURES_MOST = 5;

/**
 * A device that fails again and again is left alone until it has given right known answers: closed → open after five failures in a
 * row → half-open when known answers are asked → closed, or open again.
 */
export class Breaker {
  #failures = 0;
  #state: 'closed' | 'open' | 'halfOpen' = 'closed';

  get state(): 'closed' | 'open' | 'halfOpen' {
    return this.#state;
  }

  succeeded(): void {
    if (this.#state === 'closed') this.#failures = 0;
  }

  failed(): void {
    this.#failures++;
    if (this.#failures >= FAILURES_MOST) this.#state = 'open';
  }

  /** Known answers are being asked. */
  trying(): void {
    if (this.#state === 'open') this.#state = 'halfOpen';
  }

  /** They came, right or not at all. */
  tried(good: boolean): void {
    if (this.#state !== 'halfOpen') return;
    this.#state = good ? 'closed' : 'open';
    if (good) this.#failures = 0;
  }
}
