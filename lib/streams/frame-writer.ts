import { closed } from './closing.js';
import type { Done } from './inlet.js';

/** A queue in the engine that JavaScript fills. */
export interface FrameQueue {
  /** Returns how many frames the queue took. */
  write(frames: Buffer): number;
  /** Whether more frames wait for room: then the queue reports `lowWater`. */
  setPending(more: boolean): void;
}

/** Writes frames into a queue of the engine. Frames without room wait here, and the writer waits for them. */
export class FrameWriter {
  readonly #queue: FrameQueue;
  #isAbandoned = false;
  #waiting: { frames: Buffer; frameBytes: number; done: Done } | undefined;

  constructor(queue: FrameQueue) {
    this.#queue = queue;
  }

  write(frames: Buffer, frameBytes: number, done: Done): void {
    const rest = frames.subarray(this.#queue.write(frames) * frameBytes);
    this.#queue.setPending(rest.length > 0);
    if (rest.length > 0) this.#waiting = { frames: rest, frameBytes, done };
    else done();
  }

  /** Called when there is room again. */
  retry(): void {
    const waiting = this.#take();
    if (waiting) this.write(waiting.frames, waiting.frameBytes, waiting.done);
  }

  /** Discards the waiting frames. */
  drop(): void {
    this.#queue.setPending(false);
    this.#take()?.done();
  }

  /** Called when the queue takes no more frames. Calls the waiting writer back. */
  abandon(error: Error | null): void {
    this.#isAbandoned = true;
    this.#take()?.done(error);
  }

  /** Wraps the callback of a `write()`. It gets an error if the stream was destroyed before it took the bytes. */
  reporting(callback: Done | undefined): Done | undefined {
    return callback && ((error) => callback(error ?? (this.#isAbandoned ? closed('write') : null)));
  }

  #take(): { frames: Buffer; frameBytes: number; done: Done } | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}
