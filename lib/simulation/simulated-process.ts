import type { NativeWorld, ProcessScripts } from '../engine/native.js';
import {
  checkBoolean,
  checkInteger,
  checkNumber,
  checkObject,
  checkOptions,
  checkString,
  checkText,
} from '../validate.js';
import { checkSignal, type Signal } from './signal.js';
import { throwIfFailed } from './world-error.js';

/** Options of a simulated program. */
export interface SimulatedProcessOptions {
  /** The process id. The id of an ended process may be used again. @default the next free id from 1000 on */
  pid?: number;
  /** The process that started it. @default none */
  parent?: number;
  /** The name of its executable file. */
  name: string;
  /** The path of its executable file. Parents and children with the same path are one application. @default the name */
  path?: string;
  /** The program's own name. @default the name */
  displayName?: string;
  /** Whether a capture of the program receives zeros while its meter moves. @default false */
  protected?: boolean;
}

/** A program of a {@link SimulatedAudio}. */
export class SimulatedProcess {
  /** The process id. */
  readonly pid: number;
  readonly #world: NativeWorld;

  /** @internal */
  constructor(world: NativeWorld, pid: number) {
    this.#world = world;
    this.pid = pid;
  }

  /**
   * Plays a signal on an output; `device` is the id of the output. A program plays one signal on each output.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`,
   *   `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  play(signal: Signal, options: { device: string }): this {
    checkSignal(signal, 'signal');
    return this.#script('play', signal, checkDevice(options, 'play()'));
  }

  /**
   * Stops playing on an output.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`,
   *   `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  stop(options: { device: string }): this {
    return this.#script('stop', undefined, checkDevice(options, 'stop()'));
  }

  /**
   * Captures an input, as a program in a call does. `device` is the id of the input. The program then appears in
   * `listAudioProcesses({ flow: 'input' })`.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_AUDIO_PROCESS_NOT_FOUND`,
   *   `ERR_AUDIO_DEVICE_NOT_FOUND`, `ERR_AUDIO_UNSUPPORTED` for an output, `ERR_AUDIO_PERMISSION_DENIED`,
   *   `ERR_AUDIO_DEVICE_LOST` for an input that is not plugged in.
   */
  capture(options: { device: string }): this {
    return this.#script('capture', checkDevice(options, 'capture()'));
  }

  /**
   * Stops capturing an input.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_AUDIO_PROCESS_NOT_FOUND`.
   */
  release(options: { device: string }): this {
    return this.#script('release', checkDevice(options, 'release()'));
  }

  /**
   * Moves everything that the program plays to another output.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`,
   *   `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  move(device: string): this {
    return this.#script('move', checkString(device, 'device'));
  }

  /**
   * Ends the program. Its process id may be used again.
   *
   * @throws `ERR_AUDIO_PROCESS_NOT_FOUND`.
   */
  exit(): void {
    this.#script('exit');
  }

  /**
   * Sets the volume of the program, linear, 0 to 1.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`,
   *   `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  volume(volume: number): this {
    return this.#script('volume', checkNumber(volume, 'volume', 0, 1));
  }

  /**
   * Mutes or unmutes the program in the system.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`,
   *   `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  mute(muted = true): this {
    return this.#script('mute', checkBoolean(muted, 'muted'));
  }

  /**
   * Delivers the audio that the program plays in the next `ms` (at most 10000) to its captures together at their end,
   * without a loss.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`,
   *   `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  delay(ms: number): this {
    return this.#script('delay', checkNumber(ms, 'ms', 0, 10_000));
  }

  /**
   * Sets whether a capture of the program receives its audio. Its meter moves in both cases.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`,
   *   `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  protect(isProtected = true): this {
    return this.#script('protect', checkBoolean(isProtected, 'isProtected'));
  }

  /**
   * Makes a capture of the program fail with `ERR_AUDIO_PERMISSION_DENIED`.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`,
   *   `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  deny(denied = true): this {
    return this.#script('deny', checkBoolean(denied, 'denied'));
  }

  #script<Verb extends keyof ProcessScripts>(verb: Verb, ...values: ProcessScripts[Verb]): this {
    throwIfFailed(this.#world.scriptProcess(verb, this.pid, ...values));
    return this;
  }
}

const highestPid = 2 ** 32 - 1;

/** The engine's description of a program. `pid` returns the process id if the options give none. */
export function describeProcess(
  options: SimulatedProcessOptions,
  pid: () => number,
): SimulatedProcessOptions & { pid: number } {
  const given = checkOptions(
    checkObject(options, 'options') as SimulatedProcessOptions,
    'addProcess',
    ['pid', 'parent', 'name', 'path', 'displayName', 'protected'],
  );
  checkString(given.name, 'options.name');
  if (given.parent !== undefined) checkInteger(given.parent, 'options.parent', 0, highestPid);
  if (given.path !== undefined) checkText(given.path, 'options.path');
  if (given.displayName !== undefined) checkText(given.displayName, 'options.displayName');
  if (given.protected !== undefined) checkBoolean(given.protected, 'options.protected');
  return { ...given, pid: checkInteger(given.pid ?? pid(), 'options.pid', 1, highestPid) };
}

function checkDevice(options: { device: string }, owner: string): string {
  checkOptions(checkObject(options, 'options') as typeof options, owner, ['device']);
  return checkString(options.device, 'options.device');
}
