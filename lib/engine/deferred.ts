/** A promise that knows whether any code awaits it. */
class AwaitedPromise<T> extends Promise<T> {
  awaited = false;

  // `then()` returns an ordinary promise.
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
 * A promise that is settled from outside, such as a stream's `ready`. A rejection does not cause an `unhandledRejection`
 * if no code awaits the promise.
 */
export class Deferred<T> {
  readonly promise: Promise<T>;
  // Not typed by T, because a Deferred of a subclass could otherwise not be used as a Deferred of its base class.
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

  /** Whether code that awaits the promise receives this error, or has received it. */
  delivers(error: Error): boolean {
    return this.hasDelivered(error) || (this.#isAwaited && !this.#settled);
  }

  hasDelivered(error: Error): boolean {
    return this.#isAwaited && this.#failure === error;
  }

  get #isAwaited(): boolean {
    return (this.promise as AwaitedPromise<T>).awaited;
  }
}
