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
  /** The next free number from 1000 on, unless given. One that an ended process had may be used again. */
  pid?: number;
  /** The process that started it. */
  parent?: number;
  name: string;
  /** The name, unless given. Parents and children of one path are one application. */
  path?: string;
  displayName?: string;
  /** Its meter moves, and who captures it hears zeros. */
  protected?: boolean;
}

/** One program of a {@link SimulatedAudio}: what it does. */
export class SimulatedProcess {
  readonly pid: number;
  readonly #world: NativeWorld;

  /** @internal */
  constructor(world: NativeWorld, pid: number) {
    this.#world = world;
    this.pid = pid;
  }

  /** One signal on each output; `device` is the id of one. */
  play(signal: Signal, options: { device: string }): this {
    checkSignal(signal, 'signal');
    return this.#script('play', signal, checkDevice(options, 'play()'));
  }

  stop(options: { device: string }): this {
    return this.#script('stop', undefined, checkDevice(options, 'stop()'));
  }

  /** All that it plays goes to that output instead. */
  move(device: string): this {
    return this.#script('move', checkString(device, 'device'));
  }

  /** It ends; its number is free. */
  exit(): void {
    this.#script('exit');
  }

  /** Linear, 0 to 1. */
  volume(volume: number): this {
    return this.#script('volume', checkNumber(volume, 'volume', 0, 1));
  }

  mute(muted = true): this {
    return this.#script('mute', checkBoolean(muted, 'muted'));
  }

  /**
   * What it plays in the next `ms`, 10,000 at most, is delivered together at their end, without a loss, to all
   * that capture it.
   */
  delay(ms: number): this {
    return this.#script('delay', checkNumber(ms, 'ms', 0, 10_000));
  }

  /** Whether it can be heard apart from the others; its meter moves either way. */
  protect(isProtected = true): this {
    return this.#script('protect', checkBoolean(isProtected, 'isProtected'));
  }

  /** Capturing it is `ERR_AUDIO_PERMISSION_DENIED`. */
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
