import type { NativeHost } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';

/** In this many looks the device has taken nothing. A process that stood still looks once, however long it stood. */
const looks = 4;

/** Notices a device that takes nothing of what waits to be played, and has not been lost. */
export class StallWatch {
  readonly #host: NativeHost;
  readonly #ms: number;
  readonly #position: () => number;
  readonly #stalled: () => void;
  #callOff: (() => void) | undefined;

  /**
   * @param patienceMs how long the device may take nothing.
   * @param position counts what it has taken.
   */
  constructor(host: NativeHost, patienceMs: number, position: () => number, stalled: () => void) {
    this.#host = host;
    this.#ms = patienceMs / looks;
    this.#position = position;
    this.#stalled = stalled;
  }

  /** Something waits to be played. */
  start(): void {
    if (!this.#callOff) this.#look(this.#position(), 0);
  }

  /** Nothing does. */
  stop(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }

  #look(before: number, unmoved: number): void {
    const look = (): void => {
      const now = this.#position();
      if (now !== before) this.#look(now, 0);
      else if (unmoved + 1 < looks) this.#look(now, unmoved + 1);
      else this.#stalled();
    };
    this.#callOff = timersOf(this.#host).after(this.#ms, look, false);
  }
}
