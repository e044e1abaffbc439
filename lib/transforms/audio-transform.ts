import { AsyncResource } from 'node:async_hooks';
import { addAbortSignal, type TransformCallback } from 'node:stream';

import type { AudioStream } from '../streams/audio-stream.js';
import type { AudioChunk } from '../streams/chunk-reader.js';
import {
  checkChunkOptions,
  Chunker,
  ChunkPlan,
  chunkOptionNames,
  type ChunkOptions,
} from '../streams/chunker.js';
import {
  closing,
  deliverError,
  discardUnread,
  noteUnpiped,
  rejectsWith,
  untilTaken,
} from '../streams/closing.js';
import { countChunks } from '../streams/encoding.js';
import { Deferred } from '../engine/deferred.js';
import { closedEarly } from '../errors.js';
import { bytesPerFrame, optionalFormat, formatNotYet, type AudioFormat } from '../format/format.js';
import { Inlet, type Done, type InletTarget } from '../streams/inlet.js';
import { linkTarget, upstreams, type LinkSource, type LinkTarget } from '../streams/links.js';
import {
  native,
  type FilterKind,
  type NativeFilter,
  type NativeHost,
  type NativeProducer,
} from '../engine/native.js';
import { Outlet, type Discontinuity, type LinkStats } from '../streams/outlet.js';
import { checkAbortSignal, checkFrame, checkNumber, checkTime, unsupported } from '../validate.js';
import {
  TypedTransform,
  type PipeOptions,
  type ReadableEvents,
  type WritableEvents,
} from '../engine/typed-events.js';

/** Options of all transforms. */
export interface TransformOptions extends ChunkOptions {
  /** Format of the written bytes. @default the format of the stream that is piped in */
  from?: AudioFormat | undefined;
  /**
   * How far a reader in a live path may fall behind before it loses frames, in ms, 20 to 60000.
   * @default 1000, and 30,000 for a file that the stream is piped into
   */
  bufferMs?: number | undefined;
  /** Destroys the stream with an `AbortError`. @default none */
  signal?: AbortSignal | undefined;
}

export const transformOptionNames = [...chunkOptionNames, 'from', 'bufferMs', 'signal'] as const;

/** Counters of a transform. */
export interface TransformStats {
  /** Input frames. */
  framesIn: number;
  /** Output frames. */
  framesOut: number;
  /** Input frames that have not produced output yet. */
  latencyFrames: number;
  /** Frames that the readable side, and loops over `chunks()`, lost in a live path because they were too slow. */
  readerLostFrames: number;
  /** The destinations of `pipe()` in a live path. */
  link: LinkStats[];
}

/** Events of a transform. */
export interface TransformEvents extends ReadableEvents, WritableEvents {
  /** A reader in a live path was too slow and lost frames. */
  discontinuity: [event: Discontinuity];
}

/** The processing of audio of a known format. */
export interface FilterPlan {
  kind: FilterKind;
  /** The output format. */
  to: Readonly<AudioFormat>;
  options: object;
  /** How often `progressed()` is called, in frames; undefined: never. */
  progressFrames?: number;
}

/**
 * The base class of transforms. If a live stream is piped in, the engine runs the kernel of the transform. Otherwise each
 * write runs it. The output has the exact length, no delay at its start and its complete tail, and does not
 * depend on how the input is cut into chunks.
 */
export abstract class AudioTransform<Events extends TransformEvents = TransformEvents>
  extends TypedTransform<Events>
  implements AudioStream
{
  readonly #ready = rejectsWith(this, new Deferred<this>());
  /** Resolves when `format` is known: at once with `from`, otherwise with the piped stream or the first bytes. */
  readonly ready: Promise<this> = this.#ready.promise;
  readonly #inlet: Inlet;
  /** If undefined, output chunks correspond to the written ones; in a live path they have 10 ms. */
  readonly #cut: ChunkOptions | undefined;
  readonly #bufferMs: number | undefined;
  readonly #bytePipes = new Map<NodeJS.WritableStream, PipeOptions>();
  #native: NativeFilter | undefined;
  #in: Readonly<AudioFormat> | undefined;
  #out: Readonly<AudioFormat> | undefined;
  #chunker: Chunker | undefined;
  #progressFrames = Infinity;
  #toProgress = Infinity;
  #framesOut = 0;
  // The members below are used in a live path.
  #outlet: Outlet | undefined;
  #host: NativeHost | undefined;
  #readAsked = false;
  #flushed: TransformCallback | undefined;
  readonly #watchers = new Set<() => void>();
  readonly #context = new AsyncResource('PATCHCORD');

  /** @internal */
  constructor(given: TransformOptions) {
    const { from, chunkMs, chunkFrames, bufferMs, signal } = given;
    const declared = optionalFormat(from, 'options.from');
    const cut = checkChunkOptions(given);
    if (bufferMs !== undefined) checkNumber(bufferMs, 'options.bufferMs', 20, 60_000);
    if (signal !== undefined) checkAbortSignal(signal, 'options.signal');
    // Object mode of the readable side keeps Node from merging waiting chunks.
    super({ readableObjectMode: true, readableHighWaterMark: 4 });
    this.#inlet = new Inlet(this, this.#target(), declared);
    this.#cut = chunkMs === undefined && chunkFrames === undefined ? undefined : cut;
    this.#bufferMs = bufferMs;
    // The listener of the inlet comes first. It throws if it refuses the stream.
    this.on('pipe', () => this.#lookAtFormat());
    this.#lookAtFormat();
    if (signal) addAbortSignal(signal, this);
  }

  #lookAtFormat(): void {
    if (this.#inlet.format) this.#ready.resolve(this);
  }

  #target(): InletTarget {
    return {
      refuse: (source) => {
        if (this.#inlet.written) return 'bytes were written to it before';
        if (!source.live) return 'it is not live, so no clock drives it';
        this.checkLink(source);
        this.#inlet.settleFormat(source.format);
        return undefined;
      },
      link: (source, ends) => {
        const filter = this.#native as NativeFilter;
        this.#host = source.host;
        const { producer, bufferFrames } = this.reference ?? {};
        filter.link(source.producer, ends, producer, bufferFrames);
        this.#join(filter);
        this.#changed();
      },
      unlink: () => {
        this.#native?.unlink();
        this.#changed();
      },
      open: (format) => this.#open(format),
      write: (frames, done) => {
        if (this.#outlet) return done(this.#inlet.secondStream());
        const filter = this.#native as NativeFilter;
        const reference = this.readReference(
          frames.length / bytesPerFrame(this.#in as AudioFormat),
        );
        if (reference) return this.#processBeside(filter, frames, reference, done);
        this.#process(filter, frames);
        done();
      },
      end: () => false,
    };
  }

  /** @internal */
  protected abstract plan(from: Readonly<AudioFormat>): FilterPlan;

  /** @internal Called when the kernel has processed the plan's `progressFrames` or somewhat more. */
  protected progressed(): void {}

  /** @internal Throws if the live stream must not be linked to this transform. */
  protected checkLink(_source: LinkSource): void {}

  /** @internal A second live stream that the kernel reads. */
  protected get reference(): { producer: NativeProducer; bufferFrames: number } | undefined {
    return undefined;
  }

  /** @internal The next frames of the second input for written bytes. */
  protected readReference(_frames: number): Promise<Float32Array> | undefined {
    return undefined;
  }

  /** @internal The kernel, once the format is known. */
  protected get kernel(): NativeFilter | undefined {
    return this.#native;
  }

  /** The format of the output. @throws `ERR_AUDIO_FORMAT_UNKNOWN` until the format of the input is known. */
  get format(): Readonly<AudioFormat> {
    const from = this.#in ?? this.#inlet.format;
    if (!from) throw formatNotYet(this.constructor.name);
    return this.#out ?? this.plan(from).to;
  }

  /** Whether the input is live. */
  get live(): boolean {
    if (this.#outlet) return true;
    return (this.#inlet.source as { live?: boolean } | undefined)?.live === true;
  }

  /** @internal */
  get producer(): NativeProducer {
    return this.#native as NativeFilter;
  }

  /** @internal */
  get host(): NativeHost | undefined {
    return this.#host;
  }

  /** Output frames. */
  get position(): number {
    return this.#outlet?.position ?? this.#framesOut;
  }

  /** In a live path the index of the first frame that was read; otherwise 0. */
  get firstFrame(): number {
    return this.#outlet?.firstFrame ?? 0;
  }

  /** @internal */
  get [upstreams](): object[] {
    return this.#inlet.sources;
  }

  /** The time of an output frame, from the times of the input. */
  timeAt(frame: number): bigint {
    checkFrame(frame, 'frame');
    if (this.#outlet) {
      const time = this.#native?.timeAt(frame);
      if (time === undefined) throw this.#untimed('no input has arrived yet');
      return time;
    }
    const { stream, ratio, first } = this.#timed();
    return stream.timeAt(first + frame * ratio);
  }

  frameAt(time: bigint): number {
    checkTime(time, 'time');
    if (this.#outlet) {
      const frame = this.#native?.frameAt(time);
      if (frame === undefined) throw this.#untimed('no input has arrived yet');
      return frame;
    }
    const { stream, ratio, first } = this.#timed();
    return (stream.frameAt(time) - first) / ratio;
  }

  stats(): Readonly<TransformStats> {
    return {
      ...(this.#native?.stats() ?? { framesIn: 0, framesOut: 0, latencyFrames: 0 }),
      readerLostFrames: this.#outlet?.lostFrames ?? 0,
      link: this.#outlet?.linkStats() ?? [],
    };
  }

  /**
   * Ends the stream after it has processed all input, including the tail. Without a reader the output is discarded.
   * Resolves when the stream has closed. If destinations of `pipe()` read nothing for a second, they receive the rest at
   * once, without backpressure. `close()` waits at most one second for a reader that has paused: the stream closes when
   * that reader has read the rest.
   */
  close(): Promise<void> {
    const done = closing(this, () =>
      untilTaken(
        this,
        () => this.#outlet?.taken ?? this.#framesOut - this.readableLength,
        this.#outlet && (() => this.#outlet?.deliverRest()),
      ),
    );
    this.#inlet.detach();
    if (!this.writableEnded && !this.destroyed) this.end();
    if (!this.#outlet) discardUnread(this);
    return done;
  }

  /** The same as `close()`, for `await using`. */
  override [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Does nothing, because a transform does not keep the process alive. */
  ref(): this {
    return this;
  }

  /** Does nothing, because a transform does not keep the process alive. */
  unref(): this {
    return this;
  }

  /**
   * Pipes as in Node.js. In a live path the pipe is a link inside the engine, see `stats().link`.
   *
   * If this throws, both streams stay open, and the stream that already flows into the destination continues.
   * `pipeline()` then rejects, and destroys its streams except the destination.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` if another stream flows into the destination, `ERR_AUDIO_GRAPH_CYCLE` if the pipe
   *   would close a cycle.
   */
  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: PipeOptions): T {
    if (this.#outlet) {
      this.#outlet.pipe(destination, options);
      return destination;
    }
    super.pipe(destination, options);
    this.#bytePipes.set(destination, options);
    return destination;
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    if (this.#outlet) {
      this.#outlet.unpipe(destination);
      return this;
    }
    if (destination) this.#bytePipes.delete(destination);
    else this.#bytePipes.clear();
    noteUnpiped(this, () => super.unpipe(destination));
    return this;
  }

  /**
   * Iterates over the output chunks with their positions and times. Other readers of the stream are independent of it.
   * Leaving the loop does not affect the stream.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` if no live stream is piped in: written bytes have no times.
   * @example
   * const speech = mic.pipe(new Resampler({ sampleRate: 16000, channels: 1, chunkMs: 100 }));
   * for await (const { time, data } of speech.chunks()) transcribe(data, time);
   */
  chunks(): AsyncIterableIterator<AudioChunk> {
    if (this.#outlet) return this.#outlet.chunks();
    throw unsupported(
      `chunks() of a ${this.constructor.name} without a live stream`,
      'written bytes have no times',
      'Pipe a live stream into it first, or read it with for await',
    );
  }

  /** @internal */
  get [linkTarget](): LinkTarget[typeof linkTarget] {
    return this.#inlet;
  }

  /** @internal */
  watch(callback: () => void): void {
    this.#watchers.add(callback);
  }

  /** @internal */
  unwatch(callback: () => void): void {
    this.#watchers.delete(callback);
  }

  #changed(): void {
    for (const callback of [...this.#watchers]) callback();
  }

  override write(chunk: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    return this.#inlet.noting(() => super.write(chunk, encoding as BufferEncoding, done));
  }

  override setEncoding(encoding: BufferEncoding): this {
    super.setEncoding(encoding);
    countChunks(this);
    return this;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#inlet.write(chunk, done);
  }

  override _flush(done: TransformCallback): void {
    if (this.#outlet) {
      this.#inlet.unlink();
      this.#flushed = done;
      this.#native?.finish();
      this.#outlet.producerEnded();
      return;
    }
    const partial = this.#inlet.partialFrame();
    if (partial) return done(partial);
    if (this.#native) this.#give(this.#native.flush());
    const rest = this.#chunker?.rest();
    if (rest) this.#push(rest);
    done();
  }

  override _read(size: number): void {
    if (this.#outlet) return this.#outlet.read();
    this.#readAsked = true;
    super._read(size);
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as Node's types up to 24 declare it
  override read(size?: number): any {
    this.#readFromOutlet();
    return super.read(size);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    deliverError(this, error);
    this.#inlet.unlink();
    if (this.#outlet) {
      this.#native?.finish();
      this.#outlet.release();
    }
    this.#ready.reject(
      error ?? closedEarly(`The ${this.constructor.name} was closed before its first frame`),
    );
    done(error);
  }

  // From here on the engine processes the audio, and readers and destinations are served from there.
  #join(filter: NativeFilter): void {
    if (this.#outlet) return;
    const format = this.#out as Readonly<AudioFormat>;
    this.#outlet = new Outlet(this, {
      producer: filter,
      format,
      plan: new ChunkPlan(format.sampleRate, this.#cut ?? {}),
      bufferMs: this.#bufferMs,
      context: this.#context,
      ended: () => {
        this.#flushed?.();
        if (!this.#isRead) this.resume();
      },
    });
    const flowed = this.readableFlowing;
    for (const [destination, options] of this.#bytePipes) {
      noteUnpiped(this, () => super.unpipe(destination));
      this.#outlet.pipe(destination, options);
    }
    this.#bytePipes.clear();
    if (!this.#isRead) return;
    // Node pauses a stream that loses its last pipe, also when something else reads it.
    if (flowed && this.listenerCount('data') > 0) this.resume();
    this.#readFromOutlet();
  }

  // The outlet serves a read that was requested before the path became live, because Node does not request it again.
  #readFromOutlet(): void {
    if (!this.#outlet || !this.#readAsked) return;
    this.#readAsked = false;
    this.#outlet.read();
  }

  get #isRead(): boolean {
    return this.listenerCount('data') + this.listenerCount('readable') > 0;
  }

  #attend(): void {
    for (const { type } of this.#native?.takeEvents() ?? []) {
      if (type === 'progress') this.progressed();
      else if (type === 'inputEnded') this.#inlet.inputEnded();
    }
  }

  #open(format: Readonly<AudioFormat>): void {
    const { kind, to, options, progressFrames } = this.plan(format);
    this.#progressFrames = this.#toProgress = progressFrames ?? Infinity;
    this.#in = format;
    this.#out = to;
    this.#native = new (native().Filter)(kind, format, to, { ...options, progressFrames }, () =>
      this.#context.runInAsyncScope(() => this.#attend()),
    );
    if (this.#cut) this.#chunker = new Chunker(to, this.#cut);
    this.#ready.resolve(this);
  }

  #processBeside(
    filter: NativeFilter,
    bytes: Buffer,
    reading: Promise<Float32Array>,
    done: Done,
  ): void {
    const resume = this.#context.bind((error: Error | null, reference?: Float32Array) => {
      if (this.destroyed) return;
      if (!error) this.#process(filter, bytes, reference);
      done(error);
    });
    reading.then(
      (reference) => resume(null, reference),
      (error: Error) => resume(error),
    );
  }

  // A large write is processed in parts, so that events are emitted in between.
  #process(filter: NativeFilter, bytes: Buffer, reference?: Float32Array): void {
    const size = bytesPerFrame(this.#in as AudioFormat);
    const width = reference ? (reference.length * size) / bytes.length : 0;
    let frame = 0;
    for (let rest = bytes; rest.length > 0;) {
      const part = rest.subarray(0, Math.min(rest.length, this.#toProgress * size));
      rest = rest.subarray(part.length);
      const end = frame + part.length / size;
      this.#give(filter.process(part, reference?.subarray(frame * width, end * width)));
      frame = end;
      this.#toProgress -= part.length / size;
      if (this.#toProgress > 0) continue;
      this.#toProgress = this.#progressFrames;
      this.progressed();
    }
  }

  #give(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#chunker) for (const chunk of this.#chunker.push(bytes)) this.#push(chunk);
    else this.#push(bytes);
  }

  #push(bytes: Buffer): void {
    this.#framesOut += bytes.length / bytesPerFrame(this.#out as AudioFormat);
    this.push(bytes);
  }

  #timed(): { stream: AudioStream; ratio: number; first: number } {
    const stream = this.#inlet.source as (AudioStream & { firstFrame?: number }) | undefined;
    if (!stream || typeof stream.timeAt !== 'function' || !this.#in || !this.#out) {
      throw this.#untimed('its frames have no time');
    }
    const ratio = this.#in.sampleRate / this.#out.sampleRate;
    return { stream, ratio, first: stream.firstFrame ?? 0 };
  }

  #untimed(reason: string): Error {
    return unsupported(`timeAt of a ${this.constructor.name} without a live stream`, reason);
  }
}
