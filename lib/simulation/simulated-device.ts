import type { DeviceRole, DeviceState } from '../devices/devices.js';
import type { DeviceScripts, NativeWorld } from '../engine/native.js';
import { fromNative } from '../errors.js';
import { checkFormat, defaultFormat, type AudioFormat } from '../format/format.js';
import {
  checkBoolean,
  checkInteger,
  checkNumber,
  checkObject,
  checkOneOf,
  checkOptions,
  checkString,
  checkText,
} from '../validate.js';
import { checkSignal, type Signal } from './signal.js';
import { throwIfFailed } from './world-error.js';

/** What the system tells of a device's driver; names and descriptions people can change, these they cannot. */
export interface SimulatedOrigin {
  /** What the driver calls itself, `VB-Audio Virtual Cable`. */
  maker?: string;
  /** `VBAudioVACWDM`. */
  hardwareId?: string;
  /** `VBAudioVACMME`, `snd_aloop`. */
  service?: string;
  /** The same for all ends of one installed device. */
  parent?: string;
  /** Which of a loopback card's devices: `0` and `1` are joined. */
  end?: string;
}

/** A device of a simulated world. */
export interface SimulatedDeviceOptions {
  /** Names the device in the world. */
  id: string;
  /** What the system calls it. @default the id */
  name?: string;
  /** Microphone or loudspeaker. */
  flow: 'input' | 'output';
  /** What the device runs at. @default 48000 Hz, 2 channels, `'f32'` */
  format?: AudioFormat;
  /** How often it delivers or asks, in frames. @default 10 ms */
  periodFrames?: number;
  /** Whether it is the default of programs. @default false */
  defaultConsole?: boolean;
  /** Whether it is the default for calls. @default false */
  defaultCommunications?: boolean;
  /** How much faster than the host its clock runs, ppm. @default 0 */
  driftPpm?: number;
  /** How long before the world began its counter was 0, ms. @default 0 */
  phaseMs?: number;
  /** Whether there is no hardware behind it. @default false */
  virtual?: boolean;
  /** Whether it can be used, or why not. @default 'active' */
  state?: DeviceState;
  /** Whether an output with nothing to play delivers silent packets to its loopbacks. @default false */
  idleSilence?: boolean;
  /** What the system tells of its driver. @default nothing */
  origin?: SimulatedOrigin;
}

/** An output and the input that hears it, on one clock. */
export interface SimulatedCableOptions {
  /** Names the output. */
  renderId: string;
  /** What the system calls the output. @default its id */
  renderName?: string;
  /** Names the input. */
  captureId: string;
  /** What the system calls the input. @default its id */
  captureName?: string;
  /** What both ends run at. @default 48000 Hz, 2 channels, `'f32'` */
  format?: AudioFormat;
  /** How often it delivers and asks, in frames. @default 10 ms */
  periodFrames?: number;
  /** How much faster than the host its clock runs, ppm. @default 0 */
  driftPpm?: number;
  /** What the system tells of the driver of the output. @default nothing */
  renderOrigin?: SimulatedOrigin;
  /** What the system tells of the driver of the input. @default nothing */
  captureOrigin?: SimulatedOrigin;
  /** Whether the system does not say that the two ends are one cable, as Windows does not. @default false */
  hidesPair?: boolean;
}

const states = ['active', 'disabled', 'notPresent', 'unplugged'] as const;
const roles = ['console', 'communications'] as const;
const longestMs = 1e9;

const deviceOptions = {
  id: checkString,
  name: checkString,
  flow: (value: unknown, name: string) => checkOneOf(value, name, ['input', 'output']),
  format: checkFormat,
  periodFrames: (value: unknown, name: string) => checkInteger(value, name, 1, 384_000),
  defaultConsole: checkBoolean,
  defaultCommunications: checkBoolean,
  driftPpm: (value: unknown, name: string) => checkNumber(value, name, -100_000, 100_000),
  phaseMs: (value: unknown, name: string) => checkNumber(value, name, -longestMs, longestMs),
  virtual: checkBoolean,
  state: (value: unknown, name: string) => checkOneOf(value, name, states),
  idleSilence: checkBoolean,
  origin: checkOrigin,
};

const cableOptions = {
  renderId: checkString,
  renderName: checkString,
  captureId: checkString,
  captureName: checkString,
  format: checkFormat,
  periodFrames: deviceOptions.periodFrames,
  driftPpm: deviceOptions.driftPpm,
  renderOrigin: checkOrigin,
  captureOrigin: checkOrigin,
  hidesPair: checkBoolean,
};

function checkOrigin(value: unknown, name: string): void {
  const known = ['maker', 'hardwareId', 'service', 'parent', 'end'] as const;
  const origin = checkOptions(value as SimulatedOrigin, 'an origin', known, name);
  for (const [key, text] of Object.entries(origin)) checkText(text, `${name}.${key}`);
}

function checkAll(
  options: object,
  owner: string,
  checks: Readonly<Record<string, (value: unknown, name: string) => unknown>>,
  required: readonly string[],
  name: string,
): void {
  checkOptions(checkObject(options, name), owner, Object.keys(checks) as never[], name);
  const given = options as Record<string, unknown>;
  for (const [key, check] of Object.entries(checks)) {
    if (given[key] !== undefined || required.includes(key)) check(given[key], `${name}.${key}`);
  }
}

/** The engine's description of a device. */
export function describeDevice(options: SimulatedDeviceOptions, name: string): object {
  checkAll(options, 'a simulated device', deviceOptions, ['id', 'flow'], name);
  return { ...options, format: options.format ?? defaultFormat };
}

/** The engine's description of a cable. */
export function describeCable(options: SimulatedCableOptions, name: string): object {
  checkAll(options, 'a simulated cable', cableOptions, ['renderId', 'captureId'], name);
  return { ...options, format: options.format ?? defaultFormat };
}

/** What a simulated output played. */
export interface Recording {
  /** Interleaved. */
  data: Float32Array;
  /** The format of `data`. */
  format: AudioFormat;
  /** Where a stream that was playing had not delivered. */
  gaps: { frame: number; frames: number }[];
  /** The bound of `record()` was reached. */
  full: boolean;
}

/**
 * One device of a {@link SimulatedAudio}: what happens to it. Everything takes effect at the world's
 * present instant.
 */
export class SimulatedDevice {
  /** The id of the device. */
  readonly id: string;
  readonly #world: NativeWorld;

  /** @internal */
  constructor(world: NativeWorld, id: string) {
    this.#world = world;
    this.id = id;
  }

  /**
   * A program plays on an output, or a sound is made before a microphone; one for each program.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  play(signal: Signal, options?: { program?: string }): this {
    const { program = '' } = checkOptions(options, 'play()', ['program']);
    checkText(program, 'options.program');
    throwIfFailed(this.#world.play(this.id, checkSignal(signal, 'signal'), program));
    return this;
  }

  /**
   * Without a program: all of them.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  stop(program?: string): this {
    if (program !== undefined) checkText(program, 'program');
    throwIfFailed(this.#world.stop(this.id, program));
    return this;
  }

  /**
   * Begins to keep what the output plays, up to `maxMs` (an hour).
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  record(options?: { maxMs?: number; sampleRate?: number }): this {
    const given = checkOptions(options, 'record()', ['maxMs', 'sampleRate']);
    const { maxMs = 3_600_000, sampleRate = 48000 } = given;
    checkNumber(maxMs, 'options.maxMs', 1, 1e9);
    checkInteger(sampleRate, 'options.sampleRate', 8000, 384_000);
    const frames = Math.ceil((maxMs * sampleRate) / 1000);
    throwIfFailed(this.#world.record(this.id, frames));
    return this;
  }

  /**
   * What it played since `record()`.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` before `record()`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  recorded(): Recording {
    const answer = this.#world.recorded(this.id);
    if ('code' in answer) throw fromNative(answer);
    return answer;
  }

  /** It goes; open streams of it wait for its return, see `recover`. */
  unplug(): this {
    return this.#script('unplug');
  }

  /** It comes back. */
  plug(): this {
    return this.#script('plug');
  }

  /** It is removed from the system for good. */
  remove(): this {
    return this.#script('removeDevice');
  }

  /**
   * It goes into another state.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  setState(state: DeviceState): this {
    return this.#script('setState', checkOneOf(state, 'state', states));
  }

  /**
   * It becomes the default device.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  setDefault(role: DeviceRole = 'console'): this {
    return this.#script('setDefault', checkOneOf(role, 'role', roles));
  }

  /**
   * It runs at another format from now on.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  setFormat(format: AudioFormat): this {
    return this.#script('setFormat', checkFormat(format, 'format'));
  }

  /**
   * From now on it runs that much faster than the host's clock.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  drift(ppm: number): this {
    return this.#script('drift', checkNumber(ppm, 'ppm', -100_000, 100_000));
  }

  /**
   * Opening it is `ERR_AUDIO_PERMISSION_DENIED`.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  deny(denied = true): this {
    return this.#script('deny', checkBoolean(denied, 'denied'));
  }

  /**
   * It goes on delivering, but zeros; its own meter goes on hearing, so streams of it are `dead`.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  die(dead = true): this {
    return this.#script('die', checkBoolean(dead, 'dead'));
  }

  /**
   * The system mutes it, or no longer.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  mute(muted = true): this {
    return this.#script('mute', checkBoolean(muted, 'muted'));
  }

  /**
   * Linear, 0 to 1.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  volume(volume: number): this {
    return this.#script('volume', checkNumber(volume, 'volume', 0, 1));
  }

  /**
   * The system loses the next frames.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  glitch(frames: number): this {
    return this.#script('glitch', checkInteger(frames, 'frames', 0));
  }

  /** It delivers nothing until `resume()`. */
  stall(): this {
    return this.#script('stall');
  }

  /** It delivers again. */
  resume(): this {
    return this.#script('resume');
  }

  /**
   * Its next delivery is late: several packets come at once.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  late(ms: number): this {
    return this.#script('late', checkNumber(ms, 'ms', 0, longestMs));
  }

  /**
   * What it captures in the next `ms`, 10,000 at most, is delivered together at their end, without a loss:
   * as of a sound server that is held up. What it plays is not concerned.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  delay(ms: number): this {
    return this.#script('delay', checkNumber(ms, 'ms', 0, 10_000));
  }

  /**
   * Every delivery is late by up to so much.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  jitter(upToMs: number): this {
    return this.#script('jitter', checkNumber(upToMs, 'upToMs', 0, longestMs));
  }

  /**
   * What is added to its time stamps; null: they are flagged as wrong.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  stamps(offsetMs: number | null, jitterMs = 0): this {
    if (offsetMs !== null) checkNumber(offsetMs, 'offsetMs', -longestMs, longestMs);
    checkNumber(jitterMs, 'jitterMs', 0, longestMs);
    return this.#script('stamps', offsetMs, jitterMs);
  }

  #script<Verb extends keyof DeviceScripts>(verb: Verb, ...values: DeviceScripts[Verb]): this {
    throwIfFailed(this.#world.script(verb, this.id, ...values));
    return this;
  }
}
