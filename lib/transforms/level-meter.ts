import { callListeners } from '../engine/call-listeners.js';
import type { AudioFormat } from '../format/format.js';
import { linkable } from '../streams/links.js';
import { checkNumber, checkOptions } from '../validate.js';
import {
  AudioTransform,
  transformOptionNames,
  type FilterPlan,
  type TransformEvents,
  type TransformOptions,
} from './audio-transform.js';

/** Options of a {@link LevelMeter}. */
export interface LevelMeterOptions extends TransformOptions {
  /** The interval of the `level` event, in ms of audio, 10 to 10000. @default 100 */
  intervalMs?: number | undefined;
}

/** The levels that a {@link LevelMeter} measures; silence is `-Infinity`. */
export interface LevelReport {
  /** Frames that have passed through the meter. */
  frame: number;
  /** The highest sample of the last 100 ms, dBFS. */
  peakDb: number;
  /** RMS of all channels in the last 100 ms, dBFS relative to 1.0. */
  rmsDb: number;
  /** The true peak of the last 400 ms, which includes peaks between samples, in dBTP (ITU-R BS.1770-4, Annex 2). */
  truePeakDb: number;
  /** The highest true peak of everything that has passed, in dBTP. */
  maxTruePeakDb: number;
  /** Loudness of the last 400 ms, LUFS. */
  momentaryLufs: number;
  /** Loudness of the last 3 s, LUFS. */
  shortTermLufs: number;
  /** Gated loudness of everything that has passed, in LUFS (ITU-R BS.1770-4). */
  integratedLufs: number;
  /** Loudness range, in LU (EBU Tech 3342). */
  rangeLu: number;
  /** Peak and RMS of each channel. */
  channels: { peakDb: number; rmsDb: number }[];
}

/** Events of a {@link LevelMeter}, beside those of every Transform. */
export interface LevelMeterEvents extends TransformEvents {
  /** The present levels, every `intervalMs` of audio. */
  level: [report: LevelReport];
}

const silent: LevelReport = {
  frame: 0,
  peakDb: -Infinity,
  rmsDb: -Infinity,
  truePeakDb: -Infinity,
  maxTruePeakDb: -Infinity,
  momentaryLufs: -Infinity,
  shortTermLufs: -Infinity,
  integratedLufs: -Infinity,
  rangeLu: 0,
  channels: [],
};

/**
 * Passes audio through unchanged and measures its level and loudness. Samples that are not finite count as 0.
 *
 * @example
 * const meter = new LevelMeter();
 * meter.on('level', ({ peakDb, momentaryLufs }) => draw(peakDb, momentaryLufs));
 * mic.pipe(meter).pipe(mixer.createInput());
 */
export class LevelMeter extends AudioTransform<LevelMeterEvents> {
  /** @internal */
  static readonly [linkable] = true;
  readonly #intervalMs: number;

  /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`. */
  constructor(options?: LevelMeterOptions) {
    const given = checkOptions(options, 'LevelMeter', [...transformOptionNames, 'intervalMs']);
    const { intervalMs = 100 } = given;
    checkNumber(intervalMs, 'options.intervalMs', 10, 10_000);
    super(given);
    this.#intervalMs = intervalMs;
  }

  /** The present levels. */
  level(): LevelReport {
    const report = this.kernel?.report() as Omit<LevelReport, 'frame'> | undefined;
    return { ...silent, ...report, frame: this.stats().framesOut };
  }

  /** @internal */
  protected override plan(from: Readonly<AudioFormat>): FilterPlan {
    const progressFrames = Math.max(1, Math.round((this.#intervalMs * from.sampleRate) / 1000));
    return { kind: 'meter', to: from, options: {}, progressFrames };
  }

  /** @internal */
  protected override progressed(): void {
    callListeners(() => this.emit('level', this.level()));
  }
}
