import type { DeviceRole, DeviceState } from '../devices/devices.js';
import { deviceTransports, type DeviceTransport } from '../engine/device-transports.js';
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

/** The properties of a device's driver that the simulated system reports. Users can change names, but not these properties. */
export interface SimulatedOrigin {
  /** The driver's own name, for example `VB-Audio Virtual Cable`. */
  maker?: string;
  /** The hardware id, for example `VBAudioVACWDM`. */
  hardwareId?: string;
  /** The service or kernel driver, for example `VBAudioVACMME` or `snd_aloop`. */
  service?: string;
  /** The installed device. All ends of one device have the same value. */
  parent?: string;
  /** The end of a loopback card: `0` and `1` are connected. */
  end?: string;
  /** How the device is connected. @default 'unknown', or 'virtual' where `virtual` is set */
  transport?: DeviceTransport;
  /** Whether it is the hands-free end of a Bluetooth headset. @default false */
  handsFree?: boolean;
}

/** Options of a simulated device. */
export interface SimulatedDeviceOptions {
  /** The id of the device. */
  id: string;
  /** The name of the device. @default the id */
  name?: string;
  /** `input` for a microphone, `output` for a loudspeaker. */
  flow: 'input' | 'output';
  /** The format of the device. @default 48000 Hz, 2 channels, `'f32'` */
  format?: AudioFormat;
  /** The period of the device, in frames. @default 10 ms */
  periodFrames?: number;
  /** Whether it is the default device. @default false */
  defaultConsole?: boolean;
  /** Whether it is the default device for calls. @default false */
  defaultCommunications?: boolean;
  /** How much faster than the host its clock runs, ppm. @default 0 */
  driftPpm?: number;
  /** How long before the start of the simulation its frame counter was 0, in ms. @default 0 */
  phaseMs?: number;
  /** Whether the device has no hardware. @default false */
  virtual?: boolean;
  /** The state of the device. @default 'active' */
  state?: DeviceState;
  /** Whether an output with nothing to play delivers silent packets to its loopbacks. @default false */
  idleSilence?: boolean;
  /** Whether the system cancels the echo of a microphone. @default false */
  cancelsEcho?: boolean;
  /** The properties of its driver. @default nothing */
  origin?: SimulatedOrigin;
}

/** Options of a simulated cable: an output and the input that carries it, on one clock. */
export interface SimulatedCableOptions {
  /** The id of the output. */
  renderId: string;
  /** The name of the output. @default its id */
  renderName?: string;
  /** The id of the input. */
  captureId: string;
  /** The name of the input. @default its id */
  captureName?: string;
  /** The format of both ends. @default 48000 Hz, 2 channels, `'f32'` */
  format?: AudioFormat;
  /** The period of both ends, in frames. @default 10 ms */
  periodFrames?: number;
  /** How much faster than the host its clock runs, ppm. @default 0 */
  driftPpm?: number;
  /** The properties of the driver of the output. @default nothing */
  renderOrigin?: SimulatedOrigin;
  /** The properties of the driver of the input. @default nothing */
  captureOrigin?: SimulatedOrigin;
  /** Whether the system hides that the two ends are one cable, as Windows does. @default false */
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
  cancelsEcho: checkBoolean,
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
  const texts = ['maker', 'hardwareId', 'service', 'parent', 'end'] as const;
  const known = [...texts, 'transport', 'handsFree'] as const;
  const origin = checkOptions(value as SimulatedOrigin, 'an origin', known, name);
  for (const key of texts) {
    if (origin[key] !== undefined) checkText(origin[key], `${name}.${key}`);
  }
  if (origin.transport !== undefined) {
    checkOneOf(origin.transport, `${name}.transport`, deviceTransports);
  }
  if (origin.handsFree !== undefined) checkBoolean(origin.handsFree, `${name}.handsFree`);
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

/** The audio that a simulated output has played. */
export interface Recording {
  /** The samples, interleaved. */
  data: Float32Array;
  /** The format of `data`. */
  format: AudioFormat;
  /** Where a stream that was playing did not deliver in time. */
  gaps: { frame: number; frames: number }[];
  /** Whether the limit of `record()` was reached. */
  full: boolean;
}

/**
 * A device of a {@link SimulatedAudio}. Its methods take effect at the present instant of the simulated clock.
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
   * Plays a signal on an output, or in front of a microphone. Each program plays one signal.
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
   * Stops the signal of a program, or of all programs if none is given.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  stop(program?: string): this {
    if (program !== undefined) checkText(program, 'program');
    throwIfFailed(this.#world.stop(this.id, program));
    return this;
  }

  /**
   * Starts to record what the output plays, up to `maxMs` (an hour).
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
   * Returns what the output has played since `record()`.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` before `record()`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  recorded(): Recording {
    const answer = this.#world.recorded(this.id);
    if ('code' in answer) throw fromNative(answer);
    return answer;
  }

  /**
   * Unplugs the device. Its open streams wait for its return, see `recover`.
   *
   * @throws `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  unplug(): this {
    return this.#script('unplug');
  }

  /**
   * Plugs the device in again.
   *
   * @throws `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  plug(): this {
    return this.#script('plug');
  }

  /**
   * Removes the device from the system for good.
   *
   * @throws `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  remove(): this {
    return this.#script('removeDevice');
  }

  /**
   * Changes the state of the device.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  setState(state: DeviceState): this {
    return this.#script('setState', checkOneOf(state, 'state', states));
  }

  /**
   * Makes the device the default.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  setDefault(role: DeviceRole = 'console'): this {
    return this.#script('setDefault', checkOneOf(role, 'role', roles));
  }

  /**
   * Changes the format of the device.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  setFormat(format: AudioFormat): this {
    return this.#script('setFormat', checkFormat(format, 'format'));
  }

  /**
   * Sets how much faster than the host's clock the device runs, in ppm.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  drift(ppm: number): this {
    return this.#script('drift', checkNumber(ppm, 'ppm', -100_000, 100_000));
  }

  /**
   * Makes opening the device fail with `ERR_AUDIO_PERMISSION_DENIED`.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  deny(denied = true): this {
    return this.#script('deny', checkBoolean(denied, 'denied'));
  }

  /**
   * Makes the device deliver zeros while its meter still moves, so that its streams emit `dead`.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  die(dead = true): this {
    return this.#script('die', checkBoolean(dead, 'dead'));
  }

  /**
   * Mutes or unmutes the device in the system.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  mute(muted = true): this {
    return this.#script('mute', checkBoolean(muted, 'muted'));
  }

  /**
   * Sets the volume of the device, linear, 0 to 1.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  volume(volume: number): this {
    return this.#script('volume', checkNumber(volume, 'volume', 0, 1));
  }

  /**
   * Makes the system lose the next frames.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  glitch(frames: number): this {
    return this.#script('glitch', checkInteger(frames, 'frames', 0));
  }

  /**
   * Makes the device deliver nothing until `resume()`.
   *
   * @throws `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  stall(): this {
    return this.#script('stall');
  }

  /**
   * Makes the device deliver again.
   *
   * @throws `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  resume(): this {
    return this.#script('resume');
  }

  /**
   * Delays the next delivery of the device, so that several packets arrive at once.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  late(ms: number): this {
    return this.#script('late', checkNumber(ms, 'ms', 0, longestMs));
  }

  /**
   * Delivers the audio that the device captures in the next `ms` (at most 10000) together at their end, without a loss,
   * like a sound server that is delayed. Does not affect playback.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  delay(ms: number): this {
    return this.#script('delay', checkNumber(ms, 'ms', 0, 10_000));
  }

  /**
   * Delays every delivery by a random time up to this maximum.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  jitter(upToMs: number): this {
    return this.#script('jitter', checkNumber(upToMs, 'upToMs', 0, longestMs));
  }

  /**
   * Sets an offset of the device's timestamps. With null the device flags them as wrong.
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
