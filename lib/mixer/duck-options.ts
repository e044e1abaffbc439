import type { NativeDuck, NativeMixerInput } from '../engine/native.js';
import { checkNumber, checkObject, checkOptions, invalidValue } from '../validate.js';

const optionNames = ['by', 'gainDb', 'attackMs', 'releaseMs', 'thresholdDb'] as const;

const linear = (db: number): number => 10 ** (db / 20);

// How long the level stays low during the pauses between words.
const holdMs = 250;

/**
 * Checks the options and converts them for the engine.
 *
 * @param engineOf returns the engine's part of an open input of this mixer, and undefined for any other value.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
 */
export function checkDuck(
  value: unknown,
  sampleRate: number,
  engineOf: (input: unknown) => NativeMixerInput | undefined,
): NativeDuck {
  const frames = (ms: number): number => Math.round((ms * sampleRate) / 1000);
  const given = checkOptions(
    checkObject(value, 'options.duck') as { [option in (typeof optionNames)[number]]?: unknown },
    'duck',
    optionNames,
    'options.duck',
  );
  const { by, gainDb, attackMs = 20, releaseMs = 400, thresholdDb = -45 } = given;
  const gain = linear(checkNumber(gainDb, 'options.duck.gainDb', -96, 0));
  const attackFrames = frames(checkNumber(attackMs, 'options.duck.attackMs', 0, 10_000));
  const releaseFrames = frames(checkNumber(releaseMs, 'options.duck.releaseMs', 0, 60_000));
  const threshold = linear(checkNumber(thresholdDb, 'options.duck.thresholdDb', -96, 0));
  const engine = engineOf(by);
  if (!engine) {
    throw invalidValue('options.duck.by', by, 'must be an open input of the same mixer');
  }
  return { by: engine, gain, threshold, attackFrames, holdFrames: frames(holdMs), releaseFrames };
}
