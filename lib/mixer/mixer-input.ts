import { addAbortSignal, Writable } from 'node:stream';

import type { AudioStream } from '../streams/audio-stream.js';
import { checkChannelMap, type ChannelMap } from '../format/channel-map.js';
import { whenClosed } from '../streams/closing.js';
import { AudioError } from '../errors.js';
import { checkFormat, formatUnknown, type AudioFormat } from '../format/format.js';
import { FrameWriter } from '../streams/frame-writer.js';
import {
  allUpstreams,
  linkable,
  linkTarget,
  upstreams,
  type LinkSource,
  type LinkTarget,
} from '../streams/links.js';
import type { Mixer } from './mixer.js';
import { native, type NativeMixerInput } from '../engine/native.js';
import {
  checkAbortSignal,
  checkBoolean,
  checkInteger,
  checkNumber,
  checkOptions,
  outOfRange,
  unsupported,
} from '../validate.js';

/** How an input sounds. */
export interface MixerInputOptions {
  /** Linear, 0 to 16; 1. */
  gain?: number | undefined;
  /** -1 left, 0 centre, 1 right; the side turned to keeps its level. */
  pan?: number | undefined;
  muted?: boolean | undefined;
  /** An entry for each channel of the mix; the usual up- and down-mix of ITU-R BS.775. */
  channelMap?: ChannelMap | undefined;
  /** Of the bytes written, where no stream of this package is piped in. */
  format?: AudioFormat | undefined;
  /** How much may be written ahead, or a live stream may run ahead; 500, live 1000. */
  bufferMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /**
   * Least age of a live stream's audio when it is mixed, where its packets need longer than the
   * mixer's `latencyMs`: all inputs stay aligned, so the whole mix waits for it. Of written bytes in a
   * live mix: what is queued before they are heard. 0 to 500; 0.
   */
  latencyMs?: number | undefined;
  /**
   * The frame of the mix in which the first written frame lies, to the sample; until then the input is
   * silence that nobody waits for. What is written too late for it begins when it comes. A live stream
   * has its place by its times and cannot be given another. As soon as possible.
   */
  startFrame?: number | undefined;
}

/** @internal */
export interface MixerSide {
  changed(input: MixerInput): void;
  ended(input: MixerInput): void;
  closed(input: MixerInput, error: Error | null): void;
}

/** Counters of an input; those of a live stream or those of written bytes. */
export interface MixerInputStats {
  /** How fast the linked stream's clock runs against the mix's. */
  driftPpm?: number;
  /** How far it is from its place in time. */
  offsetUs?: number;
  /** Times that frames of linked streams came too late, and frames of silence mixed instead. */
  starvations?: number;
  starvedFrames?: number;
  /** Jumps because it was more than 200 ms out of place, in its first second more than 1 ms. */
  resyncs?: number;
  lostFrames?: number;
  writtenFrames?: number;
  playedFrames?: number;
  queuedFrames?: number;
  underruns?: number;
  underrunFrames?: number;
}

type Done = (error?: Error | null) => void;

/** One input of a {@link Mixer}: pipe one stream into it, or write to it. */
export class MixerInput extends Writable implements AudioStream, LinkTarget {
  /** @internal */
  static readonly [linkable] = true;
  readonly ready: Promise<this> = Promise.resolve(this);
  readonly #mixer: Mixer;
  readonly #side: MixerSide;
  readonly #native: NativeMixerInput;
  readonly #writer: FrameWriter;
  readonly #channelMap: ChannelMap | undefined;
  readonly #bufferMs: number | undefined;
  readonly #startFrame: number | undefined;
  #linked: { source: LinkSource; end: boolean } | undefined;
  #finishing: Done | undefined;
  #counted: Readonly<MixerInputStats> = {}; // of what is no longer linked, or of a closed input

  /** @internal Made by `Mixer.createInput()`. */
  constructor(mixer: Mixer, side: MixerSide, options: MixerInputOptions | undefined) {
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
    ]);
    const { gain = 1, pan = 0, muted = false, channelMap, bufferMs, signal } = given;
    const { latencyMs = 0, startFrame } = given;
    const format = given.format && checkFormat(given.format, 'options.format');
    checkNumber(gain, 'options.gain', 0, 16);
    checkNumber(pan, 'options.pan', -1, 1);
    checkBoolean(muted, 'options.muted');
    if (bufferMs !== undefined) checkNumber(bufferMs, 'options.bufferMs', 20, 60_000);
    if (channelMap !== undefined) {
      checkChannelMap(channelMap, 'options.channelMap', mixer.format.channels);
    }
    if (signal !== undefined) checkAbortSignal(signal, 'options.signal');
    checkNumber(latencyMs, 'options.latencyMs', 0, 500);
    if (startFrame !== undefined) {
      checkInteger(startFrame, 'options.startFrame', 0);
      const mixed = mixer.producer.position();
      if (startFrame < mixed) {
        const range = `>= ${mixed}, for what is before has been mixed`;
        throw outOfRange('options.startFrame', range, startFrame);
      }
    }
    super({ highWaterMark: 64 * 1024 });
    this.#mixer = mixer;
    this.#side = side;
    this.#channelMap = channelMap;
    this.#bufferMs = bufferMs;
    this.#startFrame = startFrame;
    this.#native = new (native().MixerInput)(
      mixer.producer,
      () => this.#attend(),
      startFrame ?? 0,
      latencyMs,
    );
    this.#native.setGain(gain, 0);
    this.#native.setPan(pan);
    this.#native.setMuted(muted);
    this.#writer = new FrameWriter(
      this,
      {
        openWritten: (settled) => {
          const frames = (ms: number): number => Math.ceil((ms * settled.sampleRate) / 1000);
          // Without a clock nobody plays while the fill is awaited: the mix itself waits.
          const fill = mixer.live ? frames(latencyMs) : 0;
          this.#native.openWritten(settled, frames(bufferMs ?? 500), this.#channelMap, fill);
          this.#side.changed(this);
        },
        write: (bytes) => this.#native.write(bytes),
        setPending: (more) => this.#native.setPending(more),
      },
      format,
    );
    if (signal) addAbortSignal(signal, this);
  }

  /** Of what flows in. @throws `ERR_AUDIO_FORMAT_UNKNOWN` until something does. */
  get format(): Readonly<AudioFormat> {
    const format = this.#linked?.source.format ?? this.#writer.format;
    if (!format) throw formatUnknown('MixerInput');
    return format;
  }

  /** Whether a live stream is linked to it. */
  get live(): boolean {
    return this.#linked !== undefined;
  }

  /** @internal The linked stream. */
  get linked(): LinkSource | undefined {
    return this.#linked?.source;
  }

  /** Frames mixed of what was written. */
  get position(): number {
    return this.stats().playedFrames ?? 0;
  }

  get [upstreams](): object[] {
    const source = this.#linked?.source ?? this.#writer.source;
    return source ? [source] : [];
  }

  /** Linear; reached after `rampMs` (10), so that it does not click. */
  setGain(gain: number, options?: { rampMs?: number }): void {
    checkNumber(gain, 'gain', 0, 16);
    const { rampMs = 10 } = checkOptions(options, 'setGain', ['rampMs']);
    checkNumber(rampMs, 'options.rampMs', 0, 60_000);
    const frames = Math.round((rampMs * this.#mixer.format.sampleRate) / 1000);
    this.#native.setGain(gain, frames);
  }

  /** -1 left, 0 centre, 1 right. */
  setPan(pan: number): void {
    this.#native.setPan(checkNumber(pan, 'pan', -1, 1));
  }

  setMuted(muted: boolean): void {
    this.#native.setMuted(checkBoolean(muted, 'muted'));
  }

  /** The time of a frame of what flows in: the linked stream's own. */
  timeAt(frame: number): bigint {
    return this.#timed().timeAt(frame);
  }

  frameAt(time: bigint): number {
    return this.#timed().frameAt(time);
  }

  stats(): Readonly<MixerInputStats> {
    return { ...this.#counted, ...this.#native.stats() };
  }

  /** Takes the input out of the mix at once. Resolves when it has closed. */
  close(): Promise<void> {
    if (!this.destroyed) this.destroy();
    return whenClosed(this);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Does nothing: an input keeps no process alive, the stream in it does. */
  ref(): this {
    return this;
  }

  /** Does nothing: an input keeps no process alive, the stream in it does. */
  unref(): this {
    return this;
  }

  /** @internal */
  readonly [linkTarget] = {
    connect: (source: LinkSource, end: boolean): string | undefined => {
      if (this.#linked || this.#writer.used) throw this.#second();
      if ((source as object) === this.#mixer || allUpstreams(source).has(this.#mixer)) {
        throw new AudioError(
          'ERR_AUDIO_GRAPH_CYCLE',
          `piping ${source.constructor.name} into this input would mix the mixer into itself`,
          { remedy: 'Send what is to come back through another Mixer without this input' },
        );
      }
      if (!source.live) return 'it is not live yet, so no clock drives it';
      if (this.#startFrame !== undefined) {
        throw unsupported(
          'a live stream in an input with a startFrame',
          'its times say where in the mix it lies',
        );
      }
      const { sampleRate } = source.format;
      this.#linked = { source, end };
      this.#native.link(
        source.producer,
        Math.ceil(((this.#bufferMs ?? 1000) * sampleRate) / 1000),
        this.#channelMap,
      );
      this.#side.changed(this);
      return undefined;
    },
    disconnect: (source: LinkSource): void => {
      if (this.#linked?.source !== source) return;
      this.#linked = undefined;
      this.#counted = this.#native.stats();
      this.#native.unlink();
      this.#side.changed(this);
    },
  };

  override write(chunk: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    this.#writer.note();
    return super.write(chunk, encoding as BufferEncoding, done);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#linked) return done(this.#second());
    this.#writer.write(chunk, done);
    this.#side.changed(this);
  }

  override _final(done: Done): void {
    const partial = this.#writer.partial();
    if (partial) return done(partial);
    if (this.#linked) {
      // Under pipeline() the source has ended; what it still has in the engine is mixed first. A
      // source that goes on is cut off.
      if (this.#linked.source.readableEnded) {
        this.#finishing = done;
      } else {
        this.#linked.source.unpipe(this);
        done();
      }
      return;
    }
    if (!this.#writer.used) return done();
    this.#native.end();
    this.#finishing = done;
    this.#side.changed(this);
  }

  /** @internal The mixer has mixed all of it. */
  settleEnd(): void {
    const done = this.#finishing;
    this.#finishing = undefined;
    done?.();
  }

  /** @internal There may be room for more. */
  retry(): void {
    this.#writer.retry();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const ended = this.writableFinished;
    this.#linked?.source.unpipe(this);
    this.#counted = this.stats();
    this.#native.remove();
    this.#writer.abandon(error);
    if (ended) this.#side.ended(this);
    this.#side.closed(this, error);
    done(error);
  }

  #attend(): void {
    for (const { type } of this.#native.takeEvents()) {
      if (type === 'lowWater') this.#writer.retry();
      else if (type === 'inputEnded') this.#inputEnded();
    }
  }

  #inputEnded(): void {
    const linked = this.#linked;
    if (this.#finishing) {
      this.settleEnd();
    } else if (linked) {
      linked.source.unpipe(this);
      if (linked.end) this.end();
    }
  }

  #second(): AudioError {
    return new AudioError('ERR_AUDIO_UNSUPPORTED', 'a second stream was given to one mixer input', {
      remedy: 'Give each stream an input of its own: Mixer.createInput()',
    });
  }

  #timed(): LinkSource {
    if (this.#linked) return this.#linked.source;
    throw unsupported('timeAt of an input without a live stream', 'written frames have no time');
  }
}
