import { AsyncResource } from 'node:async_hooks';

import type { AudioStream } from './audio-stream.js';
import type { ChunkPlan } from './chunker.js';
import { discardUnread, isHeld, untilTaken } from './closing.js';
import { countChunks } from './encoding.js';
import type { AudioFormat } from '../format/format.js';
import type { NativeHost, NativeProducer } from '../engine/native.js';
import type { AudioChunk } from './chunk-reader.js';
import { readInTime } from './links.js';
import { Outlet, type Discontinuity, type LinkStats } from './outlet.js';
import type { PushedProducer } from './pushed-producer.js';
import { TypedReadable, type ReadableEvents } from '../engine/typed-events.js';

/** Events of every source and of a mixer, beside those of every Readable. */
export interface AudioReadableEvents extends ReadableEvents {
  /** Frames are missing or were replaced by silence. */
  discontinuity: [event: Discontinuity];
}

/** The arguments of a subclass for the constructor. */
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
  // The engine wakes the stream, and has no asynchronous context.
  readonly #context = new AsyncResource('PATCHCORD');
  /** Consumers that `readInTime` has announced. */
  #hurried = 0;

  /** @internal */
  constructor({ format, plan, bufferMs }: AudioReadableSetup) {
    // Object mode keeps Node from merging waiting chunks. One chunk waits here. All others wait in the engine, where they
    // arrive even while the event loop is blocked.
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
      consumersChanged: () => this.consumersChanged(),
      ended: () => {
        this.push(null);
        discardUnread(this);
      },
    });
  }

  /** @internal The part of the stream that makes its frames: the engine's, or one in JavaScript. */
  abstract get producer(): NativeProducer | PushedProducer;
  /** @internal The audio system whose clock the stream follows, if any. */
  abstract get host(): NativeHost | undefined;
  abstract timeAt(frame: number): bigint;
  abstract frameAt(time: bigint): number;
  abstract stats(): Readonly<object>;
  abstract close(): Promise<void>;
  abstract ref(): this;
  abstract unref(): this;

  /** @internal Calls back in the asynchronous context in which the stream was created. */
  protected enter(callback: () => void): void {
    this.#context.runInAsyncScope(callback);
  }

  /** @internal Mixes more frames if no clock drives the mix. A source does nothing. */
  protected makeMore(_frames: number): boolean {
    return false;
  }

  /** @internal Called when there are other consumers. */
  protected consumersChanged(): void {}

  /** @internal */
  [readInTime](): () => void {
    ++this.#hurried;
    this.consumersChanged();
    return () => {
      --this.#hurried;
      this.consumersChanged();
    };
  }

  /** @internal Whether all consumers are files, which have no deadline. */
  protected get isPatient(): boolean {
    return this.#hurried === 0 && this.#outlet.isPatient;
  }

  /** Frames that the readable side has delivered. */
  get position(): number {
    return this.#outlet.position;
  }

  /** The index of the first frame that the readable side has delivered; 0 before that. */
  get firstFrame(): number {
    return this.#outlet.firstFrame;
  }

  /** Peak and RMS of the last 100 ms, in dBFS. Silence is `-Infinity`. */
  level(): { peakDb: number; rmsDb: number } {
    return this.producer.level();
  }

  /** The same as `close()`, for `await using`. */
  override [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Pipes as in Node.js. A pipe into a mixer's input, a transform or a sink is a link inside the engine, see
   * `stats().link`.
   *
   * If this throws, both streams stay open, and the stream that already flows into the destination continues.
   * `pipeline()` then rejects, and destroys its streams except the destination.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` if another stream flows into the destination, `ERR_AUDIO_GRAPH_CYCLE` if the pipe
   *   would close a cycle.
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
   * Iterates over the chunks with their positions and times. Other readers of the stream are independent of it. Leaving
   * the loop does not affect the stream.
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

  /** @internal Called when the engine's stream has ended. Queued audio can still be read. */
  protected producerEnded(): void {
    this.#outlet.producerEnded();
  }

  /** @internal For `_destroy`. Cuts every connection, except, after the end, links that still play. */
  protected releaseConsumers(): void {
    this.#outlet.release();
  }

  /** @internal For `close()`. Waits until the stream has closed, but not for a reader that has paused. */
  protected async untilTaken(): Promise<void> {
    if (isHeld(this)) return;
    const outlet = this.#outlet;
    await untilTaken(
      this,
      () => outlet.taken,
      () => outlet.deliverRest(),
    );
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
