/**
 * A promise that is settled from outside, such as a stream's `ready`. Whoever waits for it hears of a
 * rejection; when nobody does, it is no `unhandledRejection`.
 */
export class Deferred<T> {
  readonly promise: Promise<T>;
  // Not typed by T: what waits for a subclass would else be no Deferred of its base.
  #resolve!: (value: never) => void;
  #reject!: (error: Error) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.promise.catch(() => {});
  }

  resolve(value: T): void {
    this.#resolve(value as never);
  }

  reject(error: Error): void {
    this.#reject(error);
  }
}
