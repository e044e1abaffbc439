import { AsyncResource } from 'node:async_hooks';

import { Deferred } from '../engine/deferred.js';
import type { AudioDevice, DeviceSelector } from './devices.js';
import { AudioError, closedEarly, isPermanent } from '../errors.js';
import type { NativeHost } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';
import { checkNumber, checkObject, checkOptions } from '../validate.js';

/** How long a stream waits for its device to come back. */
export interface RecoverOptions {
  /**
   * How long the stream waits, ms; then it fails with `ERR_AUDIO_DEVICE_LOST`. A sink also waits so long for a device
   * that is there and plays nothing of what was written. @default 60000
   */
  giveUpAfterMs?: number | undefined;
}

/** Why a stream went from one device to another, or looks for one. */
export type DeviceChangeReason = 'deviceLost' | 'defaultChange' | 'setDevice';

/** A stream has another device than before. */
export interface DeviceChange {
  /** The device that the stream had; undefined: none. */
  from: AudioDevice | undefined;
  /** The device that the stream has now; undefined: none. */
  to: AudioDevice | undefined;
  /** Why the device is another one. */
  reason: DeviceChangeReason;
}

/** Events of a stream that loses or changes its device and continues. */
export interface DeviceEvents {
  /** The device is gone. The stream goes on, as silence, and waits for it. */
  rebuild: [event: { error: AudioError; device: AudioDevice | undefined }];
  /** There is a device again; if it is another one, `deviceChange` has been emitted before. */
  recovered: [event: { device: AudioDevice | undefined }];
  /** The stream has another device, or none, or one again. */
  deviceChange: [event: DeviceChange];
}

/** Which device a stream needs. */
export interface DeviceSearch<Found> {
  selector: DeviceSelector;
  /** What is open, or was until it was lost; undefined: the selector is new. */
  previous: Found | undefined;
  lost: boolean;
}

/** What a stream lets its keeper do. */
export interface DeviceActions<Found> {
  readonly host: NativeHost;
  find(search: DeviceSearch<Found>): Promise<Found>;
  /** Whether a selector means the same as what is open. */
  same(found: Found, current: Found): boolean;
  /** Opens it in place of what is open; when that fails, what is open goes on. */
  open(found: Found): Promise<void>;
  /** Lets go of a device that is gone. */
  leave(): Promise<void>;
  /** No longer needed; never fails. */
  release(found: Found): Promise<void>;
  device(found: Found): AudioDevice | undefined;
  /** Calls listeners, some time soon: what they throw is theirs. */
  emit<E extends keyof DeviceEvents>(event: E, ...values: DeviceEvents[E]): void;
  /** The system's devices are not what they were: which ones exist, or how they are set. */
  devicesChanged?(): void;
  /** There is no hope, or no patience, left. */
  fail(error: Error): void;
}

// The waits between attempts; the last one repeats. A notification of the system ends a wait early.
const delaysMs = [100, 250, 500, 1000, 3000];
// A device that lived for so long was well; one that is lost sooner is not taken for returned, and is
// waited for as if it had never come.
const wellMs = 3000;
const shortlyMs = 200;
// Without a connection no notification can come, and asking for one costs next to nothing.
const unreachableDelayMs = 250;

interface Request {
  selector: DeviceSelector;
  /** What is open is opened once more, with other options. */
  reopens: boolean;
  done: Deferred<void>;
}

/** How long to wait for a device, ms; 0: not at all. */
export function patienceOf(recover: boolean | RecoverOptions | undefined): number {
  if (recover === false) return 0;
  if (recover === undefined || recover === true) return 60_000;
  const { giveUpAfterMs = 60_000 } = checkOptions<RecoverOptions>(
    checkObject(recover, 'options.recover'),
    'recover',
    ['giveUpAfterMs'],
    'options.recover',
  );
  return checkNumber(giveUpAfterMs, 'options.recover.giveUpAfterMs', 1, 1e9);
}

/**
 * Keeps a stream on its device: opens it, waits for it when it goes, follows the system's
 * default, changes it when asked.
 */
export class DeviceKeeper<Found> {
  readonly #actions: DeviceActions<Found>;
  readonly #patienceMs: number;
  #selector: DeviceSelector;
  #request: Request | undefined;
  #current: Found | undefined;
  /** Why there is no device; undefined: there is one. */
  #loss: AudioError | undefined;
  #reason: DeviceChangeReason = 'deviceLost';
  /** Attempts to get what is wanted now. */
  #tries = 0;
  /** When a device that was well went. */
  #lostAt = 0n;
  /** When one last came back. */
  #recoveredAt: bigint | undefined;
  #work: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #changed = false;
  #isStarting = false;
  #stopped = false;

  constructor(
    actions: DeviceActions<Found>,
    selector: DeviceSelector,
    recover: boolean | RecoverOptions | undefined,
  ) {
    this.#patienceMs = patienceOf(recover);
    this.#actions = actions;
    this.#selector = selector;
  }

  /** What is open, or was until it went. */
  get current(): Found | undefined {
    return this.#current;
  }

  /** Why the device was last another one, or away. */
  get reason(): DeviceChangeReason {
    return this.#reason;
  }

  /** For the first time: whatever goes wrong is an error. */
  start(): Promise<void> {
    return this.#do(() =>
      this.#timeless(async () => {
        this.#isStarting = true;
        const found = await this.#actions.find({
          selector: this.#selector,
          previous: undefined,
          lost: false,
        });
        if (this.#stopped) return this.#actions.release(found);
        // Also when opening it fails: it is to be let go of.
        this.#current = found;
        await this.#actions.open(found);
        this.#isStarting = false;
        if (this.#patienceMs > 0 && !this.#stopped)
          this.#actions.host.watch(AsyncResource.bind(() => this.#notice()));
      }),
    );
  }

  /** The engine says that the device is gone. */
  lost(error: AudioError): void {
    if (this.#stopped) return;
    if (this.#patienceMs === 0) {
      this.#actions.fail(error);
      return;
    }
    const now = this.#actions.host.now();
    const since =
      this.#recoveredAt === undefined ? Infinity : Number(now - this.#recoveredAt) / 1e6;
    if (since > wellMs) {
      this.#tries = 0;
      this.#lostAt = now;
    }
    this.#loss = error;
    this.#reason = 'deviceLost';
    this.#converge();
  }

  /** Goes to another device; rejects, and nothing changes, when that cannot be. */
  change(selector: DeviceSelector, reopens = false): Promise<void> {
    this.#request?.done.reject(superseded());
    const done = new Deferred<void>();
    if (this.#stopped) {
      done.reject(stoppedEarly());
      return done.promise;
    }
    this.#request = { selector, reopens, done };
    this.#wake?.();
    this.#converge();
    return done.promise;
  }

  /** Finds and opens the same once more, because it is to be opened in another way. */
  async reopen(): Promise<void> {
    while (this.#request) await this.#request.done.promise.catch(() => {});
    await this.change(this.#selector, true);
  }

  /**
   * Resolves when nothing is under way any more. What is open stays open. A start that takes long, because the audio
   * system does not answer, is not waited for: the engine closes what it opens right behind it.
   */
  async stop(): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = true;
      this.#actions.host.watch(null);
      this.#wake?.();
    }
    const work = this.#work?.catch(() => {});
    await (this.#isStarting ? shortly(work) : work);
    this.#request?.done.reject(stoppedEarly());
    this.#request = undefined;
  }

  #notice(): void {
    this.#changed = true;
    this.#actions.devicesChanged?.();
    this.#wake?.();
    this.#converge();
  }

  #do(work: () => Promise<void>): Promise<void> {
    const doing = work();
    this.#work = doing;
    const over = (): void => {
      this.#work = undefined;
      // What was noticed meanwhile.
      if (this.#changed || this.#loss || this.#request) this.#converge();
    };
    doing.then(over, () => {});
    return doing;
  }

  // In a simulated world it is over before time goes on.
  #timeless<T>(work: () => Promise<T>): Promise<T> {
    const doing = work();
    timersOf(this.#actions.host).during(doing);
    return doing;
  }

  #converge(): void {
    if (this.#work || this.#stopped) return;
    void this.#do(() => this.#seek()).catch((error: Error) => this.#actions.fail(error));
  }

  // Until the stream is on the device that it is meant to be on, or patience ends.
  async #seek(): Promise<void> {
    const { host } = this.#actions;
    let expired = false;
    let failure: AudioError | undefined;
    if (!this.#loss) this.#tries = 0;
    const waitedMs = this.#loss ? Number(host.now() - this.#lostAt) / 1e6 : 0;
    const endPatience = timersOf(host).after(Math.max(0, this.#patienceMs - waitedMs), () => {
      expired = true;
      this.#wake?.();
    });
    try {
      for (let reported = false; ;) {
        if (this.#loss && !reported) {
          reported = true;
          this.#actions.emit('rebuild', { error: this.#loss, device: this.#device() });
          await this.#timeless(() => this.#actions.leave());
        }
        if (this.#tries > 0 && !expired) await this.#wait(failure);
        if (this.#stopped) return;
        if (this.#changed) this.#tries = 0; // news are a reason for new haste
        ++this.#tries;
        failure = await this.#timeless(() => this.#attempt());
        if (!failure || this.#stopped) return;
        // Where the new default cannot be had, the old one goes on.
        if (this.#loss && (expired || isPermanent(failure))) throw this.#lostFor(failure);
        if (expired) return;
      }
    } finally {
      endPatience();
    }
  }

  /** Why it failed; undefined: there is nothing left to do. */
  async #attempt(): Promise<AudioError | undefined> {
    const request = this.#request;
    const lossBefore = this.#loss;
    this.#changed = false;
    let found: Found | undefined;
    try {
      found = await this.#actions.find({
        selector: request?.selector ?? this.#selector,
        previous: request && !request.reopens ? undefined : this.#current,
        lost: this.#loss !== undefined,
      });
      const current = this.#current;
      const stays = current !== undefined && this.#actions.same(found, current);
      if (this.#stopped || (stays && !this.#loss && !request?.reopens)) {
        if (!stays) await this.#actions.release(found);
        this.#settle(request);
        return undefined;
      }
      await this.#actions.open(found);
      if (lossBefore) this.#recoveredAt = this.#actions.host.now();
      if (current !== undefined && current !== found) await this.#actions.release(current);
      const from = this.#device();
      this.#current = found;
      // Lost again while it was being opened: once more.
      if (this.#loss === lossBefore) this.#loss = undefined;
      this.#reason = request ? 'setDevice' : lossBefore ? 'deviceLost' : 'defaultChange';
      const to = this.#device();
      if (from?.id !== to?.id)
        this.#actions.emit('deviceChange', { from, to, reason: this.#reason });
      if (lossBefore) this.#actions.emit('recovered', { device: to });
      this.#settle(request);
      return undefined;
    } catch (thrown) {
      if (found !== undefined && found !== this.#current) await this.#actions.release(found);
      if (!(thrown instanceof AudioError)) throw thrown;
      if (!request || request !== this.#request) return thrown;
      this.#request = undefined;
      request.done.reject(thrown);
      return this.#loss ? thrown : undefined;
    }
  }

  #settle(request: Request | undefined): void {
    if (!request) return;
    this.#selector = request.selector;
    if (this.#request === request) this.#request = undefined;
    request.done.resolve();
  }

  #wait(failure: AudioError | undefined): Promise<void> {
    const planned = delaysMs[Math.min(this.#tries, delaysMs.length) - 1];
    const unreachable = failure?.code === 'ERR_AUDIO_BACKEND_UNAVAILABLE';
    const ms = unreachable ? Math.min(planned, unreachableDelayMs) : planned;
    if (this.#changed || this.#request || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const callOff = timersOf(this.#actions.host).after(ms, () => this.#wake?.());
      this.#wake = () => {
        callOff();
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #device(): AudioDevice | undefined {
    return this.#current === undefined ? undefined : this.#actions.device(this.#current);
  }

  #lostFor(failure: AudioError): AudioError {
    const { remedy } = failure;
    if (isPermanent(failure)) return failure;
    const device = this.#device();
    const seconds = this.#patienceMs / 1000;
    return new AudioError(
      'ERR_AUDIO_DEVICE_LOST',
      `'${device?.name ?? 'The device'}' was lost, and did not come back within ${seconds} s: ` +
        `${this.#loss?.message ?? failure.message}`,
      { deviceId: device?.id, cause: failure, remedy },
    );
  }
}

/** Resolves with the work, or soon without it. */
export async function shortly(work: Promise<void> | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, shortlyMs)));
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function stoppedEarly(): Error {
  return closedEarly('The stream was closed before it had changed its device');
}

function superseded(): Error {
  return Object.assign(new Error('Another setDevice() came before this one was done'), {
    name: 'AbortError',
    code: 'ABORT_ERR',
  });
}
