import { AsyncResource } from 'node:async_hooks';
import { addAbortSignal } from 'node:stream';

import type { AudioStream } from '../streams/audio-stream.js';
import { checkChannelMap, type ChannelMap } from '../format/channel-map.js';
import { deliverError, whenClosed } from '../streams/closing.js';
import { bytesPerFrame, optionalFormat, formatNotYet, type AudioFormat } from '../format/format.js';
import { checkDuck } from './duck-options.js';
import { FrameWriter } from '../streams/frame-writer.js';
import { Inlet, type Done, type InletTarget } from '../streams/inlet.js';
import {
  linkable,
  linkTarget,
  upstreams,
  type LinkSource,
  type LinkTarget,
} from '../streams/links.js';
import { nextTurn } from '../engine/timers.js';
import { TypedWritable, type WritableEvents } from '../engine/typed-events.js';
import { native, type NativeMixer, type NativeMixerInput } from '../engine/native.js';
import {
  checkAbortSignal,
  checkBoolean,
  checkInteger,
  checkNumber,
  checkOptions,
  outOfRange,
  unsupported,
} from '../validate.js';

/** More than a server that does not answer is waited for. */
const leastLiveBufferMs = 5000;

/** Options that lower an input of a mix while another one sounds. */
export interface DuckOptions {
  /** The input that lowers this one while it sounds. It was created earlier, by the same mixer. */
  by: MixerInput;
  /** The change of the level, in dB, -96 to 0. */
  gainDb: number;
  /** How long the level takes to fall, in ms, 0 to 10000. @default 20 */
  attackMs?: number | undefined;
  /** How long the level takes to rise again, in ms, 0 to 60000. @default 400 */
  releaseMs?: number | undefined;
  /** The peak level above which the other input counts as sounding, in dBFS, -96 to 0. @default -45 */
  thresholdDb?: number | undefined;
}

/** Options of an input of a {@link Mixer}. */
export interface MixerInputOptions {
  /** Gain of the input, linear, 0 to 16. @default 1 */
  gain?: number | undefined;
  /**
   * The position between left (-1), centre (0) and right (1). The side to which the sound moves keeps its level, and so
   * do channels that belong to no side. @default 0
   */
  pan?: number | undefined;
  /** Whether the input is silent in the mix. @default false */
  muted?: boolean | undefined;
  /** The map from the channels of the input to those of the mix. @default the up- and down-mix of ITU-R BS.775 */
  channelMap?: ChannelMap | undefined;
  /** Format of the written bytes. @default the format of the stream that is piped in */
  format?: AudioFormat | undefined;
  /**
   * How much audio the input can queue, in ms, 20 to 60,000: bytes that are written ahead, or packets of a live stream.
   * While the mix waits for another input, and after a standstill of the process or of the audio server, the packets of
   * a live stream wait here. Packets that find no room are lost and counted.
   * @default 500 for written bytes; for a live stream 5000, or `maxWaitMs` of the mixer and a second if that is more
   */
  bufferMs?: number | undefined;
  /** Destroys the input with an `AbortError`. @default none */
  signal?: AbortSignal | undefined;
  /**
   * For a live stream: the least age of its audio when it is mixed, in ms, 0 to 500. Use it if its packets take longer
   * than the mixer's `latencyMs`. All inputs stay aligned, so the whole mix gets that age. For bytes that are
   * written into a live mix: how much audio is queued before it is mixed. @default 0
   */
  latencyMs?: number | undefined;
  /**
   * The frame of the mix at which the first written frame is mixed. Until then the input is silent, and the mix does
   * not wait for it. Bytes that are written too late begin as soon as they arrive. A live stream cannot have a
   * `startFrame`, because its times determine its position. @default as soon as possible
   */
  startFrame?: number | undefined;
  /**
   * Lowers this input while another one sounds, for example music while somebody speaks. The level of the other input is
   * measured as it is heard in the mix, after its gain and mute. Pauses of up to 250 ms do not count.
   * @default the level of the input does not depend on other inputs
   * @example
   * const voice = mixer.createInput();
   * const music = mixer.createInput({ duck: { by: voice, gainDb: -12 } });
   */
  duck?: DuckOptions | undefined;
}

/** The part of a mixer that its inputs use. */
export interface InputOwner {
  readonly native: NativeMixer;
  readonly format: Readonly<AudioFormat>;
  readonly maxWaitMs: number;
  readonly live: boolean;
  /** Another stream flows in, or more bytes were written. */
  changed(): void;
  ended(): void;
  closed(input: MixerInput, error: Error | null): void;
  /** Calls back after so much time on the clock of the live mix. */
  after(ms: number, callback: () => void): void;
  /** Whether it is one of the mixer's open inputs. */
  has(input: unknown): input is MixerInput;
}

/** Counters of a mixer input. Some exist only for a live stream, others only for written bytes. */
export interface MixerInputStats {
  /** How much faster than the mix's clock the linked stream's clock runs, in ppm. Negative if it is slower. */
  driftPpm?: number;
  /** How far the linked stream is from its position in time, in microseconds. */
  offsetUs?: number;
  /** How often frames of linked streams arrived too late. */
  starvations?: number;
  /** Frames of silence that were mixed in their place. */
  starvedFrames?: number;
  /**
   * How often the linked stream jumped to its position, because it was more than 200 ms off, or 1 ms in its first
   * second.
   */
  resyncs?: number;
  /** Frames of a live stream for which `bufferMs` had no room. */
  lostFrames?: number;
  /** Frames that were written. */
  writtenFrames?: number;
  /** Written frames that were mixed. */
  playedFrames?: number;
  /** Written frames that are queued. */
  queuedFrames?: number;
  /** How often a live mix found no written bytes. */
  underruns?: number;
  /** Frames of silence that were mixed instead. */
  underrunFrames?: number;
}

/** Options for the ramp of a change. */
export interface RampOptions {
  /** How long the change takes, in ms, 0 to 60000. @default 10 */
  rampMs?: number | undefined;
}

// A live mix is made in blocks. A change takes effect in one of the next blocks.
const mixedWithinMs = 30;

/** An input of a {@link Mixer}. Pipe one stream into it, or write bytes to it. */
export class MixerInput extends TypedWritable<WritableEvents> implements AudioStream {
  /** @internal */
  static readonly [linkable] = true;
  readonly ready: Promise<this> = Promise.resolve(this);
  readonly #owner: InputOwner;
  readonly #native: NativeMixerInput;
  readonly #inlet: Inlet;
  readonly #writer: FrameWriter;
  readonly #options: MixerInputOptions;
  readonly #context = new AsyncResource('PATCHCORD');
  #gain: number;
  #pan: number;
  #muted: boolean;
  #counted: Readonly<MixerInputStats> = {}; // counters of a former link, or of a closed input

  /** @internal Made by `Mixer.createInput()`. */
  constructor(owner: InputOwner, options: MixerInputOptions | undefined) {
    const given = checkInputOptions(options, owner);
    const { gain = 1, pan = 0, muted = false, latencyMs = 0, startFrame = 0, format } = given;
    const declared = optionalFormat(format, 'options.format');
    const duck =
      given.duck &&
      checkDuck(given.duck, owner.format.sampleRate, (input) =>
        owner.has(input) ? input.#native : undefined,
      );
    super({ highWaterMark: 64 * 1024 });
    this.#owner = owner;
    this.#options = given;
    this.#native = new (native().MixerInput)(
      owner.native,
      () => this.#context.runInAsyncScope(() => this.#attend()),
      startFrame,
      latencyMs,
      duck,
    );
    this.#native.setGain((this.#gain = gain), 0);
    this.#native.setPan((this.#pan = pan), 0);
    this.#native.setMuted((this.#muted = muted), 0);
    this.#writer = new FrameWriter(this.#native);
    this.#inlet = new Inlet(this, this.#target(), declared);
    if (given.signal) addAbortSignal(given.signal, this);
  }

  #target(): InletTarget {
    const { bufferMs, channelMap, latencyMs = 0, startFrame } = this.#options;
    const engine = this.#native;
    const owner = this.#owner;
    const framesOf = (ms: number, { sampleRate }: AudioFormat): number =>
      Math.ceil((ms * sampleRate) / 1000);
    const liveBufferMs = Math.max(leastLiveBufferMs, owner.maxWaitMs + 1000);
    let frameBytes = 0;
    return {
      refuse: (source) => {
        if (this.#inlet.written) throw this.#inlet.secondStream();
        if (!source.live) return 'it is not live yet, so no clock drives it';
        if (startFrame === undefined) return undefined;
        throw unsupported(
          'a live stream in an input with a startFrame',
          'the times of the stream determine its position in the mix',
        );
      },
      link: (source) => {
        engine.link(source.producer, framesOf(bufferMs ?? liveBufferMs, source.format), channelMap);
        owner.changed();
      },
      unlink: (source) => {
        this.#counted = engine.stats();
        engine.unlink();
        owner.changed();
        // Behind pipeline() the input ends when all readers of the source have had its end.
        if (source.closed) nextTurn(() => this.#stay());
        else source.once('close', () => nextTurn(() => this.#stay()));
      },
      open: (format) => {
        frameBytes = bytesPerFrame(format);
        // Without a clock the mix itself waits, so there is no fill to wait for.
        const fill = owner.live ? framesOf(latencyMs, format) : 0;
        engine.openWritten(format, framesOf(bufferMs ?? 500, format), channelMap, fill);
        owner.changed();
      },
      write: (frames, done) => this.#writer.write(frames, frameBytes, done),
      end: () => {
        if (!this.#inlet.opened) return false;
        engine.end();
        owner.changed();
        return true;
      },
    };
  }

  /** The format of the audio that flows in. @throws `ERR_AUDIO_FORMAT_UNKNOWN` until audio flows in. */
  get format(): Readonly<AudioFormat> {
    const { format } = this.#inlet;
    if (!format) throw formatNotYet('MixerInput');
    return format;
  }

  /** Whether a live stream is linked to it. */
  get live(): boolean {
    return this.#inlet.linked !== undefined;
  }

  /** @internal The linked stream. */
  get linked(): LinkSource | undefined {
    return this.#inlet.linked;
  }

  /** Written frames that have been mixed. */
  get position(): number {
    return this.stats().playedFrames ?? 0;
  }

  /** @internal */
  get [upstreams](): object[] {
    return this.#inlet.sources;
  }

  /** The gain that was set last, linear. Its ramp may not have ended yet. */
  get gain(): number {
    return this.#gain;
  }

  /** The pan that was set last: -1 left, 0 centre, 1 right. */
  get pan(): number {
    return this.#pan;
  }

  /** Whether the input was muted last. */
  get muted(): boolean {
    return this.#muted;
  }

  /**
   * Changes the gain (linear, 0 to 16) within `rampMs`, so that it does not click. Gain, pan and mute have separate
   * ramps.
   *
   * @param options.rampMs - The length of the ramp in ms, 0 to 60000. @default 10
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  setGain(gain: number, options?: RampOptions): void {
    checkNumber(gain, 'gain', 0, 16);
    const frames = this.#rampFrames(options, 'setGain');
    this.#native.setGain((this.#gain = gain), frames);
  }

  /**
   * Moves the input to the left (-1) or to the right (1) within `rampMs`. The speakers of the other side become
   * quieter, and speakers of neither side do not change.
   *
   * @param options.rampMs - The length of the ramp in ms, 0 to 60000. @default 10
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  setPan(pan: number, options?: RampOptions): void {
    checkNumber(pan, 'pan', -1, 1);
    const frames = this.#rampFrames(options, 'setPan');
    this.#native.setPan((this.#pan = pan), frames);
  }

  /**
   * Mutes or unmutes the input within `rampMs`. Its gain does not change.
   *
   * @param options.rampMs - The length of the ramp in ms, 0 to 60000. @default 10
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  setMuted(muted: boolean, options?: RampOptions): void {
    checkBoolean(muted, 'muted');
    const frames = this.#rampFrames(options, 'setMuted');
    this.#native.setMuted((this.#muted = muted), frames);
  }

  #rampFrames(options: RampOptions | undefined, name: string): number {
    return this.#framesOf(checkRamp(options, name, 10));
  }

  #framesOf(ms: number): number {
    return Math.round((ms * this.#owner.format.sampleRate) / 1000);
  }

  /** Peak and RMS of the last 100 ms that this input added to the mix, in dBFS. Silence is `-Infinity`. */
  level(): { peakDb: number; rmsDb: number } {
    return this.#native.level();
  }

  /** The time of a frame of the linked stream. */
  timeAt(frame: number): bigint {
    return this.#timed().timeAt(frame);
  }

  frameAt(time: bigint): number {
    return this.#timed().frameAt(time);
  }

  stats(): Readonly<MixerInputStats> {
    return { ...this.#counted, ...this.#native.stats() };
  }

  /**
   * Removes the input from the mix. A live mix fades it out within `rampMs`. Resolves when the input has closed.
   *
   * @param options.rampMs - The length of the fade in ms, 0 to 60000. @default 0, which fades within 3 ms
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
   */
  close(options?: RampOptions): Promise<void> {
    const rampMs = checkRamp(options, 'close', 0);
    if (this.destroyed) return whenClosed(this);
    if (rampMs > 0 && this.#owner.live) {
      this.#native.setMuted(true, this.#framesOf(rampMs));
      this.#owner.after(rampMs + mixedWithinMs, () => this.destroy());
    } else {
      this.destroy();
    }
    return whenClosed(this);
  }

  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Does nothing: only the stream that is piped into an input keeps the process alive. */
  ref(): this {
    return this;
  }

  /** Does nothing: only the stream that is piped into an input keeps the process alive. */
  unref(): this {
    return this;
  }

  /** @internal */
  get [linkTarget](): LinkTarget[typeof linkTarget] {
    return this.#inlet;
  }

  override write(chunk: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    const [how, callback] =
      typeof encoding === 'function' ? [undefined, encoding] : [encoding, done];
    return this.#inlet.noting(() =>
      super.write(chunk, how as BufferEncoding, this.#writer.reporting(callback)),
    );
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#inlet.write(chunk, done);
    this.#owner.changed();
  }

  override _final(done: Done): void {
    this.#inlet.finish(done);
  }

  /** @internal The mixer has mixed all frames of this input. */
  mixedOut(): void {
    this.#inlet.finished();
  }

  /** @internal There may be room for more. */
  retry(): void {
    this.#writer.retry();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    deliverError(this, error);
    const ended = this.writableFinished;
    this.#inlet.unlink();
    this.#counted = this.stats();
    this.#native.remove(ended);
    this.#writer.abandon(error);
    if (ended) this.#owner.ended();
    this.#owner.closed(this, error);
    done(error);
  }

  // A mix whose inputs have ended ends: not while one of them waits for another stream.
  #stay(): void {
    if (this.destroyed || this.writableEnded || this.#inlet.linked) return;
    this.#native.stay();
    this.#owner.changed();
  }

  #attend(): void {
    for (const { type } of this.#native.takeEvents()) {
      if (type === 'lowWater') this.#writer.retry();
      else if (type === 'inputEnded') this.#inlet.inputEnded();
    }
  }

  #timed(): LinkSource {
    const { linked } = this.#inlet;
    if (linked) return linked;
    throw unsupported('timeAt of an input without a live stream', 'written frames have no time');
  }
}

function checkRamp(options: RampOptions | undefined, name: string, usualMs: number): number {
  const { rampMs = usualMs } = checkOptions(options, name, ['rampMs']);
  return checkNumber(rampMs, 'options.rampMs', 0, 60_000);
}

function checkInputOptions(
  options: MixerInputOptions | undefined,
  owner: InputOwner,
): MixerInputOptions {
  const given = checkOptions(options, 'createInput', [
    'gain',
    'pan',
    'muted',
    'channelMap',
    'format',
    'bufferMs',
    'signal',
    'latencyMs',
    'startFrame',
    'duck',
  ]);
  const { gain = 1, pan = 0, muted = false, channelMap, bufferMs, signal } = given;
  const { latencyMs = 0, startFrame } = given;
  checkNumber(gain, 'options.gain', 0, 16);
  checkNumber(pan, 'options.pan', -1, 1);
  checkBoolean(muted, 'options.muted');
  if (bufferMs !== undefined) checkNumber(bufferMs, 'options.bufferMs', 20, 60_000);
  if (channelMap !== undefined) {
    checkChannelMap(channelMap, 'options.channelMap', owner.format.channels);
  }
  if (signal !== undefined) checkAbortSignal(signal, 'options.signal');
  checkNumber(latencyMs, 'options.latencyMs', 0, 500);
  if (startFrame !== undefined) {
    checkInteger(startFrame, 'options.startFrame', 0);
    const mixed = owner.native.position();
    if (startFrame < mixed) {
      const range = `>= ${mixed}, because earlier frames have been mixed`;
      throw outOfRange('options.startFrame', range, startFrame);
    }
  }
  return given;
}
