import { AsyncResource } from 'node:async_hooks';
import { types } from 'node:util';

import { callListeners } from '../engine/call-listeners.js';
import type { DeviceSelector } from '../devices/devices.js';
import { AudioError, fromNative, isPermanent } from '../errors.js';
import { linkable } from '../streams/links.js';
import type {
  NativeProcess,
  NativeProcessId,
  NativeSelection,
  NativeStreamInfo,
  NativeTapEvent,
} from '../engine/native.js';
import {
  checkSelectors,
  describeSelector,
  ProcessTarget,
  type ProcessSelector,
} from '../devices/process-selector.js';
import {
  askProcesses,
  processKey,
  toPublicProcess,
  type AudioProcess,
} from '../devices/processes.js';
import {
  checkBoolean,
  checkObject,
  checkOneOf,
  invalidType,
  invalidValue,
  unsupported,
} from '../validate.js';
import { missedBefore } from './all-outputs.js';
import { AudioSource, type SourceTarget } from './audio-source.js';
import { checkSourceOptions, type SourceOptions } from './source-options.js';
import type { SourceEvents } from './source-reports.js';

/** Options of a {@link ProcessSource}. */
export interface ProcessOptions extends SourceOptions {
  /**
   * The programs: a process id; the name of a program (case and `.exe` are ignored); the path of its file; a `RegExp`
   * that matches its name, path or display name; an entry of `listAudioProcesses()`; or an array of these. 0 means
   * everything that the system plays. The capture includes all processes of the application, from its root.
   */
  process: ProcessSelector | readonly ProcessSelector[];
  /** Whether to capture these programs, or all programs except these. @default 'include' */
  mode?: 'include' | 'exclude' | undefined;
  /**
   * Programs to leave out of the included ones, such as a browser that the app itself has launched. @default none
   */
  except?: ProcessSelector | readonly ProcessSelector[] | undefined;
  /**
   * Whether the stream waits for a program that does not run yet, and for its restart after it has ended. If the program
   * was given by its process id, the stream recognises the restart by the file of the program. Without this option the
   * stream ends with the last process. @default false
   */
  waitForProcess?: boolean | undefined;
  /** Not available: the stream follows a program to whichever device it plays on. @default none */
  device?: never;
}

/** The stream of a program, in an `attach` or `detach` event. */
export interface ProcessTap {
  /** The process that plays the stream. */
  process: AudioProcess;
  /** The id of the output on which it plays; undefined if the system does not report it. */
  device: string | undefined;
}

/** Events of a {@link ProcessSource}, beside those of every source. */
export interface ProcessSourceEvents extends SourceEvents {
  /** The capture of a process begins. `missedMs` is how long it had already played. */
  attach: [tap: ProcessTap & { missedMs: number }];
  /** The capture of a process has ended. `error` is set if the process could not be captured. */
  detach: [tap: ProcessTap & { error?: AudioError }];
  /**
   * For about 2 s the stream has received only zeros from a program whose meter in the system moves: it protects what
   * it plays. The other programs are still recorded; if there are none, the stream emits `dead` as well. `frame` is the
   * position of the stream. PulseAudio and PipeWire have no such meters. Programs that the system captures together
   * have no such event: the processes of one application, and on Windows everything (`process: 0`), or everything
   * but one program.
   */
  processDead: [tap: ProcessTap & { frame: number }];
  /** The stream receives the sound of that program again. */
  processAlive: [tap: ProcessTap & { frame: number }];
}

/**
 * Records what selected programs play, and silence while they play nothing. If several programs play, or one program
 * plays several streams, it records their sum. It follows processes and streams when they start, end and move to
 * other devices. It runs on the host's clock, so sources with the same `startTime` stay aligned.
 *
 * On Windows a program is captured 8 to 20 ms later than by a `LoopbackSource` of its output, and its times say
 * the same: other projects have measured that on real machines. To align the two, give the `ProcessSource` a
 * `startTime` that is later by the difference.
 *
 * Fails with `ERR_AUDIO_PROCESS_NOT_FOUND` (the message lists the programs that play), `ERR_AUDIO_PERMISSION_DENIED`,
 * `ERR_AUDIO_UNSUPPORTED` if the system cannot capture programs, and `ERR_AUDIO_BACKEND_UNAVAILABLE`.
 *
 * @example
 * const game = new ProcessSource({ process: 'Game.exe', waitForProcess: true });
 * game.pipe(WavWriter.toFile('game.wav'));
 */
export class ProcessSource extends AudioSource<ProcessSourceEvents> {
  /** @internal */
  static readonly [linkable] = true;
  readonly #targets: ProcessTarget[];
  readonly #except: ProcessTarget[];
  readonly #everything: boolean;
  readonly #exclude: boolean;
  readonly #waits: boolean;
  /** All processes that were listed, for use in events. */
  readonly #known = new Map<string, AudioProcess>();
  /** Root processes of the captured programs that have not ended. */
  readonly #roots = new Map<string, NativeProcessId>();
  /** The captured streams, by process and device. A program may have several streams on one device. */
  readonly #attached = new Map<string, { tap: ProcessTap; streams: number }>();
  /** Events of the engine that wait until their process has been listed. */
  readonly #untold: NativeTapEvent[] = [];
  #selection = '';
  #selected: NativeSelection | undefined;
  #watch: number | undefined;
  #asking = false;
  #isStale = false;
  #over = false;
  #introducing = false;
  #tooEarly = false;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`,
   *   `ERR_AUDIO_UNSUPPORTED`, `ERR_AUDIO_NATIVE_LOAD_FAILED`.
   */
  constructor(options: ProcessOptions) {
    checkObject(options, 'options');
    const given = checkSourceOptions<ProcessOptions>(options, 'ProcessSource', [
      'process',
      'mode',
      'except',
      'waitForProcess',
    ]);
    const { process, mode = 'include', except, waitForProcess = false } = given;
    const { device, channelMap } = given;
    if (process === undefined) {
      throw invalidType('options.process', 'a program, or a list of them', process);
    }
    for (const [name, value] of Object.entries({ device, channelMap })) {
      if (value === undefined) continue;
      throw invalidValue(`options.${name}`, value, 'is not an option of ProcessSource');
    }
    const selectors = checkSelectors(process, 'options.process');
    checkOneOf(mode, 'options.mode', ['include', 'exclude']);
    checkBoolean(waitForProcess, 'options.waitForProcess');
    if (mode === 'exclude' && selectors.length === 0) {
      throw invalidValue('options.process', process, "must name programs with mode 'exclude'");
    }
    if (mode === 'exclude' && except !== undefined) {
      throw invalidValue('options.except', except, "is for mode 'include'");
    }
    const exceptions = except === undefined ? [] : checkSelectors(except, 'options.except');
    if (except !== undefined && exceptions.length === 0) {
      throw invalidValue('options.except', except, 'must name at least one program');
    }
    // A process has no device clock.
    super({ ...given, device: undefined, clock: 'device' }, 'output');
    this.#exclude = mode === 'exclude';
    this.#everything = selectors.length === 0;
    this.#waits = waitForProcess;
    const targets = (list: ProcessSelector[]): ProcessTarget[] =>
      list.map((one) => new ProcessTarget(one, waitForProcess));
    this.#targets = this.#exclude ? [] : targets(selectors);
    this.#except = targets(this.#exclude ? selectors : exceptions);
  }

  /** The programs that are captured at present. */
  get processes(): readonly AudioProcess[] {
    const taps = [...this.#attached.values()];
    return [...new Map(taps.map(({ tap }) => [processKey(tap.process), tap.process])).values()];
  }

  /** Always undefined, because programs play on several devices. */
  override get device(): undefined {
    return undefined;
  }

  /** Rejects with `ERR_AUDIO_UNSUPPORTED`, because the device of a program cannot be chosen. */
  override setDevice(_device: DeviceSelector): Promise<void> {
    return Promise.reject(
      unsupported(
        'setDevice() of a ProcessSource',
        'it follows programs to whichever device they play on',
      ),
    );
  }

  /** @internal */
  protected override findTarget(): Promise<SourceTarget> {
    return Promise.resolve({ id: 'processes' });
  }

  /** @internal Called at first, and again when the audio server has returned. */
  protected override async openTarget(): Promise<NativeStreamInfo> {
    const first = this.#watch === undefined;
    // Watch before the first list, so that no program that starts in between is missed.
    if (first && !this.#over)
      this.#watch = this.host.watchProcesses(AsyncResource.bind(() => void this.#follow()));
    const gone = [...this.#attached.values()];
    this.#attached.clear();
    for (const { tap } of gone) callListeners(() => this.emit('detach', tap));
    const selection = await this.#choose(await askProcesses(this.host), first);
    this.#remember(selection);
    const info = await this.openPrograms(selection);
    // The selection may have changed while the child process opened.
    if (this.#selected && this.#selected !== selection) this.isolated?.select(this.#selected);
    if (this.#tooEarly) void this.#follow();
    return info;
  }

  /** @internal */
  protected override attended(): void {
    for (const event of this.producer.takeTaps()) this.tapped(event);
  }

  /** @internal */
  protected override tapped(event: NativeTapEvent): void {
    this.#untold.push(event);
    void this.#tellInTurn();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stopFollowing();
    super._destroy(error, done);
  }

  override close(): Promise<void> {
    this.#stopFollowing();
    return super.close();
  }

  #stopFollowing(): void {
    this.#over = true;
    if (this.#watch !== undefined) this.host.unwatchProcesses(this.#watch);
    this.#watch = undefined;
  }

  // Selects the processes to capture among those that make sound.
  async #choose(sounding: NativeProcess[], first = false): Promise<NativeSelection> {
    this.#learn(sounding);
    const all = [...this.#targets, ...this.#except];
    const found = new Set(all.filter((target) => this.#match(target, sounding)));
    const missing = all.filter((target) => !found.has(target));
    if (first && missing.length > 0) {
      // A program that runs may not have played yet.
      const running = await askProcesses(this.host, { running: true });
      this.#learn(running);
      for (const target of missing) {
        const { selector } = target;
        // An excluded program need not run. But a process id that does not exist can only be a mistake.
        const must = this.#targets.includes(target) || typeof selector !== 'string';
        if (this.#match(target, running) || this.#waits || !must) continue;
        if (types.isRegExp(selector) && !this.#targets.includes(target)) continue;
        throw notFound(selector, sounding);
      }
    }
    return this.#select(sounding);
  }

  #match(target: ProcessTarget, processes: readonly NativeProcess[]): boolean {
    target.checkUnambiguous(processes);
    const matching = processes.filter((one) => target.matches(one));
    const roots = this.#targets.includes(target) ? this.#roots : this.#excludedRoots;
    for (const { root } of matching) roots.set(processKey(root), root);
    return matching.length > 0;
  }

  readonly #excludedRoots = new Map<string, NativeProcessId>();

  #select(sounding: readonly NativeProcess[]): NativeSelection {
    const include = [...this.#roots.values()];
    const exclude = [...this.#excludedRoots.values()];
    const everything = this.#everything || this.#exclude;
    // An excluded program may start at any time, and must not be heard before it is identified. Therefore all other
    // programs are included one by one.
    if (!everything || !this.#except.some((target) => target.open)) {
      return { everything, include, exclude };
    }
    const isOut = (id: NativeProcessId): boolean => this.#excludedRoots.has(processKey(id));
    const others = sounding.filter((one) => !isOut(one) && !one.ancestors.some(isOut));
    return { everything: false, include: others, exclude };
  }

  // Called on the JS thread when the system has reported a change.
  async #follow(): Promise<void> {
    this.#isStale = true;
    if (this.#asking) return;
    this.#asking = true;
    while (this.#isStale && !this.#over) {
      this.#isStale = false;
      try {
        await this.#look();
      } catch {
        break; // the stream ends with the error of a system that cannot be reached
      }
    }
    this.#asking = false;
  }

  async #look(): Promise<void> {
    // A change before the stream is open waits until it is.
    this.#tooEarly = this.#selection === '';
    if (this.#tooEarly) return;
    const sounding = await askProcesses(this.host);
    // A process that the system hides exists for as long as it has streams.
    for (const [key, root] of this.#roots) {
      if (root.startTime > 0n || sounding.some((one) => processKey(one.root) === key)) continue;
      this.#gone(root);
    }
    const selection = await this.#choose(sounding);
    if (this.#over || keyOf(selection) === this.#selection) return;
    this.#remember(selection);
    if (this.isIsolated) this.isolated?.select(selection);
    else await this.producer.selectProcesses(selection);
  }

  #remember(selection: NativeSelection): void {
    this.#selection = keyOf(selection);
    this.#selected = selection;
  }

  // The engine may report a process before it has been listed.
  async #tellInTurn(): Promise<void> {
    if (this.#introducing) return;
    this.#introducing = true;
    for (let event; (event = this.#untold[0]); this.#untold.shift()) {
      const names = event.type === 'attached' || event.type === 'dead';
      if (names && !this.#known.has(processKey(event.process))) {
        await askProcesses(this.host).then(
          (all) => this.#learn(all),
          () => {}, // the event is then emitted without a name
        );
        if (this.destroyed) return;
      }
      this.#report(event);
    }
    this.#introducing = false;
  }

  #learn(processes: readonly NativeProcess[]): void {
    for (const found of processes) this.#known.set(processKey(found), toPublicProcess(found));
  }

  #report(event: NativeTapEvent): void {
    const { type, process, deviceId, missedMs, error } = event;
    if (type === 'gone') return this.#gone(process);
    const known = this.#known.get(processKey(process)) ?? unknownProcess(process);
    const tap: ProcessTap = { process: known, device: deviceId || undefined };
    if (type === 'dead' || type === 'alive') {
      const frame = Math.max(0, Math.round(this.frameAt(event.time)));
      const name = type === 'dead' ? 'processDead' : 'processAlive';
      callListeners(() => this.emit(name, { ...tap, frame }));
      return;
    }
    const key = `${processKey(process)} ${deviceId}`;
    const streams = this.#attached.get(key)?.streams ?? 0;
    if (type === 'attached') {
      this.#attached.set(key, { tap, streams: streams + 1 });
      callListeners(() => this.emit('attach', { ...tap, missedMs }));
      const missed = missedBefore(this, event);
      if (missed) callListeners(() => this.emit('discontinuity', missed));
      return;
    }
    if (streams > 1) this.#attached.set(key, { tap, streams: streams - 1 });
    else this.#attached.delete(key);
    const failure = error && fromNative(error);
    callListeners(() => this.emit('detach', failure ? { ...tap, error: failure } : tap));
    // A program that can never be captured ends the stream if it is the only one. After any other failure the engine
    // tries again.
    if (!failure || !isPermanent(failure)) return;
    if (this.#attached.size === 0 && this.#roots.size === 1) this.destroy(failure);
  }

  #gone(id: NativeProcessId): void {
    this.#roots.delete(processKey(id));
    for (const target of this.#targets) target.end(id);
    if (this.#targets.length === 0 || this.#roots.size > 0 || this.#waits || this.#over) return;
    this.close().catch((error: Error) => this.destroy(error));
  }
}

function keyOf({ everything, include, exclude }: NativeSelection): string {
  const keys = (ids: readonly NativeProcessId[]): string => ids.map(processKey).sort().join();
  return `${everything} ${keys(include)} ${keys(exclude)}`;
}

function notFound(selector: ProcessSelector, sounding: readonly NativeProcess[]): AudioError {
  const names = sounding.map((one) => `'${one.name}' (${one.pid})`);
  const shown = names.length > 20 ? [...names.slice(0, 20), 'and others'] : names;
  return new AudioError(
    'ERR_AUDIO_PROCESS_NOT_FOUND',
    `could not find ${describeSelector(selector)} to capture`,
    {
      remedy: shown.length
        ? `These programs make sound: ${shown.join(', ')}. Use waitForProcess to wait for a program that has not started`
        : 'No program makes sound. Use waitForProcess to wait for a program that has not started',
    },
  );
}

// The description of a process that ended before it was listed.
function unknownProcess({ pid, startTime }: NativeProcessId): AudioProcess {
  return {
    flow: 'output',
    pid,
    rootPid: pid,
    startTime: String(startTime),
    name: '',
    path: '',
    displayName: '',
    own: false,
    state: 'silent',
    activeSince: undefined,
    levelDb: Number.NaN,
    volume: 1,
    muted: false,
    devices: [],
  };
}
