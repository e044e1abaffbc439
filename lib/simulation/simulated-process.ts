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

/** A program of a simulated world. */
export interface SimulatedProcessOptions {
  /** Its number; one that an ended process had may be used again. @default the next free one from 1000 on */
  pid?: number;
  /** The process that started it. @default none */
  parent?: number;
  /** The name of its executable file. */
  name: string;
  /** Of its executable file. Parents and children of one path are one application. @default the name */
  path?: string;
  /** As the program calls itself. @default the name */
  displayName?: string;
  /** Whether its meter moves while those who capture it get zeros. @default false */
  protected?: boolean;
}

/** One program of a {@link SimulatedAudio}: what it does. */
export class SimulatedProcess {
  /** The number of the process. */
  readonly pid: number;
  readonly #world: NativeWorld;

  /** @internal */
  constructor(world: NativeWorld, pid: number) {
    this.#world = world;
    this.pid = pid;
  }

  /**
   * One signal on each output; `device` is the id of one.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  play(signal: Signal, options: { device: string }): this {
    checkSignal(signal, 'signal');
    return this.#script('play', signal, checkDevice(options, 'play()'));
  }

  /**
   * It plays nothing more on that output.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  stop(options: { device: string }): this {
    return this.#script('stop', undefined, checkDevice(options, 'stop()'));
  }

  /**
   * All that it plays goes to that output instead.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  move(device: string): this {
    return this.#script('move', checkString(device, 'device'));
  }

  /** It ends; its number is free. */
  exit(): void {
    this.#script('exit');
  }

  /**
   * Linear, 0 to 1.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  volume(volume: number): this {
    return this.#script('volume', checkNumber(volume, 'volume', 0, 1));
  }

  /**
   * The system mutes it, or no longer.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  mute(muted = true): this {
    return this.#script('mute', checkBoolean(muted, 'muted'));
  }

  /**
   * What it plays in the next `ms`, 10,000 at most, is delivered together at their end, without a loss, to all
   * that capture it.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  delay(ms: number): this {
    return this.#script('delay', checkNumber(ms, 'ms', 0, 10_000));
  }

  /**
   * Whether it can be heard apart from the others; its meter moves either way.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
   */
  protect(isProtected = true): this {
    return this.#script('protect', checkBoolean(isProtected, 'isProtected'));
  }

  /**
   * Capturing it is `ERR_AUDIO_PERMISSION_DENIED`.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_PROCESS_NOT_FOUND`, `ERR_AUDIO_DEVICE_NOT_FOUND`.
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

/** The engine's description of a program; `pid` if the options give none. */
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
