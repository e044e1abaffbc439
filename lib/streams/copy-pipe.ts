import type { Writable } from 'node:stream';

import { callListeners, throwLater } from '../engine/call-listeners.js';
import type { AudioStream } from './audio-stream.js';
import { isFile, startsAt, type StartKeeper } from './file-destination.js';
import { Tap, type TapOwner } from './tap.js';

/**
 * A pipe to a stream outside the engine. It behaves like Node's pipe, but reads from its own tap. So a slow destination
 * does not starve other ones, and the stream can still be read.
 */
export class CopyPipe {
  readonly #source: Pick<AudioStream, 'live'>;
  readonly #destination: Writable;
  readonly #end: boolean;
  readonly #onDone: () => void;
  readonly #tap: Tap;
  #waiting = false;
  #hurries = false;
  #begun = false;
  #done = false;

  /**
   * @param onDone is called once, when nothing more will be written.
   * @throws the exception of a listener of the destination's `pipe` event.
   */
  constructor(
    source: Pick<AudioStream, 'live'>,
    owner: TapOwner,
    destination: Writable,
    end: boolean,
    onDone: () => void,
  ) {
    this.#source = source;
    this.#destination = destination;
    this.#end = end;
    this.#onDone = onDone;
    this.#tap = new Tap(owner, () => this.#pump());
    // Before the listeners of the app, because an exception in one of them keeps later ones from being called.
    destination.prependListener('drain', this.#onDrain);
    destination.prependListener('close', this.stop);
    destination.prependListener('finish', this.stop);
    destination.prependListener('error', this.#onError);
    try {
      destination.emit('pipe', source);
    } catch (error) {
      this.#release(); // the destination rejects this stream, so pipe() throws
      throw error;
    }
    // One turn later, as in Node, so that the caller can still add listeners to the destination.
    process.nextTick(() => this.#pump());
  }

  /** Frames that were copied. */
  get frames(): number {
    return this.#tap.frames;
  }

  get lostFrames(): number {
    return this.#tap.lostFrames;
  }

  readonly stop = (): void => {
    if (this.#done) return;
    this.#done = true;
    if (isFile(this.#destination)) this.#writeRest();
    this.#release();
    this.#onDone();
    this.#emitUnpipe();
  };

  /** Called when there may be more to copy. */
  readonly wake = (): void => this.#pump();

  /** Called when the source has ended. Copies everything, even if the destination has no room. */
  deliverRest(): void {
    this.#hurries = true;
    this.#waiting = false;
    if (this.#destination.writableEnded)
      this.stop(); // it takes no more
    else this.#pump();
  }

  // A file has no deadline, so everything that was heard until now is stored.
  #writeRest(): void {
    const destination = this.#destination;
    if (destination.destroyed || destination.writableEnded || destination.errored) return;
    for (let chunk = this.#tap.read(true); chunk; chunk = this.#tap.read(true)) {
      this.#write(chunk);
    }
  }

  /** Returns whether the destination takes more. */
  #write(chunk: Buffer): boolean {
    if (!this.#begun) this.#begin();
    try {
      return this.#destination.write(chunk);
    } catch (error) {
      throwLater(error); // an exception of the destination does not stop the pipe
      return true;
    }
  }

  #begin(): void {
    this.#begun = true;
    if (!(startsAt in this.#destination)) return;
    const { chunkFrame, chunkTime } = this.#tap;
    const time = this.#source.live ? chunkTime : undefined;
    (this.#destination as Writable & StartKeeper)[startsAt](chunkFrame, time);
  }

  #emitUnpipe(): void {
    callListeners(() => this.#destination.emit('unpipe', this.#source, { hasUnpiped: false }));
  }

  #release(): void {
    this.#done = true;
    this.#tap.close();
    this.#destination.off('drain', this.#onDrain);
    this.#destination.off('close', this.stop);
    this.#destination.off('finish', this.stop);
    this.#destination.off('error', this.#onError);
  }

  readonly #onDrain = (): void => {
    this.#waiting = false;
    this.#pump();
  };

  readonly #onError = (error: Error): void => {
    this.stop();
    // Node throws an error that has no listener. Our own listener must not prevent that.
    if (this.#destination.listenerCount('error') === 0) this.#destination.emit('error', error);
  };

  #pump(): void {
    while (!this.#waiting && !this.#done) {
      const chunk = this.#tap.read();
      if (chunk === null) return;
      if (chunk === undefined) {
        this.#release();
        // As Node's: another stream may be piped into a destination that does not end.
        if (this.#end) this.#destination.end();
        else this.#emitUnpipe();
        this.#onDone();
        return;
      }
      this.#waiting = !this.#write(chunk) && !this.#hurries;
    }
  }
}
