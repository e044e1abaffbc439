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
  id: string;
  /** The id, unless given. */
  name?: string;
  flow: 'input' | 'output';
  format?: AudioFormat;
  /** How often it delivers or asks; 10 ms. */
  periodFrames?: number;
  defaultConsole?: boolean;
  defaultCommunications?: boolean;
  /** Above 0 it runs fast. */
  driftPpm?: number;
  /** How long before the world began its counter was 0. */
  phaseMs?: number;
  virtual?: boolean;
  state?: DeviceState;
  /** An output with nothing to play delivers silent packets to its loopbacks, not none. */
  idleSilence?: boolean;
  origin?: SimulatedOrigin;
}

/** An output and the input that hears it, on one clock. */
export interface SimulatedCableOptions {
  renderId: string;
  renderName?: string;
  captureId: string;
  captureName?: string;
  format?: AudioFormat;
  periodFrames?: number;
  driftPpm?: number;
  renderOrigin?: SimulatedOrigin;
  captureOrigin?: SimulatedOrigin;
  /** The system does not say that the two ends are one cable, as Windows does not. */
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
  readonly id: string;
  readonly #world: NativeWorld;

  /** @internal */
  constructor(world: NativeWorld, id: string) {
    this.#world = world;
    this.id = id;
  }

  /** A program plays on an output, or a sound is made before a microphone; one for each program. */
  play(signal: Signal, options?: { program?: string }): this {
    const { program = '' } = checkOptions(options, 'play()', ['program']);
    checkText(program, 'options.program');
    throwIfFailed(this.#world.play(this.id, checkSignal(signal, 'signal'), program));
    return this;
  }

  /** Without a program: all of them. */
  stop(program?: string): this {
    if (program !== undefined) checkText(program, 'program');
    throwIfFailed(this.#world.stop(this.id, program));
    return this;
  }

  /** Begins to keep what the output plays, up to `maxMs` (an hour). */
  record(options?: { maxMs?: number; sampleRate?: number }): this {
    const given = checkOptions(options, 'record()', ['maxMs', 'sampleRate']);
    const { maxMs = 3_600_000, sampleRate = 48000 } = given;
    checkNumber(maxMs, 'options.maxMs', 1, 1e9);
    checkInteger(sampleRate, 'options.sampleRate', 8000, 384_000);
    const frames = Math.ceil((maxMs * sampleRate) / 1000);
    throwIfFailed(this.#world.record(this.id, frames));
    return this;
  }

  /** What it played since `record()`. */
  recorded(): Recording {
    const answer = this.#world.recorded(this.id);
    if ('code' in answer) throw fromNative(answer);
    return answer;
  }

  /** It goes; open streams of it wait for its return, see `recover`. */
  unplug(): this {
    return this.#script('unplug');
  }

  plug(): this {
    return this.#script('plug');
  }

  /** It is removed from the system for good. */
  remove(): this {
    return this.#script('removeDevice');
  }

  setState(state: DeviceState): this {
    return this.#script('setState', checkOneOf(state, 'state', states));
  }

  setDefault(role: DeviceRole = 'console'): this {
    return this.#script('setDefault', checkOneOf(role, 'role', roles));
  }

  setFormat(format: AudioFormat): this {
    return this.#script('setFormat', checkFormat(format, 'format'));
  }

  /** From now on it runs that much faster than the host's clock. */
  drift(ppm: number): this {
    return this.#script('drift', checkNumber(ppm, 'ppm', -100_000, 100_000));
  }

  /** Opening it is `ERR_AUDIO_PERMISSION_DENIED`. */
  deny(denied = true): this {
    return this.#script('deny', checkBoolean(denied, 'denied'));
  }

  /** It goes on delivering, but zeros; its own meter goes on hearing, so streams of it are `dead`. */
  die(dead = true): this {
    return this.#script('die', checkBoolean(dead, 'dead'));
  }

  mute(muted = true): this {
    return this.#script('mute', checkBoolean(muted, 'muted'));
  }

  /** Linear, 0 to 1. */
  volume(volume: number): this {
    return this.#script('volume', checkNumber(volume, 'volume', 0, 1));
  }

  /** The system loses the next frames. */
  glitch(frames: number): this {
    return this.#script('glitch', checkInteger(frames, 'frames', 0));
  }

  /** It delivers nothing until `resume()`. */
  stall(): this {
    return this.#script('stall');
  }

  resume(): this {
    return this.#script('resume');
  }

  /** Its next delivery is late: several packets come at once. */
  late(ms: number): this {
    return this.#script('late', checkNumber(ms, 'ms', 0, longestMs));
  }

  /**
   * What it captures in the next `ms`, 10,000 at most, is delivered together at their end, without a loss:
   * as of a sound server that is held up. What it plays is not concerned.
   */
  delay(ms: number): this {
    return this.#script('delay', checkNumber(ms, 'ms', 0, 10_000));
  }

  /** Every delivery is late by up to so much. */
  jitter(upToMs: number): this {
    return this.#script('jitter', checkNumber(upToMs, 'upToMs', 0, longestMs));
  }

  /** What is added to its time stamps; null: they are flagged as wrong. */
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
