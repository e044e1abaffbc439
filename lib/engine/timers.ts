/** Timers on the clock of an audio system. */
export interface Timers {
  /** Calls back once after `ms`. Returns a function that cancels the timer. */
  after(ms: number, callback: () => void, keepsAlive?: boolean): () => void;
  /** Stops a manual clock until the work has ended. */
  during(work: Promise<unknown>): void;
}

/** Node's `setImmediate()`, captured before a test can replace the global one with a fake. */
export const nextTurn = setImmediate;

/** Resolves in the next turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => nextTurn(resolve));
}

const realTimers: Timers = {
  after(ms, callback, keepsAlive = true) {
    const timer = setTimeout(callback, ms);
    if (!keepsAlive) timer.unref();
    return () => clearTimeout(timer);
  },
  during() {},
};

/** The timers of an audio system: those of Node, unless the system has a manual clock. */
export function timersOf({ timers }: { readonly timers?: Timers }): Timers {
  return timers ?? realTimers;
}

/** Timers on a clock that `SimulatedAudio.advance()` moves. */
export class ManualTimers implements Timers {
  readonly #due = new Map<object, { at: number; callback: () => void }>();
  readonly #work = new Set<Promise<unknown>>();
  #now = 0;

  after(ms: number, callback: () => void): () => void {
    const key = {};
    this.#due.set(key, { at: this.#now + ms, callback });
    return () => this.#due.delete(key);
  }

  during(work: Promise<unknown>): void {
    const settled = work.then(
      () => {},
      () => {},
    );
    this.#work.add(settled);
    void settled.then(() => this.#work.delete(settled));
  }

  /** Resolves when no work is pending, and the events that it led to have been emitted. */
  async quiet(): Promise<void> {
    while (this.#work.size > 0) {
      await Promise.all(this.#work);
      await turn();
    }
  }

  /** The ms until the next timer is due; Infinity if there is none. */
  next(): number {
    return Math.min(...[...this.#due.values()].map(({ at }) => at)) - this.#now;
  }

  /** Advances the clock, and calls the timers that are due, the earliest first. */
  pass(ms: number): void {
    this.#now += ms;
    const due = [...this.#due].filter(([, { at }]) => at <= this.#now);
    for (const [key, { callback }] of due.sort(([, a], [, b]) => a.at - b.at)) {
      if (this.#due.delete(key)) callback();
    }
  }
}
