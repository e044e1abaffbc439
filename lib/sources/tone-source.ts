import { addAbortSignal } from 'node:stream';

import type { AudioStream } from '../streams/audio-stream.js';
import {
  checkChunkOptions,
  ChunkPlan,
  chunkOptionNames,
  type ChunkOptions,
} from '../streams/chunker.js';
import { closing, discardUnread, noteUnpiped, untilTaken } from '../streams/closing.js';
import { nextTurn } from '../engine/timers.js';
import { countChunks } from '../streams/encoding.js';
import {
  encodeSamples,
  resolveFormat,
  type AudioFormat,
  type FormatOptions,
} from '../format/format.js';
import {
  checkAbortSignal,
  checkBoolean,
  checkNumber,
  checkOptions,
  outOfRange,
  unsupported,
} from '../validate.js';
import { TypedReadable, type ReadableEvents } from '../engine/typed-events.js';

/** Options of a {@link ToneSource}. The format defaults to 48000 Hz, 2 channels, `f32`. */
export interface ToneSourceOptions extends FormatOptions, ChunkOptions {
  /** The frequency in Hz, above 0 and below half the sample rate. @default 1000 */
  frequency?: number | undefined;
  /** The peak of the sine, linear, 0 to 1. @default 0.25, which is -12 dBFS */
  gain?: number | undefined;
  /** The length in ms, rounded to frames. @default the tone does not end by itself */
  durationMs?: number | undefined;
  /** Whether the tone runs at the pace of the host's clock. This version supports only false. @default false */
  live?: boolean | undefined;
  /** Destroys the stream with an `AbortError`. @default none */
  signal?: AbortSignal | undefined;
}

const chunksPerTurn = 16;

/**
 * Generates a sine, the same in all channels, as fast as it is read. The phase is 0 at frame 0. It is computed from the
 * frame index, so it is as exact after a day as in the first second.
 *
 * @example
 * new ToneSource({ frequency: 440, durationMs: 2000 }).pipe(WavWriter.toFile('a.wav'));
 */
export class ToneSource extends TypedReadable<ReadableEvents> implements AudioStream {
  readonly format: Readonly<AudioFormat>;
  readonly live = false;
  readonly ready: Promise<this> = Promise.resolve(this);
  readonly #frequency: number;
  readonly #gain: number;
  readonly #plan: ChunkPlan;
  readonly #length: number;
  #chunks = 0;
  #frames = 0;
  #closing = false;

  /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_UNSUPPORTED`. */
  constructor(options?: ToneSourceOptions) {
    const given = checkOptions(options, 'ToneSource', [
      ...chunkOptionNames,
      'sampleRate',
      'channels',
      'sampleFormat',
      'frequency',
      'gain',
      'durationMs',
      'live',
      'signal',
    ]);
    const { frequency = 1000, gain = 0.25, durationMs, live = false, signal } = given;
    const format = resolveFormat(given);
    const half = format.sampleRate / 2;
    if (checkNumber(frequency, 'options.frequency') <= 0 || frequency >= half) {
      throw outOfRange('options.frequency', `> 0 && < ${half}, half the sample rate`, frequency);
    }
    checkNumber(gain, 'options.gain', 0, 1);
    if (durationMs !== undefined) checkNumber(durationMs, 'options.durationMs', 0);
    if (signal !== undefined) checkAbortSignal(signal, 'options.signal');
    const plan = new ChunkPlan(format.sampleRate, checkChunkOptions(given));
    if (checkBoolean(live, 'options.live')) {
      throw unsupported(
        'ToneSource with live: true',
        'this version generates tones only as fast as they are read',
        'Leave the option out: a sink that plays the tone sets the pace',
      );
    }
    // Object mode keeps Node from merging waiting chunks. The high water mark then counts chunks.
    super({ objectMode: true, highWaterMark: 4 });
    this.format = format;
    this.#frequency = frequency;
    this.#gain = gain;
    this.#plan = plan;
    this.#length =
      durationMs === undefined ? Infinity : Math.round((durationMs * format.sampleRate) / 1000);
    if (signal) addAbortSignal(signal, this);
  }

  get position(): number {
    return Math.min(this.#plan.end(this.#chunks - this.readableLength), this.#frames);
  }

  /** @throws `ERR_AUDIO_UNSUPPORTED`: the frames of a tone that is not live have no time. */
  timeAt(_frame: number): bigint {
    throw unsupported(
      'timeAt of a ToneSource',
      'the frames of a tone that is not live have no time',
    );
  }

  /** @throws `ERR_AUDIO_UNSUPPORTED`: the frames of a tone that is not live have no time. */
  frameAt(_time: bigint): number {
    throw unsupported(
      'frameAt of a ToneSource',
      'the frames of a tone that is not live have no time',
    );
  }

  stats(): Readonly<{ framesRead: number }> {
    return { framesRead: this.position };
  }

  /**
   * Ends the tone. Audio that was already generated stays readable up to `end`. Resolves when the stream has closed. If
   * destinations of `pipe()` read nothing for a second, they receive the rest at once, without backpressure. `close()`
   * waits at most one second for a reader that has paused: the stream closes when that reader has read the rest.
   */
  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      if (this.#frames < this.#length) this.push(null);
      discardUnread(this);
    }
    return closing(this, () => untilTaken(this, () => this.position));
  }

  /** The same as `close()`, for `await using`. */
  override [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Does nothing, because a tone does not keep the process alive. */
  ref(): this {
    return this;
  }

  /** Does nothing, because a tone does not keep the process alive. */
  unref(): this {
    return this;
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    noteUnpiped(this, () => super.unpipe(destination));
    return this;
  }

  override setEncoding(encoding: BufferEncoding): this {
    super.setEncoding(encoding);
    countChunks(this);
    return this;
  }

  override _read(): void {
    // Node requests the next chunk at once. Without a pause, a tone with a `data` listener would starve the event loop.
    if (this.#chunks % chunksPerTurn !== chunksPerTurn - 1) this.#give();
    else nextTurn(() => this.#give());
  }

  #give(): void {
    if (this.#closing || this.destroyed) return;
    const end = Math.min(this.#plan.end(this.#chunks + 1), this.#length);
    if (end > this.#frames) this.push(this.#make(this.#frames, end));
    if (end === this.#length) this.push(null);
  }

  #make(from: number, to: number): Buffer {
    const { sampleRate, channels, sampleFormat } = this.format;
    this.#chunks++;
    this.#frames = to;
    const samples = new Float64Array((to - from) * channels);
    // Whole turns are subtracted exactly before the sine, because a large angle would lose its fraction.
    const start = (this.#frequency * from) % sampleRate;
    for (let i = 0; i < to - from; i++) {
      const turns = (start + this.#frequency * i) / sampleRate;
      samples.fill(this.#gain * Math.sin(2 * Math.PI * turns), i * channels, (i + 1) * channels);
    }
    return encodeSamples(samples, sampleFormat);
  }
}
