import { AsyncResource } from 'node:async_hooks';

import { callListeners } from '../engine/call-listeners.js';
import type { DeviceSelector } from '../devices/devices.js';
import { AudioError, fromNative, isPermanent, type NativeError } from '../errors.js';
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
import { AudioSource, type SourceTarget } from './audio-source.js';
import { checkSourceOptions, type SourceOptions } from './source-options.js';
import type { SourceEvents } from './source-reports.js';

/** Options of a {@link ProcessSource}. */
export interface ProcessOptions extends SourceOptions {
  /**
   * A process number; a program's name, case and `.exe` ignored; the path of its file; a `RegExp` of its
   * name, path or display name; one of `listAudioProcesses()`; or several of them. 0: everything that
   * the system plays. What is captured is the application's whole tree of processes, from its root.
   */
  process: ProcessSelector | readonly ProcessSelector[];
  /** Whether these programs are heard, or everything but these. @default 'include' */
  mode?: 'include' | 'exclude' | undefined;
  /**
   * Programs that are left out of what is included, such as the browser that the app launched. @default none
   */
  except?: ProcessSelector | readonly ProcessSelector[] | undefined;
  /**
   * Waits for a program that does not run yet, and again when it has ended: its restart is captured. A
   * number means that one process; its restart is known by its file. Otherwise the stream ends with the
   * last process. @default false
   */
  waitForProcess?: boolean | undefined;
  /** A program has no device: the stream follows it to where it plays. @default none */
  device?: never;
}

/** A program's stream, in an `attach` or `detach` event. */
export interface ProcessTap {
  /** The process whose stream it is. */
  process: AudioProcess;
  /** The id of the output that it plays to; undefined where the system does not tell. */
  device: string | undefined;
}

/** Events of a {@link ProcessSource}, beside those of every source. */
export interface ProcessSourceEvents extends SourceEvents {
  /** A process is heard from now on. `missedMs`: how much it had played before that. */
  attach: [tap: ProcessTap & { missedMs: number }];
  /** A process is no longer heard; `error`: it could not be. */
  detach: [tap: ProcessTap & { error?: AudioError }];
}

/**
 * What programs play, and nothing else; silence while they play nothing. Where several play, or one has
 * several streams, it is their sum. Processes and streams are followed as they come, go and move from
 * device to device. Its frames are those of the host's clock: sources of one `startTime` stay aligned.
 *
 * Fails with `ERR_AUDIO_PROCESS_NOT_FOUND` (with who plays), `ERR_AUDIO_PERMISSION_DENIED`,
 * `ERR_AUDIO_UNSUPPORTED` where the system cannot capture programs, `ERR_AUDIO_BACKEND_UNAVAILABLE`.
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
  /** Everybody who was listed, so that events can say who it was. */
  readonly #known = new Map<string, AudioProcess>();
  /** Roots that are captured, or left out, and have not ended. */
  readonly #roots = new Map<string, NativeProcessId>();
  /** By process and device: a program may have several streams on one. */
  readonly #attached = new Map<string, { tap: ProcessTap; streams: number }>();
  /** What the engine told, and waits here for who it is about. */
  readonly #untold: NativeTapEvent[] = [];
  #selection = '';
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
    // A process has no device whose clock could be followed.
    super({ ...given, device: undefined, clock: 'device' }, 'output');
    this.#exclude = mode === 'exclude';
    this.#everything = selectors.length === 0;
    this.#waits = waitForProcess;
    const targets = (list: ProcessSelector[]): ProcessTarget[] =>
      list.map((one) => new ProcessTarget(one, waitForProcess));
    this.#targets = this.#exclude ? [] : targets(selectors);
    this.#except = targets(this.#exclude ? selectors : exceptions);
  }

  /** The programs that are captured at this moment. */
  get processes(): readonly AudioProcess[] {
    const taps = [...this.#attached.values()];
    return [...new Map(taps.map(({ tap }) => [processKey(tap.process), tap.process])).values()];
  }

  /** A program has no device that could be changed: rejects with `ERR_AUDIO_UNSUPPORTED`. */
  override setDevice(_device: DeviceSelector): Promise<void> {
    return Promise.reject(
      unsupported('setDevice() of a ProcessSource', 'programs are followed wherever they play'),
    );
  }

  /** @internal */
  protected override findTarget(): Promise<SourceTarget> {
    return Promise.resolve({ id: 'processes' });
  }

  /** @internal First, and again when the audio server is back. */
  protected override async openTarget(): Promise<NativeStreamInfo> {
    const first = this.#watch === undefined;
    // Before the first look, so that nobody who comes meanwhile is missed.
    if (first && !this.#over)
      this.#watch = this.host.watchProcesses(AsyncResource.bind(() => void this.#follow()));
    const gone = [...this.#attached.values()];
    this.#attached.clear();
    for (const { tap } of gone) callListeners(() => this.emit('detach', tap));
    const selection = await this.#choose(await askProcesses(this.host), first);
    this.#selection = keyOf(selection);
    let info: NativeStreamInfo;
    try {
      info = await this.producer.openProcesses(selection, 10);
    } catch (record) {
      throw fromNative(record as NativeError);
    }
    if (this.#tooEarly) void this.#follow();
    return info;
  }

  /** @internal */
  protected override attended(): void {
    this.#untold.push(...this.producer.takeTaps());
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

  // Who is to be heard, of those who make sound.
  async #choose(sounding: NativeProcess[], first = false): Promise<NativeSelection> {
    this.#learn(sounding);
    const all = [...this.#targets, ...this.#except];
    const found = new Set(all.filter((target) => this.#match(target, sounding)));
    const missing = all.filter((target) => !found.has(target));
    if (first && missing.length > 0) {
      // A program need not play yet.
      const running = await askProcesses(this.host, { running: true });
      this.#learn(running);
      for (const target of missing) {
        const { selector } = target;
        // To leave out a program that does not run is no mistake; a number can only be one.
        const must = this.#targets.includes(target) || typeof selector !== 'string';
        if (this.#match(target, running) || this.#waits || !must) continue;
        if (selector instanceof RegExp && !this.#targets.includes(target)) continue;
        throw notFound(selector, sounding);
      }
    }
    return this.#select(sounding);
  }

  #match(target: ProcessTarget, processes: readonly NativeProcess[]): boolean {
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
    // Someone who is to be left out may begin at any time, and must not be heard until he is
    // recognised: so everybody else is included by name.
    if (!everything || !this.#except.some((target) => target.open)) {
      return { everything, include, exclude };
    }
    const isOut = (id: NativeProcessId): boolean => this.#excludedRoots.has(processKey(id));
    const others = sounding.filter((one) => !isOut(one) && !one.ancestors.some(isOut));
    return { everything: false, include: others, exclude };
  }

  // JS thread, when the system announced that something changed.
  async #follow(): Promise<void> {
    this.#isStale = true;
    if (this.#asking) return;
    this.#asking = true;
    while (this.#isStale && !this.#over) {
      this.#isStale = false;
      try {
        await this.#look();
      } catch {
        break; // a system that cannot be asked has ended the stream, which says so
      }
    }
    this.#asking = false;
  }

  async #look(): Promise<void> {
    // News from between the first look and the opening wait for it.
    this.#tooEarly = this.#selection === '';
    if (this.#tooEarly) return;
    const sounding = await askProcesses(this.host);
    // Of one that cannot be seen only its streams tell that it is there.
    for (const [key, root] of this.#roots) {
      if (root.startTime !== 0n || sounding.some((one) => processKey(one.root) === key)) continue;
      this.#gone(root);
    }
    const selection = await this.#choose(sounding);
    const key = keyOf(selection);
    if (this.#over || key === this.#selection) return;
    this.#selection = key;
    await this.producer.selectProcesses(selection);
  }

  // The engine may know of a program before anybody has listed it.
  async #tellInTurn(): Promise<void> {
    if (this.#introducing) return;
    this.#introducing = true;
    for (let event; (event = this.#untold[0]); this.#untold.shift()) {
      if (event.type === 'attached' && !this.#known.has(processKey(event.process))) {
        await askProcesses(this.host).then(
          (all) => this.#learn(all),
          () => {}, // it is told without a name
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

  #report({ type, process, deviceId, time, missedMs, error }: NativeTapEvent): void {
    if (type === 'gone') return this.#gone(process);
    const known = this.#known.get(processKey(process)) ?? unknownProcess(process);
    const tap: ProcessTap = { process: known, device: deviceId || undefined };
    const key = `${processKey(process)} ${deviceId}`;
    const streams = this.#attached.get(key)?.streams ?? 0;
    if (type === 'attached') {
      this.#attached.set(key, { tap, streams: streams + 1 });
      callListeners(() => this.emit('attach', { ...tap, missedMs }));
      const frames = Math.round((missedMs * this.format.sampleRate) / 1000);
      if (frames === 0) return;
      const frame = Math.max(0, Math.round(this.frameAt(time)) - frames);
      callListeners(() =>
        this.emit('discontinuity', { frame, frames, filled: true, reason: 'attach' }),
      );
      return;
    }
    if (streams > 1) this.#attached.set(key, { tap, streams: streams - 1 });
    else this.#attached.delete(key);
    const failure = error && fromNative(error);
    callListeners(() => this.emit('detach', failure ? { ...tap, error: failure } : tap));
    // Nothing will come from one program that can never be captured. The engine tries again after any
    // other failure.
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
        ? `Making sound: ${shown.join(', ')}; waitForProcess waits for one that is yet to start`
        : 'No program makes sound; waitForProcess waits for one that is yet to start',
    },
  );
}

// One that had ended before it was ever listed.
function unknownProcess({ pid, startTime }: NativeProcessId): AudioProcess {
  return {
    pid,
    rootPid: pid,
    startTime: String(startTime),
    name: '',
    path: '',
    displayName: '',
    state: 'silent',
    levelDb: Number.NaN,
    volume: 1,
    muted: false,
    devices: [],
  };
}
