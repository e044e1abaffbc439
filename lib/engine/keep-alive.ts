import { native, type NativeHold } from './native.js';

/**
 * Whether a stream keeps the process alive: while its device is open, unless `unref()` was called. What
 * keeps the process alive is not collected either.
 */
export class KeepAlive {
  readonly #owner: object;
  #open = false;
  #wanted = true;
  #hold: NativeHold | undefined;

  constructor(owner: object) {
    this.#owner = owner;
  }

  /** The device is open, or is being opened. */
  open(): void {
    this.#open = true;
    this.#settle();
  }

  /** The device is released. */
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
