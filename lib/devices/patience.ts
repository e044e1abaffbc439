import type { Timers } from '../engine/timers.js';

/** Patience is counted in so many steps, or in steps of `leastStepMs` if those are longer. */
const steps = 60;
const leastStepMs = 50;

/**
 * How long a stream still waits for its device. The clocks of Windows advance while the machine sleeps, so patience is
 * counted in short steps of a timer. A step that ends late, because the machine slept, counts as its own length.
 */
export class Patience {
  readonly #timers: Timers;
  readonly #ms: number;
  #leftMs: number;

  constructor(timers: Timers, ms: number) {
    this.#timers = timers;
    this.#ms = ms;
    this.#leftMs = ms;
  }

  /** Starts the wait again. */
  renew(): void {
    this.#leftMs = this.#ms;
  }

  /** Takes off time that was not waited. */
  spend(ms: number): void {
    this.#leftMs = Math.max(0, this.#leftMs - ms);
  }

  /** Counts from now on, and calls back when nothing is left. The returned function stops counting. */
  count(ended: () => void): () => void {
    const stepMs = Math.min(this.#leftMs, Math.max(leastStepMs, this.#ms / steps));
    let callOff = this.#timers.after(stepMs, () => {
      this.spend(stepMs);
      if (this.#leftMs > 0) callOff = this.count(ended);
      else ended();
    });
    return () => callOff();
  }
}
