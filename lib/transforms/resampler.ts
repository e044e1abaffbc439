import { addAbortSignal, Transform, type TransformCallback } from 'node:stream';

import type { AudioStream } from '../audio-stream.js';
import { checkChannelMap, type ChannelMap } from '../channel-map.js';
import { Chunker } from '../chunker.js';
import { discardUnread, whenClosed } from '../closing.js';
import { Deferred } from '../deferred.js';
import { AudioError } from '../errors.js';
import {
  bytesPerFrame,
  checkFormat,
  describeFormat,
  formatUnknown,
  resolveFormat,
  sameFormat,
  type AudioFormat,
} from '../format.js';
import { upstreams } from '../links.js';
import { native, type NativeResampler } from '../native.js';
import { Upstream } from '../upstream.js';
import {
  checkAbortSignal,
  checkBigInt,
  checkBoolean,
  checkInteger,
  checkNumber,
  checkOneOf,
  checkOptions,
  unsupported,
} from '../validate.js';

/** What is not given stays as it comes in. */
export interface ResamplerOptions extends Partial<AudioFormat> {
  /** An entry for each channel that comes out, which also says how many there are; ITU-R BS.775 else. */
  channelMap?: ChannelMap | undefined;
  /** Of what is written, where no stream of this package is piped in. */
  from?: AudioFormat | undefined;
  /** Passband and stopband; `high`: flat to 0.913 of the lower rate's half, 140 dB. */
  quality?: 'low' | 'medium' | 'high' | 'best' | undefined;
  /** Frames in each chunk that comes out; without it as they come. */
  chunkFrames?: number | undefined;
  signal?: AbortSignal | undefined;
  /**
   * TPDF noise of 2 LSB before the rounding to `s16` or `s24`, so that what is quiet is not distorted;
   * false. None where samples only pass through.
   */
  dither?: boolean | undefined;
}

/**
 * Changes sample rate, channels, sample format. A polyphase windowed sinc of our own; the result has
 * exactly `round(framesIn x out / in)` frames, without delay at the head and with the whole tail, and
 * the same bytes however the input is cut.
 *
 * @example
 * mixer.pipe(new Resampler({ sampleRate: 16000, channels: 1, sampleFormat: 's16' })).pipe(transcriber);
 */
export class Resampler extends Transform implements AudioStream {
  readonly #ready = new Deferred<this>();
  /** Resolves when the format that comes in is known. */
  readonly ready: Promise<this> = this.#ready.promise;
  readonly #options: ResamplerOptions;
  readonly #from: Readonly<AudioFormat> | undefined;
  readonly #upstream = new Upstream(this);
  #native: NativeResampler | undefined;
  #in: Readonly<AudioFormat> | undefined;
  #out: Readonly<AudioFormat> | undefined;
  #noted: Readonly<AudioFormat> | undefined;
  #half: Buffer = Buffer.alloc(0);
  #chunker: Chunker | undefined;
  #framesIn = 0;
  #framesOut = 0;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`,
   *   `ERR_AUDIO_UNSUPPORTED`.
   */
  constructor(options?: ResamplerOptions) {
    const asked = checkOptions(options, 'Resampler', [
      'sampleRate',
      'channels',
      'sampleFormat',
      'channelMap',
      'from',
      'quality',
      'chunkFrames',
      'signal',
      'dither',
    ]);
    const { channelMap, channels = channelMap?.length } = asked;
    const given = { ...asked, channels };
    resolveFormat(given);
    if (channelMap !== undefined) checkChannelMap(channelMap, 'options.channelMap', channels ?? 1);
    const from = given.from && checkFormat(given.from, 'options.from');
    if (given.quality !== undefined) {
      checkOneOf(given.quality, 'options.quality', ['low', 'medium', 'high', 'best']);
    }
    if (given.chunkFrames !== undefined) {
      checkInteger(given.chunkFrames, 'options.chunkFrames', 1, 3_840_000);
    }
    if (given.dither !== undefined) checkBoolean(given.dither, 'options.dither');
    if (given.signal !== undefined) checkAbortSignal(given.signal, 'options.signal');
    // Object mode on the way out keeps Node from merging chunks that wait.
    super({ readableObjectMode: true, readableHighWaterMark: 4 });
    this.#options = given;
    this.#from = from;
    if (given.signal) addAbortSignal(given.signal, this);
  }

  /** Of what comes out. @throws `ERR_AUDIO_FORMAT_UNKNOWN` until what comes in is known. */
  get format(): Readonly<AudioFormat> {
    const from = this.#in ?? this.#upstream.format ?? this.#from;
    if (!from) throw formatUnknown('Resampler');
    return this.#out ?? resolveFormat(this.#options, from);
  }

  /** Whether what comes in is live. */
  get live(): boolean {
    return (this.#upstream.source as { live?: boolean } | undefined)?.live === true;
  }

  /** Frames that came out. */
  get position(): number {
    return this.#framesOut;
  }

  get [upstreams](): object[] {
    return this.#upstream.source ? [this.#upstream.source] : [];
  }

  /** The time of a frame that came out, carried over from what comes in. */
  timeAt(frame: number): bigint {
    const { stream, ratio, first } = this.#timed();
    return stream.timeAt(first + checkNumber(frame, 'frame') * ratio);
  }

  frameAt(time: bigint): number {
    const { stream, ratio, first } = this.#timed();
    return (stream.frameAt(checkBigInt(time, 'time')) - first) / ratio;
  }

  stats(): Readonly<{ framesIn: number; framesOut: number; latencyFrames: number }> {
    return {
      framesIn: this.#framesIn,
      framesOut: this.#framesOut,
      /** Input frames that the filter waits for. */
      latencyFrames: this.#native?.latencyFrames() ?? 0,
    };
  }

  /** Ends: what was written comes out with its tail. Without a reader it is discarded. */
  close(): Promise<void> {
    this.#upstream.detach();
    if (!this.writableEnded && !this.destroyed) this.end();
    discardUnread(this);
    return whenClosed(this);
  }

  override [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Does nothing: a transform keeps no process alive. */
  ref(): this {
    return this;
  }

  /** Does nothing: a transform keeps no process alive. */
  unref(): this {
    return this;
  }

  // The format is that of the stream piped in at the time of the write: when the bytes get their turn,
  // that stream may be gone.
  override write(
    chunk: unknown,
    encoding?: BufferEncoding | ((error?: Error | null) => void),
    done?: (error?: Error | null) => void,
  ): boolean {
    this.#noted = this.#upstream.format ?? this.#noted;
    return super.write(chunk, encoding as BufferEncoding, done);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      const kernel = this.#settle();
      const size = bytesPerFrame(this.#in as AudioFormat);
      const bytes = this.#half.length ? Buffer.concat([this.#half, chunk]) : chunk;
      const whole = bytes.length - (bytes.length % size);
      this.#half = Buffer.from(bytes.subarray(whole));
      this.#framesIn += whole / size;
      this.#give(kernel.process(bytes.subarray(0, whole)));
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    if (this.#half.length > 0) {
      const size = bytesPerFrame(this.#in as AudioFormat);
      return done(
        new AudioError(
          'ERR_AUDIO_PARTIAL_FRAME',
          `the bytes written to Resampler ended ${this.#half.length} bytes into a frame of ${size}`,
          { remedy: 'The writer lost or added bytes, or its format is not the one declared' },
        ),
      );
    }
    if (this.#native) this.#give(this.#native.flush());
    const rest = this.#chunker?.rest();
    if (rest) this.#push(rest);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#ready.reject(error ?? formatUnknown('Resampler, closed before the first frame,'));
    done(error);
  }

  #settle(): NativeResampler {
    const from = this.#noted ?? this.#in ?? this.#from;
    if (this.#native && from === this.#in) return this.#native;
    if (!from) throw formatUnknown('Resampler');
    if (this.#in && !sameFormat(from, this.#in)) {
      throw new AudioError(
        'ERR_AUDIO_FORMAT_UNSUPPORTED',
        `${describeFormat(from)} was piped into a Resampler that began with ${describeFormat(this.#in)}`,
        { remedy: 'Use another Resampler for it' },
      );
    }
    if (!this.#native) {
      this.#in = from;
      this.#out = resolveFormat(this.#options, from);
      const { quality = 'high', channelMap, chunkFrames, dither } = this.#options;
      this.#native = new (native().Resampler)(from, this.#out, quality, channelMap, dither);
      if (chunkFrames !== undefined) this.#chunker = new Chunker(this.#out, { chunkFrames });
      this.#ready.resolve(this);
    }
    return this.#native;
  }

  #give(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (!this.#chunker) return this.#push(bytes);
    for (const chunk of this.#chunker.push(bytes)) this.#push(chunk);
  }

  #push(bytes: Buffer): void {
    this.#framesOut += bytes.length / bytesPerFrame(this.#out as AudioFormat);
    this.push(bytes);
  }

  #timed(): { stream: AudioStream; ratio: number; first: number } {
    const stream = this.#upstream.source as (AudioStream & { firstFrame?: number }) | undefined;
    if (!stream || typeof stream.timeAt !== 'function' || !this.#in || !this.#out) {
      throw unsupported('timeAt of a Resampler without a live stream', 'its frames have no time');
    }
    const ratio = this.#in.sampleRate / this.#out.sampleRate;
    return { stream, ratio, first: stream.firstFrame ?? 0 };
  }
}
