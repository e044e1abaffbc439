import { worldHost, type SimulatedBackend } from './engine/backend.js';
import { native, type NativeHost, type NativeWorld } from './engine/native.js';
import { ManualTimers, nextTurn } from './engine/timers.js';
import { AudioError, fromNative } from './errors.js';
import {
  describeCable,
  describeDevice,
  SimulatedDevice,
  type SimulatedCableOptions,
  type SimulatedDeviceOptions,
} from './simulation/simulated-device.js';
import {
  describeProcess,
  SimulatedProcess,
  type SimulatedProcessOptions,
} from './simulation/simulated-process.js';
import { throwIfFailed } from './simulation/world-error.js';
import {
  checkBoolean,
  checkNumber,
  checkOneOf,
  checkOptions,
  checkString,
  checkTime,
  invalidType,
  invalidValue,
  outOfRange,
} from './validate.js';

export { noise, pcm, sum, tone, type Signal } from './simulation/signal.js';
export {
  SimulatedDevice,
  type Recording,
  type SimulatedCableOptions,
  type SimulatedDeviceOptions,
  type SimulatedOrigin,
} from './simulation/simulated-device.js';
export { SimulatedProcess, type SimulatedProcessOptions } from './simulation/simulated-process.js';

/** The world. Without devices and cables: `mic`, `speakers`, and `cable-input` to `cable-output`. */
export interface SimulatedAudioOptions {
  /**
   * Devices that are there from the beginning. @default `mic` and `speakers`, if there are no `cables` either
   */
  devices?: SimulatedDeviceOptions[];
  /**
   * Cables that are there from the beginning. @default `cable-input` to `cable-output`, if there are no `devices` either
   */
  cables?: SimulatedCableOptions[];
  /** Programs that run from the beginning; {@link SimulatedAudio.addProcess} starts others. @default none */
  processes?: SimulatedProcessOptions[];
  /** With `'manual'` time stands still except in `advance()` and `sleep()`. @default 'real' */
  clock?: 'real' | 'manual';
  /**
   * What the manual clock shows first: ns of `process.hrtime.bigint()`. Two runs of one script give the same bytes if
   * they start at the same time. @default the present time
   */
  startTime?: bigint | undefined;
}

/**
 * A scripted audio system for tests of apps: pass it as the `backend` option. Several live side by
 * side.
 *
 * @example
 * await using audio = new SimulatedAudio({ clock: 'manual' });
 * audio.device('mic').play(tone(1000));
 * const mic = new MicSource({ backend: audio });
 * await audio.advance(500);
 */
export class SimulatedAudio implements SimulatedBackend {
  /** When the world began: ns of `process.hrtime.bigint()`. */
  readonly startTime: bigint;
  readonly #world: NativeWorld;
  readonly #host: NativeHost;
  readonly #timers: ManualTimers | undefined;
  #advancing: Promise<void> = Promise.resolve();
  #nextPid = 1000;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_AUDIO_UNSUPPORTED` for a world that
   *   cannot be, `ERR_AUDIO_NATIVE_LOAD_FAILED`.
   */
  constructor(options?: SimulatedAudioOptions) {
    const given = checkOptions(options, 'SimulatedAudio', [
      'devices',
      'cables',
      'processes',
      'clock',
      'startTime',
    ]);
    const { devices, cables, processes, clock = 'real', startTime } = given;
    checkOneOf(clock, 'options.clock', ['real', 'manual']);
    if (startTime !== undefined) checkStartTime(startTime, clock);
    for (const [name, list] of Object.entries({ devices, cables, processes })) {
      if (list !== undefined && !Array.isArray(list)) {
        throw invalidType(`options.${name}`, 'an instance of Array', list);
      }
    }
    this.#timers = clock === 'manual' ? new ManualTimers() : undefined;
    this.#world = new (native().World)({
      devices: devices?.map((one, k) => describeDevice(one, `options.devices[${k}]`)),
      cables: cables?.map((one, k) => describeCable(one, `options.cables[${k}]`)),
      manualStart: clock === 'manual' ? (startTime ?? process.hrtime.bigint()) : undefined,
    });
    throwIfFailed(this.#world.error());
    this.#host = this.#connect();
    this.startTime = this.#host.now();
    for (const description of processes ?? []) this.addProcess(description);
  }

  /** A connection for each stream or monitor. */
  get [worldHost](): object {
    return this.#connect();
  }

  #connect(): NativeHost {
    const host = new (native().Host)(this.#world);
    if (this.#timers) host.timers = this.#timers;
    return host;
  }

  /**
   * A device by its id. Unknown ids are `ERR_AUDIO_DEVICE_NOT_FOUND` when it is used.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`.
   */
  device(id: string): SimulatedDevice {
    return new SimulatedDevice(this.#world, checkString(id, 'id'));
  }

  /**
   * The system gets a device.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_UNSUPPORTED` for what cannot be in a world.
   */
  addDevice(options: SimulatedDeviceOptions): SimulatedDevice {
    throwIfFailed(this.#world.addDevice(describeDevice(options, 'options')));
    return this.device(options.id);
  }

  /**
   * The system gets a cable; returns its output.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_UNSUPPORTED` for what cannot be in a world.
   */
  addCable(options: SimulatedCableOptions): SimulatedDevice {
    throwIfFailed(this.#world.addCable(describeCable(options, 'options')));
    return this.device(options.renderId);
  }

  /**
   * Starts a program.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_UNSUPPORTED` for what cannot be in a world.
   */
  addProcess(options: SimulatedProcessOptions): SimulatedProcess {
    const description = describeProcess(options, () => this.#nextPid++);
    throwIfFailed(this.#world.addProcess(description));
    return new SimulatedProcess(this.#world, description.pid);
  }

  /**
   * Sets what the capture of a program that plays nothing delivers: packets of silence (true), or no packets (false).
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_AUDIO_BACKEND_UNAVAILABLE`.
   */
  processSilence(packets: boolean): void {
    throwIfFailed(this.#world.scriptProcess('idleSilence', 0, checkBoolean(packets, 'packets')));
  }

  /**
   * The audio server dies: streams fail, nothing can be opened.
   *
   * @throws `ERR_AUDIO_BACKEND_UNAVAILABLE` after the end of the world.
   */
  serverGone(): void {
    throwIfFailed(this.#world.script('serverGone', ''));
  }

  /**
   * The audio server runs again.
   *
   * @throws `ERR_AUDIO_BACKEND_UNAVAILABLE` after the end of the world.
   */
  serverBack(): void {
    throwIfFailed(this.#world.script('serverBack', ''));
  }

  /**
   * The world's clock: ns of `process.hrtime.bigint()`. A manual clock shows {@link startTime} and what `advance()`
   * and `sleep()` have added to it.
   */
  now(): bigint {
    return this.#host.now();
  }

  /**
   * Moves the manual clock. Resolves when JavaScript has received everything of that time. What a
   * stream does to get its device back takes none of it.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` with the real clock.
   */
  async advance(ms: number): Promise<void> {
    checkNumber(ms, 'ms', 0, 1e12);
    const timers = this.#manualTimers('advance()');
    await this.#inTurn(() => this.#advance(timers, ms));
  }

  /**
   * Lets the machine sleep for so long, ms: its clock advances and nothing else happens, as on Windows.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_AUDIO_UNSUPPORTED` with the real clock.
   */
  async sleep(ms: number): Promise<void> {
    checkNumber(ms, 'ms', 0, 1e12);
    const timers = this.#manualTimers('sleep()');
    await this.#inTurn(async () => {
      await timers.quiet();
      await this.#move(ms, true);
      timers.pass(ms);
      await timers.quiet();
    });
  }

  #manualTimers(caller: string): ManualTimers {
    if (this.#timers) return this.#timers;
    throw new AudioError('ERR_AUDIO_UNSUPPORTED', `${caller} moves the manual clock only`, {
      remedy: "Make the world with clock: 'manual'",
    });
  }

  // One after the other, also when nobody waits for them.
  async #inTurn(move: () => Promise<void>): Promise<void> {
    this.#advancing = this.#advancing.then(move, move);
    this.#advancing.catch(() => {});
    await this.#advancing;
  }

  async #advance(timers: ManualTimers, ms: number): Promise<void> {
    await this.#move(0); // what happened since the clock stood still is known
    for (let left = ms; left > 0;) {
      await timers.quiet();
      const step = Math.min(left, Math.max(0, timers.next()));
      await this.#move(step);
      timers.pass(step);
      left -= step;
    }
    await timers.quiet();
  }

  async #move(ms: number, asleep = false): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const record = this.#world.advance(ms, asleep, resolve);
      if (record) reject(fromNative(record));
    });
    // What streams passed on in callbacks of their own.
    await new Promise((resolve) => nextTurn(resolve));
  }

  /**
   * Ends the world: its threads end, and streams that are still open lose their devices, as when a server
   * is gone for good. What is done with it afterwards fails with `ERR_AUDIO_BACKEND_UNAVAILABLE`. A world
   * that nobody holds any more ends by itself when it is garbage-collected.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inTurn(() => this.#world.close());
  }
}

function checkStartTime(startTime: bigint, clock: 'real' | 'manual'): void {
  if (checkTime(startTime, 'options.startTime') < 0n) {
    throw outOfRange('options.startTime', '>= 0n', startTime);
  }
  if (clock !== 'manual') {
    throw invalidValue('options.startTime', startTime, "needs options.clock 'manual'");
  }
}
