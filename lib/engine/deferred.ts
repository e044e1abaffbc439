/** A promise that knows whether anybody waits for it. */
class AwaitedPromise<T> extends Promise<T> {
  awaited = false;

  // What `then()` returns is an ordinary promise.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }
}

// `await`, `then()` and `Promise.all()` read `then` at once, and call it later.
void Object.defineProperty(AwaitedPromise.prototype, 'then', {
  get(this: AwaitedPromise<unknown>) {
    this.awaited = true;
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called as a method of this
    return Promise.prototype.then;
  },
});

/**
 * A promise that is settled from outside, such as a stream's `ready`. A rejection reaches whoever waits for
 * it; if nobody does, it is no `unhandledRejection`.
 */
export class Deferred<T> {
  readonly promise: Promise<T>;
  // Not typed by T: what waits for a subclass would else be no Deferred of its base.
  #resolve!: (value: never) => void;
  #reject!: (error: Error) => void;
  #settled = false;
  #failure: Error | undefined;

  constructor() {
    this.promise = new AwaitedPromise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    void Promise.prototype.then.call(this.promise, undefined, () => {});
  }

  resolve(value: T): void {
    this.#settled = true;
    this.#resolve(value as never);
  }

  reject(error: Error): void {
    if (!this.#settled) this.#failure = error;
    this.#settled = true;
    this.#reject(error);
  }

  /** Whether somebody waits who receives this error, or has received it. */
  delivers(error: Error): boolean {
    const { awaited } = this.promise as AwaitedPromise<T>;
    return awaited && (!this.#settled || this.#failure === error);
  }
}
