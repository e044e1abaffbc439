import type { Readable } from 'node:stream';

import { callListeners } from '../engine/call-listeners.js';
import type { NativeProducer } from '../engine/native.js';
import { AudioError } from '../errors.js';
import { describeFormat, type AudioFormat } from '../format/format.js';
import type { AudioStream } from '../streams/audio-stream.js';
import {
  allUpstreams,
  isUnsubclassed,
  linkable,
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
   * What is to be taken out of the microphone: what the loudspeakers play, as a `LoopbackSource`, a
   * `ProcessSource`, a `Mixer` that a sink plays, or a `WavReader` beside a recording. Of any sample rate and
   * channels. It is only read: its other readers notice nothing. A live microphone takes a live reference.
   */
  reference: Readable & AudioStream;
  /**
   * What is done about the echo that the filter leaves over. `'off'`: nothing, and no delay is added; for a
   * transcriber that would rather have a faint echo than a touched voice. `'moderate'`: the rest of the echo goes, and
   * a voice beside it stays. `'high'`: less of the echo is left beside a voice, at the voice's expense.
   *
   * @default 'moderate'
   */
  suppression?: 'off' | 'moderate' | 'high' | undefined;
  /** How long the echo in the room is, ms, 20 to 500. More costs more. @default 200 */
  tailMs?: number | undefined;
  /**
   * How many channels of the reference have a filter of their own, 1 or 2. With 1 the reference is mixed to mono. That
   * loses nothing while one person talks, wherever the voice is panned. 2 is for music and for sounds that differ between left and
   * right, and takes about 1.6 times as long to compute. @default 1
   */
  referenceChannels?: number | undefined;
  /**
   * How long the microphone's audio waits for a reference that is late, where no device plays what comes out, ms, 0 to
   * 10000; for a loopback that delivers nothing while nothing plays, 100 at most. A device is given it sooner: see
   * `stats().reference.waitMs`. @default 500
   */
  maxWaitMs?: number | undefined;
}

/** What an {@link EchoCanceller} tells. */
export interface EchoCancellerStats extends TransformStats {
  /** Echo return loss enhancement: by how much the echo was lowered in the last second that had one, dB. */
  erleDb: number;
  /**
   * By how much the echo follows the reference, ms: the way of the sound and what the times of both streams do not say.
   * Below 0: the echo comes before its reference, by up to 10 ms that is made good.
   */
  delayMs: number;
  /** Whether the echo has been found. */
  converged: boolean;
  /** Whether somebody talks near the microphone while the reference sounds. */
  doubleTalk: boolean;
  /** How a live reference is read; of a link that is no more, its losses. */
  reference: {
    /** How fast its clock runs against the microphone's. */
    driftPpm?: number;
    /** How far it is from its place in time. */
    offsetUs?: number;
    /** How long the microphone's audio waits for it, ms. */
    waitMs?: number;
    /** Times that its frames came too late, and frames of silence that were read instead. */
    starvations?: number;
    /** Frames of silence that were read instead. */
    starvedFrames?: number;
    /** Jumps, because it was more than 200 ms out of place. */
    resyncs?: number;
    /** Its frames that were lost while the microphone stood still. */
    lostFrames?: number;
  };
}

/** Why an {@link EchoCanceller} may not do what it is for. */
export interface EchoWarning {
  /**
   * - `REFERENCE_UNRELATED`: for ten seconds both had sound, and none of the one was found in the other.
   * - `REFERENCE_ENDED`: nothing is cancelled any more.
   */
  code: 'REFERENCE_UNRELATED' | 'REFERENCE_ENDED';
  /** What is the matter, and what to do. */
  message: string;
}

/** Events of an {@link EchoCanceller}, beside those of every transform. */
export interface EchoCancellerEvents extends TransformEvents {
  /** The echo may stay. Once for each time that it begins. */
  warning: [warning: EchoWarning];
}

const referenceBufferMs = 2000;
const looksPerSecond = 2;
const unrelatedMs = 10_000;
/** The reference is given so much early: see docs/echo.md. */
const leadMs = 10;
/** With those of the reference a resampler takes 32. */
const mostChannels = 30;

/**
 * Takes out of a microphone what the loudspeakers play. Live streams are aligned by their times, whatever their clocks
 * do, and inside the engine; nothing needs to be told of delays. Each channel of the microphone has a filter of its own.
 * While the reference is silent, what comes out is what came in, bit for bit; 5 ms are held back.
 *
 * Two recordings that are not live are aligned by their first frames.
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
    return { ...super.stats(), erleDb, delayMs, converged, doubleTalk, reference };
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
        { remedy: 'Take fewer of them with a Resampler and its channelMap' },
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
        'Give it a LoopbackSource, a ProcessSource, a Mixer with a live input, or a transform of one of them',
      );
    }
    const played = allUpstreams(reference).add(reference);
    if (played.has(this)) {
      throw new AudioError(
        'ERR_AUDIO_GRAPH_CYCLE',
        `the ${name} that an EchoCanceller has as its reference comes out of the canceller itself`,
        { remedy: 'Give it a LoopbackSource of the output that plays' },
      );
    }
    const heard = allUpstreams(source, { heard: true }).add(source);
    for (const one of heard) {
      const same = [...played].find((other) => one === other || isSameMicrophone(one, other));
      if (same) throw feedback(source, reference, one);
    }
    this.#watchEnd(reference);
  }

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
          'Pipe a live microphone into the canceller, or give it a recording as reference',
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
    const unrelated = this.#report.unexplainedMs >= unrelatedMs;
    if (unrelated && !this.#unrelated) {
      this.#warn(
        'REFERENCE_UNRELATED',
        `the microphone has sound, and nothing of what ${this.#reference.constructor.name} plays was found in it: ` +
          'headphones are worn, or what is to be cancelled plays at another output',
      );
    }
    this.#unrelated = unrelated;
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#written?.close();
    this.#reference.off('close', this.#referenceEnded);
    super._destroy(error, done);
  }

  #watchEnd(reference: Readable): void {
    reference.off('close', this.#referenceEnded);
    if (reference.destroyed) process.nextTick(this.#referenceEnded);
    else reference.once('close', this.#referenceEnded);
  }

  readonly #referenceEnded = (): void => {
    if (this.#ended || this.destroyed) return;
    this.#ended = true;
    const { name } = this.#reference.constructor;
    this.#warn('REFERENCE_ENDED', `the ${name} whose sound was cancelled has ended`);
  };

  #warn(code: EchoWarning['code'], message: string): void {
    callListeners(() => this.emit('warning', { code, message }));
  }
}

function isAudioReadable(stream: unknown): stream is Readable & AudioStream {
  const { pipe, timeAt, stats } = (stream ?? {}) as Partial<Readable & AudioStream>;
  return typeof pipe === 'function' && typeof timeAt === 'function' && typeof stats === 'function';
}

function isLinkable(stream: object): stream is Linkable {
  return 'producer' in stream && isUnsubclassed(stream);
}

/** By shape: a source of the package's other build is one as well. */
function isSameMicrophone(one: object, other: object): boolean {
  const [a, b] = [one, other].map((stream) => (stream as { device?: Heard }).device);
  return a !== undefined && b !== undefined && a.id === b.id && a.flow === 'input';
}

interface Heard {
  id: string;
  flow: string;
}

function feedback(source: object, reference: object, common: object): AudioError {
  return new AudioError(
    'ERR_AUDIO_FEEDBACK',
    `the ${common.constructor.name} is in the microphone's path (${source.constructor.name}) and in the ` +
      `reference (${reference.constructor.name}): it would cancel itself`,
    {
      remedy:
        'Give the EchoCanceller as its reference what the loudspeakers play, without the microphone',
    },
  );
}
