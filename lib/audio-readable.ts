import { Readable, type Writable } from 'node:stream';

import type { AudioStream } from './audio-stream.js';
import type { ChunkPlan } from './chunker.js';
import { discardUnread } from './closing.js';
import { CopyPipe } from './copy-pipe.js';
import type { AudioFormat } from './format.js';
import { KeepAlive } from './keep-alive.js';
import { isLinkTarget, isUnsubclassed, linkTarget, type LinkTarget } from './links.js';
import type { NativeHost, NativeProducer } from './native.js';
import { Place, type PlaceOwner } from './place.js';

/** One chunk with its place in the stream, from `chunks()`. */
export interface AudioChunk {
  /** Owns its memory. */
  data: Buffer;
  /** Index of its first frame in the stream. */
  frame: number;
  frames: number;
  /** When its first frame was heard, ns of `process.hrtime.bigint()`. */
  time: bigint;
  /** Why it or part of it is silence, see `chunkFlags`; 0: it is not. */
  flags: number;
}

/** One destination of `pipe()`, in `stats().link`. */
export interface LinkStats {
  /** The destination's class. */
  to: string;
  /** Whether the audio flows inside the engine, so that a blocked event loop cannot be heard. */
  linked: boolean;
  /** Why it does not. */
  reason?: string;
  /** Frames that this destination lost because it was too slow. */
  lostFrames?: number;
}

/** Audio that is not all there, in a `discontinuity` event. */
export interface Discontinuity {
  /** Index in the stream of the first frame concerned. */
  frame: number;
  frames: number;
  /** Whether silence of that length stands in the stream; otherwise its times step. */
  filled: boolean;
  /** `device`: the system lost it. `overrun`: a reader was too slow for its buffer. */
  reason: 'device' | 'overrun';
}

interface Route {
  stop(): void;
  /**
   * Of a link: the stream has ended, what is still in the engine plays on. The process stays alive
   * until the destination, told of the end, stops the route.
   */
  drain?(): void;
  stats(): LinkStats;
}

/** @internal What a subclass knows when it constructs. */
export interface AudioReadableSetup {
  format: Readonly<AudioFormat>;
  plan: ChunkPlan;
  bufferMs: number;
}

/**
 * What sources and mixers have in common: a stream of the engine that several consumers read, each at
 * a place of its own. Chunks come whole: the stream is in object mode, its objects are `Buffer`s.
 */
export abstract class AudioReadable extends Readable implements AudioStream {
  readonly format: Readonly<AudioFormat>;
  abstract readonly live: boolean;
  abstract readonly ready: Promise<this>;
  readonly #plan: ChunkPlan;
  readonly #bufferFrames: number;
  readonly #routes = new Map<Writable, Route>();
  #place: Place | undefined;
  #wanted = false;
  #pumping = false;
  #producerEnded = false;
  #openCopies = 0;

  /** @internal */
  constructor({ format, plan, bufferMs }: AudioReadableSetup) {
    // Object mode keeps Node from merging chunks that wait. One of them waits here, all others in the
    // engine, where a blocked event loop cannot keep them from coming in.
    super({ objectMode: true, highWaterMark: 1 });
    this.format = format;
    this.#plan = plan;
    this.#bufferFrames = Math.ceil((bufferMs * format.sampleRate) / 1000);
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

  /** Mixes more where no clock does; a source has nothing to make. */
  protected makeMore(_frames: number): boolean {
    return false;
  }

  /** Frames of the readable side delivered so far. */
  get position(): number {
    const unread = this.readableLength;
    return Math.max(0, (this.#place?.frames ?? 0) - this.#plan.end(unread));
  }

  /** The stream's index of the first frame that the readable side delivered; 0 before that. */
  get firstFrame(): number {
    return this.#place?.firstFrame ?? 0;
  }

  /** Peak and RMS over the last 100 ms, dBFS; silence is `-Infinity`. */
  level(): { peakDb: number; rmsDb: number } {
    return this.producer.level();
  }

  override [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Pipes as in Node. Into a mixer's input or a sink it is a link inside the engine, see
   * `stats().link`.
   *
   * @throws `ERR_AUDIO_GRAPH_CYCLE` when the audio would come back to where it is from.
   */
  override pipe<T extends NodeJS.WritableStream>(
    destination: T,
    options?: { end?: boolean | undefined },
  ): T {
    const writable = destination as unknown as Writable;
    if (this.#routes.has(writable)) return destination;
    const stdio =
      writable === (process.stdout as object) || writable === (process.stderr as object);
    const end = options?.end !== false && !stdio;
    const target = isLinkTarget(writable) ? writable : undefined;
    const reason = target
      ? this.#link(target, writable, end)
      : 'it is not in the engine: its bytes pass through JavaScript';
    if (reason !== undefined) this.#copy(writable, end, reason);
    return destination;
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    const all = destination ? [destination as unknown as Writable] : [...this.#routes.keys()];
    for (const one of all) this.#routes.get(one)?.stop();
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
    let wake = (): void => {};
    let failure: Error | undefined;
    const place = new Place(this.#owner, () => wake());
    this.once('error', (error: Error) => {
      failure = error;
      wake();
    });
    async function* read(): AsyncGenerator<AudioChunk> {
      try {
        for (;;) {
          const more = new Promise<void>((resolve) => (wake = resolve));
          const chunk = place.read();
          if (chunk === undefined) return;
          if (chunk !== null) {
            yield chunk;
          } else {
            if (failure) throw failure;
            await more;
          }
        }
      } finally {
        place.close();
      }
    }
    return read();
  }

  override _read(): void {
    this.#wanted = true;
    if (!this.#place && !this.#producerEnded) {
      this.#place = new Place(this.#owner, () => this.#pump());
    }
    this.#pump();
  }

  /** The engine's stream is over; what is in the places is still read. */
  protected producerEnded(): void {
    if (this.#producerEnded) return;
    this.#producerEnded = true;
    this.#tryEnd();
  }

  /** Cuts every connection, but after the end for links that still play; for `_destroy`. */
  protected releaseConsumers(): void {
    this.#producerEnded = true;
    this.#place?.close();
    for (const route of [...this.#routes.values()]) {
      if (this.readableEnded && route.drain) route.drain();
      else route.stop();
    }
  }

  protected linkStats(): LinkStats[] {
    return [...this.#routes.values()].map((route) => route.stats());
  }

  protected lostByReader(): number {
    return this.#place?.lostFrames ?? 0;
  }

  get #owner(): PlaceOwner {
    return {
      producer: this.producer,
      format: this.format,
      plan: this.#plan,
      bufferFrames: this.#bufferFrames,
      makeMore: (frames) => this.makeMore(frames),
      overrun: (frame, frames) => {
        const event: Discontinuity = { frame, frames, filled: true, reason: 'overrun' };
        this.emit('discontinuity', event);
      },
    };
  }

  #link(target: LinkTarget, destination: Writable, end: boolean): string | undefined {
    if (!isUnsubclassed(this)) return `${this.constructor.name} is a subclass`;
    if (!isUnsubclassed(target)) return `${target.constructor.name} is a subclass`;
    const reason = target[linkTarget].connect(this, end);
    if (reason !== undefined) return reason;
    const draining = new KeepAlive();
    const stop = (): void => {
      if (!this.#routes.delete(destination)) return;
      draining.release();
      destination.off('close', stop);
      target[linkTarget].disconnect(this);
      destination.emit('unpipe', this, { hasUnpiped: false });
    };
    destination.on('close', stop);
    this.#routes.set(destination, {
      stop,
      drain: () => draining.open(),
      stats: () => ({ to: destination.constructor.name, linked: true }),
    });
    destination.emit('pipe', this);
    return undefined;
  }

  #copy(destination: Writable, end: boolean, reason: string): void {
    this.#openCopies++;
    const pipe = new CopyPipe(this, this.#owner, destination, end, () => {
      this.#openCopies--;
      this.#routes.delete(destination);
      this.#tryEnd();
    });
    this.#routes.set(destination, {
      stop: pipe.stop,
      stats: () => ({
        to: destination.constructor.name,
        linked: false,
        reason,
        lostFrames: pipe.lostFrames,
      }),
    });
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#wanted && !this.destroyed && this.#place) {
      const chunk = this.#place.read();
      if (chunk === null) break;
      if (chunk === undefined) {
        this.#sideDone = true;
        this.#tryEnd();
        break;
      }
      this.#wanted = this.push(chunk.data);
    }
    this.#pumping = false;
  }

  #sideDone = false;
  #ended = false;

  // `end` comes when every destination that JavaScript serves has been given all of it: pipeline()
  // ends its destination then. A link ends its destination by itself.
  #tryEnd(): void {
    if (this.#ended || this.destroyed || !this.#producerEnded || this.#openCopies > 0) return;
    if (this.#place && !this.#sideDone) return;
    this.#ended = true;
    this.push(null);
    discardUnread(this);
  }
}
