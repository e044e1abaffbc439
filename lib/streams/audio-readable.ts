import { AsyncResource } from 'node:async_hooks';

import type { AudioStream } from './audio-stream.js';
import type { ChunkPlan } from './chunker.js';
import { discardUnread, untilTaken } from './closing.js';
import { countChunks } from './encoding.js';
import type { AudioFormat } from '../format/format.js';
import type { NativeHost, NativeProducer } from '../engine/native.js';
import type { AudioChunk } from './chunk-reader.js';
import { Outlet, type Discontinuity, type LinkStats } from './outlet.js';
import { TypedReadable, type ReadableEvents } from '../engine/typed-events.js';

/** Events of every source and of a mixer, beside those of every Readable. */
export interface AudioReadableEvents extends ReadableEvents {
  /** Frames are missing or were replaced by silence. */
  discontinuity: [event: Discontinuity];
}

/** What a subclass knows when it constructs. */
export interface AudioReadableSetup {
  format: Readonly<AudioFormat>;
  plan: ChunkPlan;
  bufferMs: number | undefined;
}

/**
 * The base class of sources and mixers: a stream of the engine that several consumers read independently. The stream
 * is in object mode, and its objects are `Buffer`s, one for each chunk.
 */
export abstract class AudioReadable<Events extends AudioReadableEvents = AudioReadableEvents>
  extends TypedReadable<Events>
  implements AudioStream
{
  readonly format: Readonly<AudioFormat>;
  abstract readonly live: boolean;
  abstract readonly ready: Promise<this>;
  readonly #outlet: Outlet;
  // What wakes the stream comes from the engine, which has no asynchronous context.
  readonly #context = new AsyncResource('PATCHCORD');

  /** @internal */
  constructor({ format, plan, bufferMs }: AudioReadableSetup) {
    // Object mode keeps Node from merging chunks that wait. One of them waits here, all others in the
    // engine, where a blocked event loop cannot keep them from coming in.
    super({ objectMode: true, highWaterMark: 1 });
    this.format = format;
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- getters of the object below
    const stream = this;
    this.#outlet = new Outlet(this, {
      get producer() {
        return stream.producer;
      },
      format,
      plan,
      bufferMs,
      context: this.#context,
      makeMore: (frames) => this.makeMore(frames),
      ended: () => {
        this.push(null);
        discardUnread(this);
      },
    });
  }

  /** @internal The engine's side of it. */
  abstract get producer(): NativeProducer;
  /** @internal The audio system by whose clock it runs, if any. */
  abstract get host(): NativeHost | undefined;
  abstract timeAt(frame: number): bigint;
  abstract frameAt(time: bigint): number;
  abstract stats(): Readonly<object>;
  abstract close(): Promise<void>;
  abstract ref(): this;
  abstract unref(): this;

  /** @internal Calls back in the asynchronous context in which the stream was made. */
  protected enter(callback: () => void): void {
    this.#context.runInAsyncScope(callback);
  }

  /** @internal Mixes more where no clock does; a source has nothing to make. */
  protected makeMore(_frames: number): boolean {
    return false;
  }

  /** Frames of the readable side delivered so far. */
  get position(): number {
    return this.#outlet.position;
  }

  /** The stream's index of the first frame that the readable side delivered; 0 before that. */
  get firstFrame(): number {
    return this.#outlet.firstFrame;
  }

  /** Peak and RMS over the last 100 ms, dBFS; silence is `-Infinity`. */
  level(): { peakDb: number; rmsDb: number } {
    return this.producer.level();
  }

  /** The same as `close()`, for `await using`. */
  override [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Pipes as in Node. Into a mixer's input, a transform or a sink it is a link inside the engine, see
   * `stats().link`.
   *
   * If the destination refuses the stream, both stay open, and what flows into the destination goes on. `pipeline()`
   * then rejects and leaves them open, too.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` if another stream flows into the destination, `ERR_AUDIO_GRAPH_CYCLE` if the audio
   *   would come back to where it is from.
   */
  override pipe<T extends NodeJS.WritableStream>(
    destination: T,
    options?: { end?: boolean | undefined },
  ): T {
    this.#outlet.pipe(destination, options);
    return destination;
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    this.#outlet.unpipe(destination);
    return this;
  }

  /**
   * The stream's chunks with their places and times, beside whatever else reads it. Leaving the loop
   * does not touch the stream.
   *
   * @example
   * for await (const { time, data } of mic.chunks()) transcribe(data, time);
   */
  chunks(): AsyncIterableIterator<AudioChunk> {
    return this.#outlet.chunks();
  }

  override setEncoding(encoding: BufferEncoding): this {
    super.setEncoding(encoding);
    countChunks(this);
    return this;
  }

  override _read(): void {
    this.#outlet.read();
  }

  /** @internal The engine's stream is over; what is in the places is still read. */
  protected producerEnded(): void {
    this.#outlet.producerEnded();
  }

  /** @internal Cuts every connection, but after the end for links that still play; for `_destroy`. */
  protected releaseConsumers(): void {
    this.#outlet.release();
  }

  /**
   * @internal For `close()`: waits until the stream has closed, but neither for a reader that has paused nor for consumers
   * that take nothing.
   */
  protected async untilTaken(): Promise<void> {
    const isPaused = this.readableFlowing === false || this.listenerCount('readable') > 0;
    if (!isPaused) await untilTaken(this, () => this.#outlet.taken);
  }

  /** @internal */
  protected linkStats(): LinkStats[] {
    return this.#outlet.linkStats();
  }

  /** @internal */
  protected lostByReader(): number {
    return this.#outlet.lostFrames;
  }
}
