import type { NativeDuck, NativeMixerInput } from '../engine/native.js';
import { checkNumber, checkObject, checkOptions, invalidValue } from '../validate.js';
import type { MixerInput } from './mixer-input.js';

/** How an input of a mix is lowered while another one sounds. */
export interface DuckOptions {
  /** The input that lowers this one while it sounds. It was created earlier, by the same mixer. */
  by: MixerInput;
  /** What the level changes by, dB, -96 to 0. */
  gainDb: number;
  /** How long the level takes to fall, ms, 0 to 10000. @default 20 */
  attackMs?: number | undefined;
  /** How long the level takes to rise again, ms, 0 to 60000. @default 400 */
  releaseMs?: number | undefined;
  /** The peak, dBFS, above which the other input sounds, -96 to 0. @default -45 */
  thresholdDb?: number | undefined;
}

// Speech pauses between words: the level stays low for so long.
const holdMs = 250;

/**
 * Checks the options and translates them for the engine.
 *
 * @param engineOf the engine's side of an open input of this mixer; undefined for any other.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
 */
export function checkDuck(
  value: unknown,
  sampleRate: number,
  engineOf: (input: unknown) => NativeMixerInput | undefined,
): NativeDuck {
  const given = checkOptions(
    checkObject(value, 'options.duck') as DuckOptions,
    'duck',
    ['by', 'gainDb', 'attackMs', 'releaseMs', 'thresholdDb'],
    'options.duck',
  );
  const { by, gainDb, attackMs = 20, releaseMs = 400, thresholdDb = -45 } = given;
  checkNumber(gainDb, 'options.duck.gainDb', -96, 0);
  checkNumber(attackMs, 'options.duck.attackMs', 0, 10_000);
  checkNumber(releaseMs, 'options.duck.releaseMs', 0, 60_000);
  checkNumber(thresholdDb, 'options.duck.thresholdDb', -96, 0);
  const engine = engineOf(by);
  if (!engine) {
    throw invalidValue('options.duck.by', by, 'must be an open input of the same mixer');
  }
  const frames = (ms: number): number => Math.round((ms * sampleRate) / 1000);
  return {
    by: engine,
    gain: 10 ** (gainDb / 20),
    threshold: 10 ** (thresholdDb / 20),
    attackFrames: frames(attackMs),
    holdFrames: frames(holdMs),
    releaseFrames: frames(releaseMs),
  };
}
