import { AsyncResource } from 'node:async_hooks';

import { Deferred } from '../engine/deferred.js';
import { followsDefault, type AudioDevice, type DeviceSelector } from './devices.js';
import { AudioError, closedEarly, isPermanent } from '../errors.js';
import type { NativeHost } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';
import { checkNumber, checkObject, checkOptions } from '../validate.js';
import { Patience } from './patience.js';

/** How long a stream waits for its device to come back. */
export interface RecoverOptions {
  /**
   * How long the stream waits, in ms, before it fails with `ERR_AUDIO_DEVICE_LOST`. Time in which the machine sleeps
   * does not count. A sink also waits that long for a device that exists but plays none of the written audio.
   * @default 60000
   */
  giveUpAfterMs?: number | undefined;
}

/** Why a stream changed its device, or looks for one. */
export type DeviceChangeReason = 'deviceLost' | 'defaultChange' | 'setDevice';

/** A change of a stream's device. */
export interface DeviceChange {
  /** The device before; undefined if there was none. */
  from: AudioDevice | undefined;
  /** The present device; undefined if there is none. */
  to: AudioDevice | undefined;
  /** The cause of the change. */
  reason: DeviceChangeReason;
}

/** Events of a stream that loses or changes its device and continues. */
export interface DeviceEvents {
  /** The device is gone. The stream continues with silence, and waits for a device. */
  rebuild: [event: { error: AudioError; device: AudioDevice | undefined }];
  /** The stream has a device again. If it is another one, `deviceChange` has been emitted before. */
  recovered: [event: { device: AudioDevice | undefined }];
  /** The stream has another device than before, or none, or one again. */
  deviceChange: [event: DeviceChange];
}

/** A request to find a device for a stream. */
export interface DeviceSearch<Found> {
  selector: DeviceSelector;
  /** The device that is open, or was open until it was lost; undefined if the selector is new. */
  previous: Found | undefined;
  lost: boolean;
}

/** The operations on a stream that its keeper uses. */
export interface DeviceActions<Found> {
  readonly host: NativeHost;
  find(search: DeviceSearch<Found>): Promise<Found>;
  /** Whether a selector has found the device that is open. */
  same(found: Found, current: Found): boolean;
  /** Opens a device in place of the present one, which stays open if this fails. */
  open(found: Found): Promise<void>;
  /** Closes a device that is gone. */
  leave(): Promise<void>;
  /** Called when a device is no longer needed. Never fails. */
  release(found: Found): Promise<void>;
  device(found: Found): AudioDevice | undefined;
  /** Calls listeners later, so that an exception of a listener does not get here. */
  emit<E extends keyof DeviceEvents>(event: E, ...values: DeviceEvents[E]): void;
  /** Called when devices of the system, or their settings, have changed. */
  devicesChanged?(): void;
  /** Called when the stream can have no device any more, or has waited for too long. */
  fail(error: Error): void;
}

// The waits between attempts in ms. The last one repeats. A notification of the system ends a wait early.
const delaysMs = [100, 250, 500, 1000, 3000];
// A device that stayed for at least this long counts as returned. If it is lost sooner, the stream keeps waiting as
// if it had not returned.
const wellMs = 3000;
const shortlyMs = 200;
// The waits in which a device that was found at the start, and was then replaced, comes back: a card that changes its
// profile removes its devices and adds others.
const replacedDelaysMs = [0, 100, 250, 500];
// Without a connection there are no notifications, and an attempt to connect costs little.
const unreachableDelayMs = 250;

interface Request {
  selector: DeviceSelector;
  /** Whether to reopen the present device, because its options have changed. */
  reopens: boolean;
  done: Deferred<void>;
}

/** How long to wait for a device, in ms; 0 if the stream does not wait. */
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
 * Keeps a stream on its device: opens the device, waits for its return when it is lost, follows the system's default,
 * and changes the device on request.
 */
export class DeviceKeeper<Found> {
  readonly #actions: DeviceActions<Found>;
  readonly #patienceMs: number;
  readonly #patience: Patience;
  #selector: DeviceSelector;
  #request: Request | undefined;
  #current: Found | undefined;
  /** Why there is no device; undefined if there is one. */
  #loss: AudioError | undefined;
  #reason: DeviceChangeReason = 'deviceLost';
  /** Attempts to open the present target. */
  #tries = 0;
  /** When a device last returned. */
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
    this.#patience = new Patience(timersOf(actions.host), this.#patienceMs);
    this.#actions = actions;
    this.#selector = selector;
  }

  /** The device that is open, or was open until it was lost. */
  get current(): Found | undefined {
    return this.#current;
  }

  /** Why the device last changed or was lost. */
  get reason(): DeviceChangeReason {
    return this.#reason;
  }

  /** Opens the first device. Any failure is an error, but a device may be replaced while it is opened. */
  start(): Promise<void> {
    return this.#do(async () => {
      this.#isStarting = true;
      let isReplaced = false;
      for (const delayMs of [...replacedDelaysMs, undefined]) {
        try {
          await this.#timeless(() => this.#openFirst());
          break;
        } catch (error) {
          const { code } = error as Partial<AudioError>;
          const isGone = code === 'ERR_AUDIO_DEVICE_NOT_FOUND' || code === 'ERR_AUDIO_DEVICE_LOST';
          isReplaced ||= this.#current !== undefined;
          if (!isGone || !isReplaced || delayMs === undefined || this.#stopped) throw error;
          const before = this.#current;
          this.#current = undefined;
          if (before !== undefined) await this.#actions.release(before);
          if (delayMs > 0) await this.#sleep(delayMs);
          if (this.#stopped) throw error;
        }
      }
      this.#isStarting = false;
      if (this.#patienceMs > 0 && !this.#stopped)
        this.#actions.host.watch(AsyncResource.bind(() => this.#notice()));
    });
  }

  async #openFirst(): Promise<void> {
    const found = await this.#actions.find({
      selector: this.#selector,
      previous: undefined,
      lost: false,
    });
    if (this.#stopped) return this.#actions.release(found);
    // Also if opening it fails, so that it is released.
    this.#current = found;
    await this.#actions.open(found);
  }

  /** Called when the engine reports that the device is gone. */
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
      this.#patience.renew();
    } else this.#patience.spend(since);
    this.#loss = error;
    this.#reason = 'deviceLost';
    this.#converge();
  }

  /** Changes to another device. If that is not possible, rejects and changes nothing. */
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

  /** Reopens the present device, because its options have changed. */
  async reopen(): Promise<void> {
    while (this.#request) await this.#request.done.promise.catch(() => {});
    await this.change(this.#selector, true);
  }

  /**
   * Resolves when no operation is pending. An open device stays open. If the start takes long because the audio
   * system does not answer, this does not wait for it; the engine closes the device as soon as it is open.
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
      // Changes that were reported meanwhile.
      if (this.#changed || this.#loss || this.#request) this.#converge();
    };
    doing.then(over, () => {});
    return doing;
  }

  // With a manual clock, time stands still until this has ended.
  #timeless<T>(work: () => Promise<T>): Promise<T> {
    const doing = work();
    timersOf(this.#actions.host).during(doing);
    return doing;
  }

  #converge(): void {
    if (this.#work || this.#stopped) return;
    void this.#do(() => this.#seek()).catch((error: Error) => this.#actions.fail(error));
  }

  // Runs until the stream is on the right device, or has waited for too long.
  async #seek(): Promise<void> {
    let expired = false;
    let failure: AudioError | undefined;
    if (!this.#loss) {
      this.#tries = 0;
      this.#patience.renew();
    }
    const endPatience = this.#patience.count(() => {
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
        if (this.#changed) this.#tries = 0; // after a change the first waits are short again
        ++this.#tries;
        failure = await this.#timeless(() => this.#attempt());
        if (!failure || this.#stopped) return;
        // If the new default cannot be opened, the stream stays on the old one.
        if (this.#loss && (expired || isPermanent(failure))) throw this.#lostFor(failure);
        if (expired) return;
      }
    } finally {
      endPatience();
    }
  }

  /** The error of the attempt; undefined if nothing is left to do. */
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
      // The device was lost again while it was being opened, so try again.
      if (this.#loss === lossBefore) this.#loss = undefined;
      // Also where the selected device is back, and the stream was on another one of its name.
      const returned = lossBefore || !followsDefault(this.#selector);
      this.#reason = request ? 'setDevice' : returned ? 'deviceLost' : 'defaultChange';
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
    return this.#sleep(ms);
  }

  #sleep(ms: number): Promise<void> {
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
      `'${device?.name ?? 'The device'}' was lost and did not come back within ${seconds} s: ` +
        `${this.#loss?.message ?? failure.message}`,
      { deviceId: device?.id, cause: failure, remedy },
    );
  }
}

/** Waits for the work, but only for a short time. */
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
