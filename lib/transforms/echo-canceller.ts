import type { Readable } from 'node:stream';

import type { AudioDevice } from '../devices/devices.js';
import { ElsewhereWatch } from '../devices/elsewhere-watch.js';
import type { Granted } from '../devices/open-options.js';
import { callListeners } from '../engine/call-listeners.js';
import type { NativeHost, NativeProducer } from '../engine/native.js';
import { AudioError } from '../errors.js';
import { describeFormat, type AudioFormat } from '../format/format.js';
import type { AudioStream } from '../streams/audio-stream.js';
import {
  allUpstreams,
  isUnsubclassed,
  linkable,
  readInTime,
  unheard,
  upstreams,
  type Linkable,
  type LinkSource,
} from '../streams/links.js';
import {
  checkInteger,
  checkNumber,
  checkOneOf,
  checkOptions,
  invalidType,
  unsupported,
} from '../validate.js';
import {
  AudioTransform,
  transformOptionNames,
  type FilterPlan,
  type TransformEvents,
  type TransformOptions,
  type TransformStats,
} from './audio-transform.js';
import { WrittenReference } from './written-reference.js';

/** Options of an {@link EchoCanceller}. */
export interface EchoCancellerOptions extends TransformOptions {
  /**
   * The stream of what the loudspeakers play, whose echo is removed from the microphone: a `LoopbackSource`, a
   * `ProcessSource`, a `Mixer` that a sink plays, or, for a recording, a `WavReader`. It may have any sample rate and any
   * number of channels. The canceller reads it independently of its other readers. A live microphone needs a live
   * reference.
   */
  reference: Readable & AudioStream;
  /**
   * How to suppress the echo that the filter leaves.
   *
   * - `'off'`: no suppression and no added delay. Use it if an unchanged voice matters more than a faint echo, as for a
   *   transcriber.
   * - `'moderate'`: suppresses the rest of the echo, and keeps a voice beside it.
   * - `'high'`: leaves less echo beside a voice, and attenuates the voice too.
   *
   * @default 'moderate'
   */
  suppression?: 'off' | 'moderate' | 'high' | undefined;
  /** The length of the echo in the room, in ms, 20 to 500. A larger value costs more processor time. @default 200 */
  tailMs?: number | undefined;
  /**
   * How many channels of the reference have their own filter, 1 or 2. With 1 the reference is mixed to mono. This loses
   * nothing while one person talks, wherever the voice is panned. Use 2 for music and for sounds that differ between left
   * and right. It takes about 1.6 times as long to compute. @default 1
   */
  referenceChannels?: number | undefined;
  /**
   * How long the microphone's audio waits for a late reference if no device plays the output, in ms, 0 to 10000. For a
   * loopback that delivers nothing while nothing plays, the wait is at most 100 ms. A device gets the audio sooner: see
   * `stats().reference.waitMs`. @default 500
   */
  maxWaitMs?: number | undefined;
}

/** Counters of an {@link EchoCanceller}. */
export interface EchoCancellerStats extends TransformStats {
  /** Echo return loss enhancement: the attenuation of the echo in the last second that had one, in dB. */
  erleDb: number;
  /**
   * The delay of the echo behind the reference, in ms: the path of the sound, and delays that the times of the two
   * streams do not include. If it is negative, the echo comes before its reference; up to 10 ms of that are
   * compensated.
   */
  delayMs: number;
  /** Whether the echo has been found. */
  converged: boolean;
  /** Whether somebody talks near the microphone while the reference sounds. */
  doubleTalk: boolean;
  /**
   * Whether the system cancels the echo of the microphone itself, see `granted.echoCancellation` of the source. In that
   * case the canceller passes the audio on unchanged.
   */
  cancelledBySystem: boolean;
  /** Counters of the link to a live reference. After the end of the link they contain its losses. */
  reference: {
    /** How much faster than the microphone's clock its clock runs, in ppm. Negative if it is slower. */
    driftPpm?: number;
    /** How far it is from its position in time, in microseconds. */
    offsetUs?: number;
    /** How long the microphone's audio waits for it, in ms. */
    waitMs?: number;
    /** How often its frames arrived too late. */
    starvations?: number;
    /** Frames of silence that replaced late ones. */
    starvedFrames?: number;
    /** How often it jumped to its position, because it was more than 200 ms off. */
    resyncs?: number;
    /** Frames of it that were lost while the microphone delivered nothing. */
    lostFrames?: number;
  };
}

/** The reason why an {@link EchoCanceller} may not remove the echo. */
export interface EchoWarning {
  /**
   * - `REFERENCE_UNRELATED`: for ten seconds both streams had sound, and the microphone contained nothing of the
   *   reference.
   * - `REFERENCE_ENDED`: the reference has ended, so no echo is removed any more.
   */
  code: 'REFERENCE_UNRELATED' | 'REFERENCE_ENDED';
  /**
   * Other outputs than the recorded one, at which programs play, as in the event `elsewhere` of a `LoopbackSource`. Empty
   * unless the code is `REFERENCE_UNRELATED` and the reference contains a `LoopbackSource`.
   */
  devices: AudioDevice[];
  /** The cause and what to do about it. */
  message: string;
}

/** Events of an {@link EchoCanceller}, beside those of every transform. */
export interface EchoCancellerEvents extends TransformEvents {
  /** The echo may stay. Emitted once each time that this begins. */
  warning: [warning: EchoWarning];
}

const referenceBufferMs = 5000;
const looksPerSecond = 2;
const unrelatedMs = 10_000;
/** After this time it looks at the other outputs, so that it does not miss a program whose voice pauses. */
const suspiciousMs = 5000;
/** How much earlier the kernel gets the reference: see docs/echo.md. */
const leadMs = 10;
/** A resampler takes 32 channels, including those of the reference. */
const mostChannels = 30;

/**
 * Removes from a microphone the sound that the loudspeakers play. The engine aligns live streams by their times, even if
 * their clocks differ, so no delay needs to be set. Each channel of the microphone has its own filter. While the
 * reference is silent, the output equals the input bit for bit. The canceller adds 5 ms of delay.
 *
 * The first frames of two recordings are aligned.
 *
 * @example
 * const mic = new MicSource();
 * const canceller = new EchoCanceller({ reference: new LoopbackSource() });
 * mic.pipe(canceller).pipe(new VirtualMicSink({ name: 'Hands-free' }));
 */
export class EchoCanceller extends AudioTransform<EchoCancellerEvents> {
  /** @internal */
  static readonly [linkable] = true;
  readonly #reference: Readable & AudioStream;
  readonly #options: Required<
    Pick<EchoCancellerOptions, 'suppression' | 'tailMs' | 'referenceChannels' | 'maxWaitMs'>
  >;
  #written: WrittenReference | undefined;
  /** The sources in the path of the microphone. */
  #microphones: Heard[] = [];
  #cancels = true;
  #elsewhere: ElsewhereWatch | undefined;
  #leaveReference: (() => void) | undefined;
  #othersPlay: AudioDevice[] = [];
  #unrelated = false;
  #ended = false;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`. `pipe()` into it throws
   *   `ERR_AUDIO_FEEDBACK` if microphone and reference come from the same stream or the same device,
   *   `ERR_AUDIO_GRAPH_CYCLE` if the reference comes out of the canceller, and `ERR_AUDIO_UNSUPPORTED` if only one of
   *   the two is live.
   */
  constructor(options: EchoCancellerOptions) {
    const given = checkOptions(options, 'EchoCanceller', [
      ...transformOptionNames,
      'reference',
      'suppression',
      'tailMs',
      'referenceChannels',
      'maxWaitMs',
    ]);
    const { reference, suppression = 'moderate', tailMs = 200 } = given;
    const { referenceChannels = 1, maxWaitMs = 500 } = given;
    if (!isAudioReadable(reference)) {
      throw invalidType('options.reference', 'an AudioReadable or an AudioTransform', reference);
    }
    checkOneOf(suppression, 'options.suppression', ['off', 'moderate', 'high']);
    checkNumber(tailMs, 'options.tailMs', 20, 500);
    checkInteger(referenceChannels, 'options.referenceChannels', 1, 2);
    checkNumber(maxWaitMs, 'options.maxWaitMs', 0, 10_000);
    super(given);
    this.#reference = reference;
    this.#options = { suppression, tailMs, referenceChannels, maxWaitMs };
  }

  override stats(): Readonly<EchoCancellerStats> {
    const { erleDb, delayMs, converged, doubleTalk, reference } = this.#report;
    const cancelledBySystem = !this.#cancels;
    return {
      ...super.stats(),
      erleDb,
      delayMs,
      converged,
      doubleTalk,
      cancelledBySystem,
      reference,
    };
  }

  get #report(): Pick<
    EchoCancellerStats,
    'erleDb' | 'delayMs' | 'converged' | 'doubleTalk' | 'reference'
  > & { unexplainedMs: number } {
    return {
      erleDb: 0,
      delayMs: 0,
      converged: false,
      doubleTalk: false,
      reference: {},
      unexplainedMs: 0,
      ...this.kernel?.report(),
    };
  }

  /** @internal */
  override get [upstreams](): object[] {
    return [...super[upstreams], this.#reference];
  }

  /** @internal */
  get [unheard](): object[] {
    return [this.#reference];
  }

  /** @internal */
  protected override plan(from: Readonly<AudioFormat>): FilterPlan {
    if (from.channels > mostChannels) {
      throw new AudioError(
        'ERR_AUDIO_FORMAT_UNSUPPORTED',
        `an EchoCanceller takes at most ${mostChannels} channels, not ${describeFormat(from)}`,
        { remedy: 'Select fewer channels with a Resampler and its channelMap' },
      );
    }
    const progressFrames = Math.round(from.sampleRate / looksPerSecond);
    return { kind: 'echo', to: from, options: this.#options, progressFrames };
  }

  /** @internal */
  protected override checkLink(source: LinkSource): void {
    const reference = this.#reference as LinkSource;
    const { name } = reference.constructor;
    if (!reference.live || !isLinkable(reference)) {
      throw unsupported(
        `a ${name} as the reference of a live microphone`,
        reference.live ? 'it is a subclass' : 'it is not live, so its frames have no times',
        'Use a LoopbackSource, a ProcessSource, a Mixer with a live input, or a transform of one of them',
      );
    }
    const played = allUpstreams(reference).add(reference);
    if (played.has(this)) {
      throw new AudioError(
        'ERR_AUDIO_GRAPH_CYCLE',
        `the reference of an EchoCanceller, a ${name}, comes from the output of the canceller itself`,
        { remedy: 'Use a LoopbackSource of the output that plays as the reference' },
      );
    }
    const heard = allUpstreams(source, { heard: true }).add(source);
    for (const one of heard) {
      const same = [...played].find((other) => one === other || isSameMicrophone(one, other));
      if (same) throw feedback(source, reference, one);
    }
    this.#watchEnd(reference);
    this.#leaveReference?.();
    this.#leaveReference = (reference as { [readInTime]?(): () => void })[readInTime]?.();
    this.#microphones = [...heard].filter((stream): stream is Heard => 'granted' in stream);
    for (const { ready } of this.#microphones) ready.then(this.#lookAtSystem, () => {});
  }

  // The microphone may change while the stream runs. A mix may contain microphones whose echo the system does not
  // cancel.
  readonly #lookAtSystem = (): void => {
    const [all, count] = [this.#microphones, this.#microphones.length];
    this.#cancels = count === 0 || !all.every(({ granted }) => granted?.echoCancellation === true);
    this.kernel?.setCancelling(this.#cancels);
  };

  /** @internal */
  protected override get reference(): { producer: NativeProducer; bufferFrames: number } {
    const { producer, format } = this.#reference as LinkSource;
    return { producer, bufferFrames: Math.ceil((format.sampleRate * referenceBufferMs) / 1000) };
  }

  /** @internal */
  protected override readReference(frames: number): Promise<Float32Array> {
    if (!this.#written) {
      const reference = this.#reference;
      if (reference.live) {
        const error = unsupported(
          `a live ${reference.constructor.name} as the reference of written bytes`,
          'written bytes have no times',
          'Pipe a live microphone into the canceller, or use a recording as the reference',
        );
        return Promise.reject(error);
      }
      const { sampleRate } = this.format;
      this.#written = new WrittenReference(
        reference,
        sampleRate,
        this.#options.referenceChannels,
        Math.round((sampleRate * leadMs) / 1000),
      );
    }
    return this.#written.read(frames);
  }

  /** @internal */
  protected override progressed(): void {
    this.#lookAtSystem();
    const { unexplainedMs } = this.#report;
    this.#watchOthers(unexplainedMs >= suspiciousMs);
    const unrelated = unexplainedMs >= unrelatedMs;
    if (unrelated && !this.#unrelated) {
      const names = this.#othersPlay.map(({ name }) => `'${name}'`).join(' and ');
      this.#warn(
        'REFERENCE_UNRELATED',
        `the microphone contains nothing of the sound of the ${this.#reference.constructor.name}: ` +
          (names
            ? `programs play at ${names}, which it does not record`
            : 'the user wears headphones, or the sound plays on another output'),
        this.#othersPlay,
      );
    }
    this.#unrelated = unrelated;
  }

  #watchOthers(wanted: boolean): void {
    if (!wanted) {
      this.#elsewhere?.stop();
      this.#elsewhere = undefined;
      this.#othersPlay = [];
      return;
    }
    if (this.#elsewhere) return;
    const played = [this.#reference, ...allUpstreams(this.#reference)] as Partial<Heard>[];
    const loopback = played.find(({ device, host }) => device?.flow === 'output' && host);
    if (!loopback) return;
    this.#elsewhere = new ElsewhereWatch(
      loopback.host as NativeHost,
      () => loopback.device?.id,
      () => this.#elsewhere !== undefined && !this.destroyed,
      (devices) => (this.#othersPlay = devices),
    );
    this.#elsewhere.start();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#written?.close();
    this.#elsewhere?.stop();
    this.#reference.off('close', this.#referenceEnded);
    this.#leaveReference?.();
    super._destroy(error, done);
  }

  #watchEnd(reference: Readable): void {
    reference.off('close', this.#referenceEnded);
    if (reference.destroyed) process.nextTick(this.#referenceEnded);
    else reference.prependOnceListener('close', this.#referenceEnded);
  }

  readonly #referenceEnded = (): void => {
    if (this.#ended || this.destroyed) return;
    this.#ended = true;
    const { name } = this.#reference.constructor;
    this.#warn('REFERENCE_ENDED', `the ${name} whose sound was cancelled has ended`);
  };

  #warn(code: EchoWarning['code'], message: string, devices: AudioDevice[] = []): void {
    callListeners(() => this.emit('warning', { code, message, devices }));
  }
}

function isAudioReadable(stream: unknown): stream is Readable & AudioStream {
  const { pipe, timeAt, stats } = (stream ?? {}) as Partial<Readable & AudioStream>;
  return typeof pipe === 'function' && typeof timeAt === 'function' && typeof stats === 'function';
}

function isLinkable(stream: object): stream is Linkable {
  return 'producer' in stream && isUnsubclassed(stream);
}

/** Compares by shape, because a source may come from the package's other build. */
function isSameMicrophone(one: object, other: object): boolean {
  const [a, b] = [one, other].map((stream) => (stream as Heard).device);
  return a !== undefined && b !== undefined && a.id === b.id && a.flow === 'input';
}

/** The part of a source that a canceller uses. */
interface Heard {
  readonly device?: AudioDevice | undefined;
  readonly granted?: Readonly<Granted> | undefined;
  readonly host?: NativeHost | undefined;
  readonly ready: Promise<unknown>;
}

function feedback(source: object, reference: object, common: object): AudioError {
  return new AudioError(
    'ERR_AUDIO_FEEDBACK',
    `the ${common.constructor.name} is in the microphone's path (${source.constructor.name}) and in the ` +
      `reference (${reference.constructor.name}), so it would cancel itself`,
    {
      remedy: 'Use a reference that contains what the loudspeakers play, without the microphone',
    },
  );
}
