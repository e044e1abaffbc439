import { worldHost, type SimulatedBackend } from './engine/backend.js';
import { native, type NativeHost, type NativeWorld } from './engine/native.js';
import { ManualTimers, turn } from './engine/timers.js';
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

/**
 * Options of a {@link SimulatedAudio}. If neither devices nor cables are given, it has the devices `mic` and
 * `speakers`, and a cable from `cable-input` to `cable-output`.
 */
export interface SimulatedAudioOptions {
  /**
   * Devices that exist from the start. @default `mic` and `speakers`, if `cables` is not given either
   */
  devices?: SimulatedDeviceOptions[];
  /**
   * Cables that exist from the start. @default `cable-input` to `cable-output`, if `devices` is not given either
   */
  cables?: SimulatedCableOptions[];
  /** Programs that run from the start. {@link SimulatedAudio.addProcess} starts more. @default none */
  processes?: SimulatedProcessOptions[];
  /** With `'manual'`, time moves only in `advance()` and `sleep()`. @default 'real' */
  clock?: 'real' | 'manual';
  /**
   * The first time of the manual clock, in ns of `process.hrtime.bigint()`. Two runs of a test give the same bytes if
   * they start at the same time. @default the present time
   */
  startTime?: bigint | undefined;
}

/**
 * A simulated audio system for tests of apps. Pass it as the `backend` option. A process may have several of them.
 *
 * @example
 * await using audio = new SimulatedAudio({ clock: 'manual' });
 * audio.device('mic').play(tone(1000));
 * const mic = new MicSource({ backend: audio });
 * await audio.advance(500);
 */
export class SimulatedAudio implements SimulatedBackend {
  /** When the simulation started, in ns of `process.hrtime.bigint()`. */
  readonly startTime: bigint;
  readonly #world: NativeWorld;
  readonly #host: NativeHost;
  readonly #timers: ManualTimers | undefined;
  #advancing: Promise<void> = Promise.resolve();
  #nextPid = 1000;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_AUDIO_UNSUPPORTED` for contradictory options,
   *   `ERR_AUDIO_NATIVE_LOAD_FAILED`.
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

  /** A new connection for each stream or monitor. */
  get [worldHost](): object {
    return this.#connect();
  }

  #connect(): NativeHost {
    const host = new (native().Host)(this.#world);
    if (this.#timers) host.timers = this.#timers;
    return host;
  }

  /**
   * Returns the device with this id. If there is none, its methods throw `ERR_AUDIO_DEVICE_NOT_FOUND`.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`.
   */
  device(id: string): SimulatedDevice {
    return new SimulatedDevice(this.#world, checkString(id, 'id'));
  }

  /**
   * Adds a device to the system.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_UNSUPPORTED` for
   *   contradictory options.
   */
  addDevice(options: SimulatedDeviceOptions): SimulatedDevice {
    throwIfFailed(this.#world.addDevice(describeDevice(options, 'options')));
    return this.device(options.id);
  }

  /**
   * Adds a cable to the system, and returns its output.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_UNSUPPORTED` for
   *   contradictory options.
   */
  addCable(options: SimulatedCableOptions): SimulatedDevice {
    throwIfFailed(this.#world.addCable(describeCable(options, 'options')));
    return this.device(options.renderId);
  }

  /**
   * Starts a program.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_UNSUPPORTED` for
   *   contradictory options.
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
   * Ends the audio server. Streams lose their devices, and no device can be opened.
   *
   * @throws `ERR_AUDIO_BACKEND_UNAVAILABLE` after the end of the simulation.
   */
  serverGone(): void {
    throwIfFailed(this.#world.script('serverGone', ''));
  }

  /**
   * Starts the audio server again.
   *
   * @throws `ERR_AUDIO_BACKEND_UNAVAILABLE` after the end of the simulation.
   */
  serverBack(): void {
    throwIfFailed(this.#world.script('serverBack', ''));
  }

  /**
   * The time of the simulated clock, in ns of `process.hrtime.bigint()`. The time of a manual clock is {@link
   * startTime} plus the time of all calls to `advance()` and `sleep()`.
   */
  now(): bigint {
    return this.#host.now();
  }

  /**
   * Moves the manual clock. Resolves when JavaScript has received all audio and events of that time. The clock stands
   * still while a stream looks for its device.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` with the real clock.
   */
  async advance(ms: number): Promise<void> {
    checkNumber(ms, 'ms', 0, 1e12);
    const timers = this.#manualTimers('advance()');
    await this.#inTurn(() => this.#advance(timers, ms));
  }

  /**
   * Simulates a machine that sleeps for `ms`: as on Windows, the clock advances and nothing else happens.
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
    throw new AudioError('ERR_AUDIO_UNSUPPORTED', `${caller} needs a manual clock`, {
      remedy: "Construct the SimulatedAudio with clock: 'manual'",
    });
  }

  // Calls run one after the other, even if they are not awaited.
  async #inTurn(move: () => Promise<void>): Promise<void> {
    this.#advancing = this.#advancing.then(move, move);
    this.#advancing.catch(() => {});
    await this.#advancing;
  }

  async #advance(timers: ManualTimers, ms: number): Promise<void> {
    await this.#move(0); // processes what has happened while the clock stood still
    for (let left = ms; left > 0;) {
      await timers.quiet();
      const step = Math.min(left, Math.max(0, timers.next()));
      await this.#move(step);
      timers.pass(step);
      left -= step;
    }
    await turn(); // the last timers may have started work, such as the release of a device
    await timers.quiet();
  }

  async #move(ms: number, asleep = false): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const record = this.#world.advance(ms, asleep, resolve);
      if (record) reject(fromNative(record));
    });
    // Waits for callbacks of the streams.
    await turn();
  }

  /**
   * Ends the simulation. Its threads end, and open streams lose their devices as if the server were gone for good. Later
   * calls fail with `ERR_AUDIO_BACKEND_UNAVAILABLE`. A `SimulatedAudio` that is garbage-collected ends by itself.
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
