import { native, type NativeHold } from './native.js';

/**
 * Keeps the process alive while the device of a stream is open, unless `unref()` was called. It also keeps the stream
 * from being garbage-collected.
 */
export class KeepAlive {
  readonly #owner: object;
  #open = false;
  #wanted = true;
  #hold: NativeHold | undefined;

  constructor(owner: object) {
    this.#owner = owner;
  }

  /** Called when the device is about to be opened. */
  open(): void {
    this.#open = true;
    this.#settle();
  }

  /** Called when the device is released. */
  release(): void {
    this.#open = false;
    this.#settle();
  }

  ref(): void {
    this.#wanted = true;
    this.#settle();
  }

  unref(): void {
    this.#wanted = false;
    this.#settle();
  }

  #settle(): void {
    const wanted = this.#open && this.#wanted;
    if (wanted === (this.#hold !== undefined)) return;
    this.#hold?.release();
    this.#hold = wanted ? new (native().Hold)(this.#owner) : undefined;
  }
}
