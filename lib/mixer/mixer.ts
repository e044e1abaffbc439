import { addAbortSignal } from 'node:stream';

import { callListeners } from '../engine/call-listeners.js';
import { AudioReadable, type AudioReadableEvents } from '../streams/audio-readable.js';
import {
  checkChunkOptions,
  ChunkPlan,
  chunkOptionNames,
  type ChunkOptions,
} from '../streams/chunker.js';
import { closed, closing, deliverError, whenClosed } from '../streams/closing.js';
import { resolveFormat, type FormatOptions } from '../format/format.js';
import {
  allUpstreams,
  linkable,
  streamKind,
  upstreams,
  type LinkSource,
} from '../streams/links.js';
import {
  MixerInput,
  type InputOwner,
  type MixerInputOptions,
  type MixerInputStats,
} from './mixer-input.js';
import { native, type NativeHost, type NativeMixer, type NativeSource } from '../engine/native.js';
import { nextTurn, timersOf } from '../engine/timers.js';
import type { Discontinuity, LinkStats } from '../streams/outlet.js';
import {
  checkAbortSignal,
  checkTime,
  checkBoolean,
  checkFrame,
  checkNumber,
  checkOptions,
  unsupported,
} from '../validate.js';

/** Options of a {@link Mixer}. The format defaults to 48000 Hz, 2 channels, `f32`. */
export interface MixerOptions extends FormatOptions, ChunkOptions {
  /**
   * The least age of a frame when it is mixed, in ms. The packets of all live inputs must arrive within this time.
   * @default 30
   */
  latencyMs?: number | undefined;
  /**
   * How long a mix that no device plays waits for late live inputs beyond `latencyMs`, in ms, 0 to 10,000. It waits for
   * up to 4 s while the audio server of an input does not answer, and also after the process itself stood still. A mix
   * that a device plays does not wait. Silence replaces audio that arrives even later, and the mixer emits
   * `discontinuity`. See also `bufferMs` of {@link MixerInputOptions}.
   * @default 500
   */
  maxWaitMs?: number | undefined;
  /**
   * Whether a look-ahead limiter keeps the mix below -0.1 dBFS. Without it, sums above full scale clip in integer
   * formats.
   * @default true
   */
  limiter?: boolean | undefined;
  /**
   * Whether the limiter also limits the peaks between the samples, which a converter produces; see
   * {@link LimiterOptions.truePeak}. @default false
   */
  truePeak?: boolean | undefined;
  /** Whether the mix ends when all its inputs have ended. @default true */
  endWhenInputsEnd?: boolean | undefined;
  /**
   * How far each reader may fall behind before it loses frames, in ms, 20 to 60000.
   *
   * @default 1000, and 30,000 for a file that the mix is piped into (`WavWriter`, `fs.WriteStream`)
   */
  bufferMs?: number | undefined;
  /** Destroys the stream with an `AbortError`. The normal stop is `close()`. @default none */
  signal?: AbortSignal | undefined;
}

/** A sink whose clock the mix follows. */
export interface MixDriver {
  mixEnded(): void;
}

/** Counters of a mixer. */
export interface MixerStats {
  /** Frames that were mixed. */
  frames: number;
  /** The age of a frame when it is mixed, in ms. */
  lagMs: number;
  /** The age of a frame when it leaves the mixer, in ms: `lagMs` plus the look-ahead of the limiter. */
  latencyMs: number;
  /** The lowest gain that the limiter has used; 1 if it has changed nothing. */
  limiterGain: number;
  /** Frames of inputs that arrived too late, or that were not mixed in time. Silence replaces them in the mix. */
  lostFrames: number;
  /**
   * Frames that were not mixed because the machine slept or stalled for more than a second. If this lasted for up to a
   * minute, silence replaces them in the mix, and `lostFrames` counts them too.
   */
  skippedFrames: number;
  /** Frames that the readable side, and loops over `chunks()`, lost because they were too slow. */
  readerLostFrames: number;
  /** Counters of each input that is open. */
  inputs: Readonly<MixerInputStats>[];
  /** The destinations of `pipe()`. */
  link: LinkStats[];
}

/** Events of a mixer, beside those of every Readable. */
export interface MixerEvents extends AudioReadableEvents {
  /** An input left the mix; `error` says why if it failed. */
  inputClose: [event: { input: MixerInput; error: Error | null }];
  /**
   * The audio of an input arrived too late, nothing was mixed because the machine stalled, or a reader was too slow.
   */
  discontinuity: [event: Discontinuity];
}

/** Whether the stream is a mixer, also one of the package's other build, for which `instanceof` fails. */
export function isMixer(stream: object): stream is Mixer {
  return (stream as { [streamKind]?: unknown })[streamKind] === 'mixer';
}

/** A source that has delivered no frame yet. */
function isUnbegun(stream: object): stream is LinkSource {
  const { [streamKind]: kind, producer } = stream as LinkSource & { [streamKind]?: unknown };
  return kind === 'source' && (producer as NativeSource).position() === 0;
}

/**
 * Mixes the streams that are piped into its inputs. Live inputs are aligned by the times at which they were heard. The
 * mix follows the clock of the first sink that it is piped into, or else of its first live input. Without a live input
 * it mixes as fast as it is read, without resampling.
 *
 * A live mix that no sink plays begins with the first frame of the stream that is piped in first, or at the moment of
 * `pipe()` if that stream has delivered frames before. It ends after the last frame of the input that ends last. A
 * reader that begins in the same turn of the event loop gets frame 0. A later reader begins with a later frame, see
 * `firstFrame` and the `frame` of a chunk.
 *
 * @example
 * const mixer = new Mixer();
 * mic.pipe(mixer.createInput({ gain: 0.8 }));
 * loopback.pipe(mixer.createInput());
 * mixer.pipe(new VirtualMicSink());
 */
export class Mixer extends AudioReadable<MixerEvents> {
  /** @internal */
  static readonly [linkable] = true;
  /** @internal */
  readonly [streamKind] = 'mixer';
  readonly ready: Promise<this> = Promise.resolve(this);
  readonly #native: NativeMixer;
  readonly #inputs = new Set<MixerInput>();
  readonly #watchers = new Set<() => void>();
  readonly #endWhenInputsEnd: boolean;
  readonly #inputOwner: InputOwner;
  #host: NativeHost | undefined;
  #driver: MixDriver | undefined;
  #pumping = false;
  #begin: bigint | undefined;
  #live = false;
  #someEnded = false;
  #finished = false;

  /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_NATIVE_LOAD_FAILED`. */
  constructor(options?: MixerOptions) {
    const given = checkOptions(options, 'Mixer', [
      ...chunkOptionNames,
      'sampleRate',
      'channels',
      'sampleFormat',
      'latencyMs',
      'maxWaitMs',
      'limiter',
      'truePeak',
      'endWhenInputsEnd',
      'bufferMs',
      'signal',
    ]);
    const format = resolveFormat(given);
    const plan = new ChunkPlan(format.sampleRate, checkChunkOptions(given));
    const { latencyMs = 30, limiter = true, truePeak = false } = given;
    const { endWhenInputsEnd = true, bufferMs, maxWaitMs = 500 } = given;
    checkNumber(latencyMs, 'options.latencyMs', 0, 500);
    checkNumber(maxWaitMs, 'options.maxWaitMs', 0, 10_000);
    checkBoolean(limiter, 'options.limiter');
    checkBoolean(truePeak, 'options.truePeak');
    checkBoolean(endWhenInputsEnd, 'options.endWhenInputsEnd');
    if (bufferMs !== undefined) checkNumber(bufferMs, 'options.bufferMs', 20, 60_000);
    if (given.signal !== undefined) checkAbortSignal(given.signal, 'options.signal');
    super({ format, plan, bufferMs });
    this.#endWhenInputsEnd = endWhenInputsEnd;
    const { sampleRate, channels } = format;
    this.#native = new (native().Mixer)(
      { sampleRate, channels, latencyMs, maxWaitMs, limiter, truePeak, endWhenInputsEnd },
      () => this.enter(() => this.#attend()),
    );
    this.#inputOwner = this.#asOwner(maxWaitMs);
    if (given.signal) addAbortSignal(given.signal, this);
  }

  #asOwner(maxWaitMs: number): InputOwner {
    const isLive = (): boolean => this.#live;
    return {
      native: this.#native,
      format: this.format,
      maxWaitMs,
      get live() {
        return isLive();
      },
      changed: () => this.#changed(),
      ended: () => (this.#someEnded = true),
      closed: (input, error) => this.#closed(input, error),
      after: (ms, callback) => void timersOf(this.#host ?? {}).after(ms, callback),
      has: (input): input is MixerInput => this.#inputs.has(input as MixerInput),
    };
  }

  /** Whether the mix follows a clock, because it has or had a live input, or a sink plays it. */
  get live(): boolean {
    return this.#live;
  }

  /** @internal */
  get producer(): NativeMixer {
    return this.#native;
  }

  /** @internal The audio system of its live streams. */
  get host(): NativeHost | undefined {
    return this.#host;
  }

  /** The open inputs. */
  get inputs(): readonly MixerInput[] {
    return [...this.#inputs];
  }

  /** @internal */
  get [upstreams](): object[] {
    return [...this.#inputs];
  }

  /**
   * Creates an input. This is possible at any time until the mix ends.
   *
   * @throws the same errors as the constructor, and `ERR_STREAM_DESTROYED` after `close()`, `destroy()` or the end of the
   *   mix.
   */
  createInput(options?: MixerInputOptions): MixerInput {
    if (this.#finished || this.destroyed) throw closed('createInput()');
    const input = new MixerInput(this.#inputOwner, options);
    this.#inputs.add(input);
    return input;
  }

  timeAt(frame: number): bigint {
    const time = this.#native.timeAt(checkFrame(frame, 'frame'));
    if (time === undefined || !this.#live) throw this.#untimed('timeAt');
    return time;
  }

  frameAt(time: bigint): number {
    const frame = this.#native.frameAt(checkTime(time, 'time'));
    if (frame === undefined || !this.#live) throw this.#untimed('frameAt');
    return frame;
  }

  stats(): Readonly<MixerStats> {
    return {
      ...(this.#native.stats() as unknown as Pick<
        MixerStats,
        'frames' | 'lagMs' | 'latencyMs' | 'limiterGain' | 'lostFrames' | 'skippedFrames'
      >),
      readerLostFrames: this.lostByReader(),
      inputs: [...this.#inputs].map((input) => input.stats()),
      link: this.linkStats(),
    };
  }

  /**
   * Ends the mix after the frames that are already mixed. Sources that are piped in stay open. Resolves when the stream
   * has closed. If destinations of `pipe()` read nothing for a second, they receive the rest at once, without
   * backpressure. `close()` does not wait for a reader that has paused: the stream closes when that reader has read the
   * rest.
   */
  close(): Promise<void> {
    if (this.destroyed) return whenClosed(this);
    return closing(this, async () => {
      this.#finish();
      await this.untilTaken();
    });
  }

  /** Does nothing: only the streams that are piped into a mixer keep the process alive. */
  ref(): this {
    return this;
  }

  /** Does nothing: only the streams that are piped into a mixer keep the process alive. */
  unref(): this {
    return this;
  }

  /** @internal Called when a sink takes the mix. Returns true if that sink drives the mix, as the first one does. */
  takeDriver(sink: MixDriver, host: NativeHost): boolean {
    this.#host ??= host;
    this.#live = true;
    if (this.#driver !== undefined || this.#finished) return false;
    this.#driver = sink;
    this.#pumping = false;
    return true;
  }

  /** @internal */
  releaseDriver(sink: MixDriver): void {
    if (this.#driver !== sink) return;
    this.#driver = undefined;
    this.#changed();
  }

  /** @internal */
  watch(callback: () => void): void {
    this.#watchers.add(callback);
  }

  /** @internal */
  unwatch(callback: () => void): void {
    this.#watchers.delete(callback);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    deliverError(this, error);
    this.#finish();
    this.releaseConsumers();
    done(error);
  }

  /** @internal */
  protected override makeMore(frames: number): boolean {
    if (this.#live || this.#finished) return false;
    const made = this.#native.mixWritten(frames);
    for (const input of this.#inputs) input.retry();
    if (made === 0) this.#finishWritten();
    return made > 0;
  }

  #changed(): void {
    if (this.#finished) return;
    for (const input of this.#inputs) {
      const source = input.linked;
      if (!source?.live) continue;
      this.#live = true;
      this.#host ??= source.host;
    }
    if (this.#live && this.#driver === undefined && !this.#pumping && this.#host) {
      this.#pumping = true;
      this.#begin ??= this.#firstTime(this.#host);
      // Whoever is attached until then has the mix from its first frame.
      nextTurn(() => this.#startPump());
    }
    if (!this.#live) this.#mixWritten();
    for (const callback of this.#watchers) callback();
  }

  #startPump(): void {
    if (!this.#pumping || this.#host === undefined) return;
    this.#native.startPump(this.#host, this.#begin ?? this.#host.now());
  }

  // The first time of a mix is that of a source which has delivered nothing yet, or else the present time.
  #firstTime(host: NativeHost): bigint {
    const starts = [...allUpstreams(this)].filter(isUnbegun).map((source) => source.timeAt(0));
    return starts.reduce((first, start) => (start < first ? start : first), host.now());
  }

  // Written audio is mixed for as long as readers have room. When a reader has room again, the rest follows.
  #mixWritten(): void {
    if (this.#native.mixWritten(4096) === 0) this.#finishWritten();
  }

  #finishWritten(): void {
    if (!this.#native.writtenOut()) return;
    for (const input of [...this.#inputs]) input.mixedOut();
  }

  #closed(input: MixerInput, error: Error | null): void {
    this.#inputs.delete(input);
    if (!this.#finished) {
      this.#changed();
      if (this.#someEnded && this.#endWhenInputsEnd && this.#inputs.size === 0) this.#finish();
    }
    callListeners(() => this.emit('inputClose', { input, error }));
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#pumping = false;
    // Before the engine's stream ends, so that no audio thread uses it any more.
    const driver = this.#driver;
    this.#driver = undefined;
    driver?.mixEnded();
    this.#native.finish();
    this.#attend();
    this.producerEnded();
    // The inputs are not mixed any more, even if the end of the mix has no reader.
    for (const input of [...this.#inputs]) input.destroy();
  }

  // Called on the JS thread after the engine has woken it.
  #attend(): void {
    for (const { type, frame, frames } of this.#native.takeEvents()) {
      const filled = type !== 'leftOut';
      const event: Discontinuity = { frame, frames, filled, reason: filled ? 'late' : 'sleep' };
      callListeners(() => this.emit('discontinuity', event));
    }
  }

  #untimed(what: string): Error {
    return unsupported(`${what} of a mixer without live inputs`, 'its frames have no time');
  }
}
