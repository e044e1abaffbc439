import { AsyncResource } from 'node:async_hooks';

import { callListeners } from '../engine/call-listeners.js';
import { openBackend, type BackendOption } from '../engine/backend.js';
import { Deferred } from '../engine/deferred.js';
import { AudioError, closedEarly, fromNative, type NativeError } from '../errors.js';
import type { DeviceTransport } from '../engine/device-transports.js';
import type { AudioFormat } from '../format/format.js';
import type { NativeDevice, NativeHost } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';
import { TypedEmitter, type EmitterEvents } from '../engine/typed-events.js';
import { checkOneOf, checkOptions, checkString, invalidType } from '../validate.js';

export type { DeviceTransport };

/** The purpose for which a device is the default. */
export type DeviceRole = 'console' | 'communications';

/** Whether a device can be used. */
export type DeviceState = 'active' | 'disabled' | 'notPresent' | 'unplugged';

/** A device of the audio system, as of the time when it was listed. */
export interface AudioDevice {
  /** The id of the device. It is valid for as long as the device exists. Pass it as the `device` option. */
  readonly id: string;
  /** The name that the system shows to users. */
  readonly name: string;
  /** `input` for microphones, `output` for loudspeakers and for the end of a cable that programs play to. */
  readonly flow: 'input' | 'output';
  /** `active`, or the reason why the device cannot be used. */
  readonly state: DeviceState;
  /** The roles in which the device is the default; empty if it is not a default. */
  readonly defaultRoles: readonly DeviceRole[];
  /** The format of the device itself. Streams convert it to their own format. */
  readonly format: Readonly<AudioFormat>;
  /** Whether the device has no hardware, such as a cable or a null sink. */
  readonly virtual: boolean;
  /** How the device is connected to the machine. */
  readonly transport: DeviceTransport;
  /**
   * Whether the device is the hands-free end of a Bluetooth headset. While a program records its microphone, the headset
   * plays in the quality of a telephone, and its end for music is silent.
   */
  readonly handsFree: boolean;
  /**
   * True if the system has no output, and the audio server has created this one in its place: what programs play to it is
   * not heard. Absent otherwise.
   */
  readonly standIn?: true;
  /** The system's name for the driver or module of the device. */
  readonly driver?: string;
}

/** Which devices to list, and where. */
export interface ListDevicesOptions extends BackendOption {
  /** Lists only microphones (`input`), or only loudspeakers (`output`). @default both */
  flow?: 'input' | 'output' | undefined;
  /** Lists only devices in this state. @default 'active' */
  state?: DeviceState | 'all' | undefined;
}

/**
 * Lists the devices of the system.
 *
 * @throws `ERR_AUDIO_BACKEND_UNAVAILABLE` if there is no audio server (the message says what to start),
 *   `ERR_AUDIO_NATIVE_LOAD_FAILED`.
 *
 * @example
 * for (const { name, id } of await listDevices({ flow: 'input' })) console.log(name, id);
 */
export async function listDevices(options?: ListDevicesOptions): Promise<AudioDevice[]> {
  const given = checkOptions(options, 'listDevices', ['flow', 'state', 'backend']);
  const { flow, state = 'active' } = given;
  if (flow !== undefined) checkOneOf(flow, 'options.flow', ['input', 'output']);
  checkOneOf(state, 'options.state', ['active', 'disabled', 'notPresent', 'unplugged', 'all']);
  const devices = await askDevices(openBackend(given));
  return devices
    .filter((one) => (!flow || one.flow === flow) && (state === 'all' || one.state === state))
    .map(toPublic);
}

/**
 * Returns the default device, which programs use if they select none; null if there is none.
 *
 * @throws `ERR_AUDIO_BACKEND_UNAVAILABLE` if there is no audio server, `ERR_AUDIO_NATIVE_LOAD_FAILED`.
 */
export async function getDefaultDevice(
  flow: 'input' | 'output',
  role: DeviceRole = 'console',
  options?: BackendOption,
): Promise<AudioDevice | null> {
  checkOneOf(flow, 'flow', ['input', 'output']);
  checkOneOf(role, 'role', ['console', 'communications']);
  const devices = await askDevices(
    openBackend(checkOptions(options, 'getDefaultDevice', ['backend'])),
  );
  const found = devices.find(
    (candidate) => candidate.flow === flow && candidate.defaultRoles.includes(role),
  );
  return found ? toPublic(found) : null;
}

/** A role that has another device, and that device. */
export interface DefaultChange {
  /** Whether it is the default for recording or for playing. */
  flow: 'input' | 'output';
  /** The purpose of this default. */
  role: DeviceRole;
  /** The new default device; null if there is none any more. */
  device: AudioDevice | null;
}

/** Events of a {@link DeviceMonitor}. */
export interface DeviceMonitorEvents extends EmitterEvents {
  /** The monitor has listed the devices for the first time. */
  ready: [];
  /** The system has a new device. */
  add: [device: AudioDevice];
  /** The system no longer has the device. */
  remove: [device: AudioDevice];
  /** The state, name or format of a device has changed. */
  change: [device: AudioDevice, before: AudioDevice];
  /** A role has another default device. */
  defaultChange: [change: DefaultChange];
  /** The system cannot be reached. The monitor continues, and reports changes when it can be reached again. */
  error: [error: Error];
  /** The monitor was closed. */
  close: [];
}

/**
 * Reports devices that are added, removed and changed. A monitor does not keep the process alive.
 *
 * @example
 * const monitor = new DeviceMonitor();
 * monitor.on('add', (device) => console.log('new:', device.name));
 */
export class DeviceMonitor extends TypedEmitter<DeviceMonitorEvents> {
  readonly #ready = new Deferred<this>();
  /** Resolves when the devices have been listed for the first time. Rejects if the system cannot be reached. */
  readonly ready: Promise<this> = this.#ready.promise;
  readonly #host: NativeHost;
  #devices: readonly AudioDevice[] = [];
  #asking: Promise<void> | undefined;
  #isStale = false;
  #callOff: (() => void) | undefined;
  #started = false;
  #failed = false;
  #closed = false;

  /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_AUDIO_NATIVE_LOAD_FAILED`. */
  constructor(options?: BackendOption) {
    super();
    this.#host = openBackend(checkOptions(options, 'DeviceMonitor', ['backend']));
    this.#host.watch(AsyncResource.bind(() => this.#refresh()));
    this.#refresh();
  }

  /** All devices, in every state, as of the last event. */
  get devices(): readonly AudioDevice[] {
    return this.#devices;
  }

  /** Stops the monitor, which then emits `close`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#callOff?.();
    this.#host.watch(null);
    this.#ready.reject(closedEarly('The DeviceMonitor was closed before its first list'));
    process.nextTick(() => this.emit('close'));
  }

  /** The same as `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #refresh(): void {
    if (this.#asking) {
      this.#isStale = true;
      return;
    }
    this.#asking = this.#list().finally(() => {
      this.#asking = undefined;
      if (this.#isStale && !this.#closed) {
        this.#isStale = false;
        this.#refresh();
      }
    });
    timersOf(this.#host).during(this.#asking);
  }

  async #list(): Promise<void> {
    let found: AudioDevice[];
    try {
      found = (await askDevices(this.#host)).map(toPublic);
    } catch (error) {
      if (this.#closed) return;
      this.#ready.reject(error as Error);
      // Without a connection no event reports that the server has returned, so the monitor tries again later.
      const refresh = (): void => this.#refresh();
      this.#callOff = timersOf(this.#host).after(unreachableMs, refresh, false);
      const failed = this.#failed;
      this.#failed = true;
      if (!failed && this.listenerCount('error') > 0)
        callListeners(() => this.emit('error', error as Error));
      return;
    }
    if (this.#closed) return;
    this.#failed = false;
    const before = this.#devices;
    this.#devices = Object.freeze(found);
    if (!this.#started) {
      this.#started = true;
      this.#ready.resolve(this);
      callListeners(() => this.emit('ready'));
      return;
    }
    this.#report(before, found);
  }

  #report(before: readonly AudioDevice[], now: readonly AudioDevice[]): void {
    const old = new Map(before.map((device) => [device.id, device]));
    for (const device of now) {
      const known = old.get(device.id);
      old.delete(device.id);
      if (!known) callListeners(() => this.emit('add', device));
      else if (identity(known) !== identity(device))
        callListeners(() => this.emit('change', device, known));
    }
    for (const device of old.values()) callListeners(() => this.emit('remove', device));
    for (const flow of ['input', 'output'] as const) {
      for (const role of ['console', 'communications'] as const) {
        const device = holder(now, flow, role);
        if (device?.id !== holder(before, flow, role)?.id) {
          callListeners(() => this.emit('defaultChange', { flow, role, device: device ?? null }));
        }
      }
    }
  }
}

// How often the monitor tries to reach the system.
const unreachableMs = 500;

function holder(
  devices: readonly AudioDevice[],
  flow: string,
  role: DeviceRole,
): AudioDevice | undefined {
  return devices.find(
    (candidate) => candidate.flow === flow && candidate.defaultRoles.includes(role),
  );
}

function identity({ name, state, format, driver }: AudioDevice): string {
  return JSON.stringify([name, state, format, driver]);
}

/** Lists all devices of the engine. Converts its error records to errors. */
export async function askDevices(host: NativeHost): Promise<NativeDevice[]> {
  try {
    return await host.listDevices();
  } catch (record) {
    throw fromNative(record as NativeError);
  }
}

export function toPublic(device: NativeDevice): AudioDevice {
  const { id, name, flow, state, defaultRoles, format, virtual, driver } = device;
  const { transport, handsFree, standIn } = device;
  return Object.freeze({
    id,
    name,
    flow,
    state,
    defaultRoles: Object.freeze(defaultRoles),
    format: Object.freeze(format),
    virtual,
    transport,
    handsFree,
    ...(standIn && { standIn }),
    ...(driver === undefined ? {} : { driver }),
  });
}

/** A `device` option: an {@link AudioDevice}, an id, a name, a part of a name, or a word such as `'default'`. */
export type DeviceSelector = string | AudioDevice;

/** Checks the argument or option called `name`. */
export function checkSelector(selector: DeviceSelector, name: string): DeviceSelector {
  if (typeof selector === 'string') checkString(selector, name);
  else if (typeof selector !== 'object' || selector === null || Array.isArray(selector))
    throw invalidType(name, 'a name, an id, or an AudioDevice of listDevices()', selector);
  else checkString(selector.id, `${name}.id`);
  return selector;
}

/** Whether the selector follows the system's default device. */
export function followsDefault(selector: DeviceSelector): boolean {
  return selector === 'default' || selector === 'communications';
}

// Other devices that had the name of a device while that device was there: its return is none of them. PulseAudio
// gives each null sink the same name.
const namesakes = new WeakMap<NativeDevice, ReadonlySet<string>>();

function rememberNamesakes(device: NativeDevice, devices: readonly NativeDevice[]): NativeDevice {
  const others = devices.filter(({ id, name }) => name === device.name && id !== device.id);
  namesakes.set(device, new Set(others.map(({ id }) => id)));
  return device;
}

/**
 * Selects the next device of a stream that was on `current`. If the selector follows the default, that is the default.
 * Otherwise it is the selected device, then the same device as before, both found by their ids, or by its exact name
 * on a system where a returned device has another id. A device that had this name already while `current` was there is
 * another one.
 *
 * @throws `ERR_AUDIO_DEVICE_NOT_FOUND`.
 */
export function reselectDevice(
  devices: readonly NativeDevice[],
  selector: DeviceSelector,
  current: NativeDevice,
): NativeDevice {
  const { id, name, flow } = current;
  if (followsDefault(selector)) return selectDevice(devices, selector, flow, id);
  const usable = devices.filter(
    (candidate) => candidate.flow === flow && candidate.state === 'active',
  );
  const present = usable.find((candidate) => candidate.id === id);
  if (present) rememberNamesakes(current, devices);
  const wanted = typeof selector === 'string' ? selector : selector.id;
  const returned =
    usable.find((candidate) => candidate.id === wanted) ??
    present ??
    usable.find(
      (candidate) => candidate.name === name && !namesakes.get(current)?.has(candidate.id),
    );
  if (returned) return rememberNamesakes(returned, devices);
  throw notFound(`the ${flow} device '${name}' (${id})`, devices, flow);
}

/**
 * Selects a device by exact id, or by exact name, or by a part of a name that no other device has (case is ignored).
 * `'default'` and `'communications'` follow the system, but never to a device that this process itself plays to.
 *
 * @param own the id of the device that the stream itself plays to.
 * @throws `ERR_AUDIO_DEVICE_NOT_FOUND`; the message lists the existing names.
 */
export function selectDevice(
  devices: readonly NativeDevice[],
  selector: DeviceSelector,
  flow: 'input' | 'output',
  own?: string,
): NativeDevice {
  return rememberNamesakes(selectOne(devices, selector, flow, own), devices);
}

function selectOne(
  devices: readonly NativeDevice[],
  selector: DeviceSelector,
  flow: 'input' | 'output',
  own?: string,
): NativeDevice {
  const usable = devices.filter(
    (candidate) => candidate.flow === flow && candidate.state === 'active',
  );
  if (typeof selector !== 'string') {
    const pinned = usable.find((candidate) => candidate.id === selector.id);
    if (pinned) return pinned;
    throw notFound(`the ${flow} device '${selector.name}' (${selector.id})`, devices, flow);
  }
  if (selector === 'default' || selector === 'communications') {
    const role = selector === 'default' ? 'console' : 'communications';
    const allowed = usable.filter((one) => !one.fed || one.id === own);
    const found =
      allowed.find((candidate) => candidate.defaultRoles.includes(role)) ??
      allowed.find((one) => !one.virtual) ??
      allowed[0];
    if (found) return found;
    throw notFound(
      `a default ${flow} device that this process does not itself play to`,
      devices,
      flow,
    );
  }
  const exact = usable.find((candidate) => candidate.id === selector);
  if (exact) return exact;
  const word = selector.toLowerCase();
  const named = usable.filter((candidate) => candidate.name === selector);
  const close =
    named.length > 0
      ? named
      : usable.filter((candidate) => candidate.name.toLowerCase().includes(word));
  if (close.length === 1) return close[0];
  const opposite = devices.find(
    ({ flow: its, id, name }) => its !== flow && (id === selector || name === selector),
  );
  if (close.length === 0 && opposite) throw wrongFlow(opposite, devices, flow);
  throw notFound(
    close.length === 0
      ? `an active ${flow} device called '${selector}'`
      : `a single ${flow} device for '${selector}', which matches ${withIds(close)}`,
    devices,
    flow,
  );
}

/** The names of devices; the ids as well of those that have the same name. */
function withIds(devices: readonly NativeDevice[]): string {
  return devices
    .map(({ id, name }) => {
      const isUnique = devices.filter((one) => one.name === name).length === 1;
      return isUnique ? `'${name}'` : `'${name}' (id '${id}')`;
    })
    .join(', ');
}

function wrongFlow(
  device: NativeDevice,
  devices: readonly NativeDevice[],
  flow: string,
): AudioError {
  const kind = device.flow === 'input' ? 'an input' : 'an output';
  const advice = flow === 'input' ? 'A LoopbackSource records what it plays. ' : '';
  return new AudioError(
    'ERR_AUDIO_DEVICE_NOT_FOUND',
    `'${device.name}' is ${kind}, and this stream needs an ${flow}`,
    { deviceId: device.id, remedy: advice + choices(devices, flow) },
  );
}

function notFound(what: string, devices: readonly NativeDevice[], flow: string): AudioError {
  return new AudioError('ERR_AUDIO_DEVICE_NOT_FOUND', `could not find ${what}`, {
    remedy: choices(devices, flow),
  });
}

function choices(devices: readonly NativeDevice[], flow: string): string {
  const names = devices
    .filter((candidate) => candidate.flow === flow)
    .map((one) => (one.state === 'active' ? `'${one.name}'` : `'${one.name}' (${one.state})`));
  return names.length
    ? `There ${names.length === 1 ? 'is' : 'are'}: ${names.join(', ')}; listDevices() has their ids`
    : `This system has no ${flow} device at all; connect or enable one`;
}
