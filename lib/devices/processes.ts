import { AsyncResource } from 'node:async_hooks';

import { callListeners } from '../engine/call-listeners.js';
import { openBackend, type BackendOption } from '../engine/backend.js';
import { Deferred } from '../engine/deferred.js';
import { closedEarly, fromNative, type NativeError } from '../errors.js';
import type { NativeHost, NativeProcess } from '../engine/native.js';
import { TypedEmitter, type EmitterEvents } from '../engine/typed-events.js';
import { checkNumber, checkOneOf, checkOptions } from '../validate.js';

/** A process that makes sound or captures a microphone, as of the time when it was listed. */
export interface AudioProcess {
  /** `'output'` for a process that makes sound, `'input'` for one that captures a microphone. */
  readonly flow: 'output' | 'input';
  /**
   * The process id. A program in a container has its number there, or 0 if that number belongs to another process of this
   * system.
   */
  readonly pid: number;
  /**
   * The `pid` of the application's root process. A capture of this process includes all processes of the application.
   */
  readonly rootPid: number;
  /**
   * The start time of the process in units of the system, as a string. It distinguishes this process from others with the
   * same `pid`. It is `'0'`, or begins with `-`, if the system does not report it, as for a program in a container.
   */
  readonly startTime: string;
  /** The name of its executable file. */
  readonly name: string;
  /** The path of its executable file; empty if the system does not report it. */
  readonly path: string;
  /** The program's own name. */
  readonly displayName: string;
  /** Whether it is this process, or a process that this process has started. */
  readonly own: boolean;
  /** `active`, or `inactive` if all of its streams are stopped, or `silent` if it has no stream. */
  readonly state: 'active' | 'inactive' | 'silent';
  /**
   * When a `ProcessMonitor` saw it become `active`: nanoseconds of `process.hrtime.bigint()`, as a string. `undefined` if
   * it is not active, if it was active before the monitor's first list, and in `listAudioProcesses()`.
   */
  readonly activeSince: string | undefined;
  /**
   * The peak level in dBFS. Silence is `-Infinity`. NaN if the level is not known. On Linux it is not known of a process
   * that captures, because the system measures it only by another capture.
   */
  readonly levelDb: number;
  /** The program's volume in the system's mixer, linear; 1 is unity. */
  readonly volume: number;
  /** Whether the system mutes this program. */
  readonly muted: boolean;
  /** The ids of the outputs on which it plays, or of the inputs that it captures. */
  readonly devices: readonly string[];
}

/** Options of {@link listAudioProcesses}. */
export interface ListProcessesOptions extends BackendOption {
  /** `'output'` for programs that make sound, `'input'` for programs that capture a microphone. @default 'output' */
  flow?: 'output' | 'input' | undefined;
}

/**
 * Lists the programs that make sound, or those that capture a microphone. A program that records what an output plays
 * captures no microphone, and neither does a volume control that shows the level of one.
 *
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_AUDIO_BACKEND_UNAVAILABLE`, `ERR_AUDIO_UNSUPPORTED`,
 *   `ERR_AUDIO_NATIVE_LOAD_FAILED`.
 *
 * @example
 * for (const { name, pid, levelDb } of await listAudioProcesses()) console.log(name, pid, levelDb);
 * for (const { name, devices } of await listAudioProcesses({ flow: 'input' })) console.log(name, 'captures', devices);
 */
export async function listAudioProcesses(options?: ListProcessesOptions): Promise<AudioProcess[]> {
  const given = checkOptions(options, 'listAudioProcesses', ['flow', 'backend']);
  const flow = checkFlow(given.flow);
  const found = await askProcesses(openBackend(given), { flow, levels: true });
  return found.map((one) => toPublicProcess(one, flow));
}

/** Events of a {@link ProcessMonitor}. */
export interface ProcessMonitorEvents extends EmitterEvents {
  /** The monitor has listed the programs for the first time. */
  ready: [];
  /** A program has opened its first stream of the monitor's `flow`. */
  add: [process: AudioProcess];
  /** A program has closed its last stream. */
  remove: [process: AudioProcess];
  /** The state, name or devices of a program have changed. */
  change: [process: AudioProcess, before: AudioProcess];
  /** The volume of a program in the system's mixer has changed. */
  volume: [process: AudioProcess];
  /** The system mutes a program. */
  mute: [process: AudioProcess];
  /** The system no longer mutes a program. */
  unmute: [process: AudioProcess];
  /** Emitted every `levelMs` with the `levelDb` of all programs. */
  level: [processes: readonly AudioProcess[]];
  /** The system cannot be reached. The monitor continues, and reports changes when it can be reached again. */
  error: [error: Error];
  /** The monitor was closed. */
  close: [];
}

/** Options of a {@link ProcessMonitor}. */
export interface ProcessMonitorOptions extends ListProcessesOptions {
  /** The interval at which levels are measured, in ms, 20 to 60000. @default never */
  levelMs?: number | undefined;
}

/**
 * Reports which programs make sound, or which programs capture a microphone. A monitor does not keep the process alive.
 *
 * A program may keep a stream that it has stopped: its `state` is then `inactive`. So a program uses a microphone while
 * it is listed with the state `active`, and `own` is false.
 *
 * @example
 * const monitor = new ProcessMonitor({ levelMs: 100 });
 * monitor.on('add', ({ name }) => console.log(name, 'began to play'));
 * const microphones = new ProcessMonitor({ flow: 'input' });
 * microphones.on('add', ({ name, own }) => own || console.log(name, 'uses a microphone'));
 */
export class ProcessMonitor extends TypedEmitter<ProcessMonitorEvents> {
  readonly #ready = new Deferred<this>();
  /** Resolves when the programs have been listed for the first time. Rejects if the system cannot be reached. */
  readonly ready: Promise<this> = this.#ready.promise;
  readonly #host: NativeHost;
  readonly #flow: AudioProcess['flow'];
  readonly #watch: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #processes: readonly AudioProcess[] = [];
  #asking = false;
  #again = false;
  #levelDue = false;
  #started = false;
  #closed = false;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`,
   *   `ERR_AUDIO_NATIVE_LOAD_FAILED`.
   */
  constructor(options?: ProcessMonitorOptions) {
    super();
    const given = checkOptions(options, 'ProcessMonitor', ['flow', 'levelMs', 'backend']);
    const { levelMs } = given;
    this.#flow = checkFlow(given.flow);
    if (levelMs !== undefined) checkNumber(levelMs, 'options.levelMs', 20, 60_000);
    this.#host = openBackend(given);
    this.#watch = this.#host.watchProcesses(AsyncResource.bind(() => void this.#refresh()));
    if (levelMs !== undefined) {
      this.#timer = setInterval(() => {
        this.#levelDue = true;
        void this.#refresh();
      }, levelMs);
      this.#timer.unref();
    }
    this.#levelDue = levelMs !== undefined;
    void this.#refresh();
  }

  /** The programs that make sound, or capture a microphone, as of the last event. */
  get processes(): readonly AudioProcess[] {
    return this.#processes;
  }

  /** Stops the monitor, which then emits `close`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#host.unwatchProcesses(this.#watch);
    this.#ready.reject(closedEarly('The ProcessMonitor was closed before its first list'));
    process.nextTick(() => this.emit('close'));
  }

  /** The same as `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #refresh(): Promise<void> {
    this.#again = true;
    if (this.#asking) return;
    this.#asking = true;
    while (this.#again && !this.#closed) {
      this.#again = false;
      await this.#list();
    }
    this.#asking = false;
  }

  async #list(): Promise<void> {
    const levels = this.#levelDue;
    this.#levelDue = false;
    let listed: NativeProcess[];
    try {
      listed = await askProcesses(this.#host, { flow: this.#flow, levels });
    } catch (error) {
      if (this.#closed) return;
      this.#ready.reject(error as Error);
      if (this.listenerCount('error') > 0) callListeners(() => this.emit('error', error as Error));
      return;
    }
    if (this.#closed) return;
    const before = this.#processes;
    const found = listed.map((one) =>
      toPublicProcess(one, this.#flow, this.#activeSince(one, before)),
    );
    this.#processes = Object.freeze(found);
    if (this.#started) {
      this.#report(before, found);
    } else {
      this.#started = true;
      this.#ready.resolve(this);
      callListeners(() => this.emit('ready'));
    }
    if (levels) callListeners(() => this.emit('level', found));
  }

  // The systems do not report it.
  #activeSince(program: NativeProcess, before: readonly AudioProcess[]): string | undefined {
    if (program.state !== 'active' || !this.#started) return undefined;
    const key = processKey(program);
    const known = before.find((one) => processKey(one) === key);
    return known?.state === 'active' ? known.activeSince : String(this.#host.now());
  }

  #report(before: readonly AudioProcess[], now: readonly AudioProcess[]): void {
    const old = new Map(before.map((one) => [processKey(one), one]));
    for (const program of now) {
      const known = old.get(processKey(program));
      old.delete(processKey(program));
      if (!known) {
        callListeners(() => this.emit('add', program));
        continue;
      }
      if (identity(known) !== identity(program))
        callListeners(() => this.emit('change', program, known));
      if (known.volume !== program.volume) callListeners(() => this.emit('volume', program));
      if (known.muted !== program.muted)
        callListeners(() => this.emit(program.muted ? 'mute' : 'unmute', program));
    }
    for (const one of old.values()) callListeners(() => this.emit('remove', one));
  }
}

function checkFlow(flow: unknown): AudioProcess['flow'] {
  if (flow === undefined) return 'output';
  return checkOneOf(flow, 'options.flow', ['output', 'input']);
}

function identity({ state, displayName, devices }: AudioProcess): string {
  return JSON.stringify([state, displayName, devices]);
}

/** A key that identifies a process, also among processes with the same id at other times. */
export function processKey({
  pid,
  startTime,
}: {
  pid: number;
  startTime: bigint | string;
}): string {
  return `${pid}:${startTime}`;
}

/** Lists the processes of the engine. Converts its error records to errors. */
export async function askProcesses(
  host: NativeHost,
  {
    flow = 'output',
    running = false,
    levels = false,
  }: { flow?: AudioProcess['flow']; running?: boolean; levels?: boolean } = {},
): Promise<NativeProcess[]> {
  try {
    return await host.listProcesses({ inputs: flow === 'input', running, levels });
  } catch (record) {
    throw fromNative(record as NativeError);
  }
}

export function toPublicProcess(
  program: NativeProcess,
  flow: AudioProcess['flow'] = 'output',
  activeSince?: string,
): AudioProcess {
  const { pid, root, startTime, name, path, displayName, state, levelDb, volume, muted } = program;
  return Object.freeze({
    flow,
    pid,
    rootPid: root.pid,
    startTime: String(startTime),
    name,
    path,
    displayName,
    own: [program, ...program.ancestors].some((one) => one.pid === process.pid),
    state,
    activeSince,
    levelDb: levelDb ?? Number.NaN,
    volume,
    muted,
    devices: Object.freeze(program.devices),
  });
}
