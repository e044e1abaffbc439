/** Waits by the clock of an audio system. */
export interface Timers {
  /** Calls back once, `ms` later, if the process lives; the returned function calls it off. */
  after(ms: number, callback: () => void, keepsAlive?: boolean): () => void;
  /** Something that takes no time of a simulated world: its hands wait until it is over. */
  during(work: Promise<unknown>): void;
}

/** Node's own, also where a test replaces the global one by a fake that does not run by itself. */
export const nextTurn = setImmediate;

const realTimers: Timers = {
  after(ms, callback, keepsAlive = true) {
    const timer = setTimeout(callback, ms);
    if (!keepsAlive) timer.unref();
    return () => clearTimeout(timer);
  },
  during() {},
};

/** The timers of an audio system: the process's own, unless its time is moved by hand. */
export function timersOf({ timers }: { readonly timers?: Timers }): Timers {
  return timers ?? realTimers;
}

/** Timers of a world whose clock `SimulatedAudio.advance()` moves. */
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

  /** Resolves when nothing is under way. */
  async quiet(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  /** ms until the next timer is due; Infinity: there is none. */
  next(): number {
    return Math.min(...[...this.#due.values()].map(({ at }) => at)) - this.#now;
  }

  /** So much time has passed: what is due is called, the earliest first. */
  pass(ms: number): void {
    this.#now += ms;
    const due = [...this.#due].filter(([, { at }]) => at <= this.#now);
    for (const [key, { callback }] of due.sort(([, a], [, b]) => a.at - b.at)) {
      if (this.#due.delete(key)) callback();
    }
  }
}
