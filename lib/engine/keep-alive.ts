import { native } from './native.js';

/** What `ref()` and `unref()` of a stream do: whether its open device keeps the process alive. */
export class KeepAlive {
  #open = false;
  #wanted = true;
  #held = false;

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
    const hold = this.#open && this.#wanted;
    if (hold === this.#held) return;
    this.#held = hold;
    if (hold) native().ref();
    else native().unref();
  }
}
