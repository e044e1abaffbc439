import type { Opened } from '../devices/opened.js';
import { callListeners } from '../engine/call-listeners.js';
import { CableClaim } from '../devices/cable-claim.js';
import type { BackendOption } from '../engine/backend.js';
import type { DeviceSearch } from '../devices/device-keeper.js';
import {
  askDevices,
  reselectDevice,
  selectDevice,
  toPublic,
  type AudioDevice,
  type DeviceSelector,
} from '../devices/devices.js';
import {
  askEnvironment,
  environmentFor,
  makesDevices,
  removeMade,
  told,
} from '../devices/made-device.js';
import { AudioError } from '../errors.js';
import { defaultFormat } from '../format/format.js';
import { linkable } from '../streams/links.js';
import type { NativeDevice, NativeHearing, NativeHost } from '../engine/native.js';
import { checkOneOf, checkString } from '../validate.js';
import {
  chooseVirtualMic,
  driverMissing,
  findVirtualMics,
  listVirtualMics,
  virtualMicDrivers,
  type VirtualMic,
  type VirtualMicDriver,
} from '../devices/virtual-mics.js';
import { AudioSink } from './audio-sink.js';
import type { Destination } from './destination.js';
import { checkSinkOptions, type SinkOptions } from './sink-options.js';
import { HearingWatch } from './hearing-watch.js';
import { IntruderWatch } from './intruder-watch.js';
import { probeVirtualMic } from './virtual-mic-probe.js';

/** Options of a {@link VirtualMicSink}. */
export interface VirtualMicOptions extends SinkOptions {
  /**
   * The output end of a virtual cable. With `'auto'` the sink creates a microphone on Linux, and uses an installed cable
   * on other systems. @default 'auto'
   */
  device?: SinkOptions['device'];
  /**
   * The name of the microphone that the sink creates. On Linux its id follows from the name, so programs that
   * remember the id find it again. While another microphone has the name, the next one is named `NAME (2)`.
   * @default 'patchcord'
   */
  name?: string | undefined;
  /** The driver that the cable must have. @default any driver */
  driver?: VirtualMicDriver | undefined;
}

/**
 * A virtual microphone: other programs record what is piped into it. On Linux it needs no driver, and is removed when the
 * sink is closed or the process exits.
 *
 * Fails with the errors of {@link SpeakerSink}. If no cable is installed, it fails with `ERR_AUDIO_DEVICE_NOT_FOUND` or
 * `ERR_AUDIO_UNSUPPORTED`, and the message says what to install.
 *
 * @example
 * const sink = await VirtualMicSink.open({ name: 'Robot' });
 * console.log('select', sink.microphone.name);
 */
export class VirtualMicSink extends AudioSink {
  /** @internal */
  static readonly [linkable] = true;
  /** Resolves when the device is open. */
  declare readonly ready: Promise<Opened<this>>;

  /** Lists the virtual microphones of the system, as {@link listVirtualMics} does. */
  static list(options?: BackendOption): Promise<VirtualMic[]> {
    return listVirtualMics(options);
  }

  /**
   * Finds the microphone end of a cable by playing an inaudible tone into its output: one second, at -50 dBFS above 15
   * kHz. Resolves with the cable, with its `capture` set and `pairedBy: 'probe'`. If no candidate recorded the tone, it
   * resolves with the cable unchanged.
   *
   * @throws the errors of opening the devices.
   */
  static probe(mic: VirtualMic, options?: BackendOption): Promise<VirtualMic> {
    return probeVirtualMic(mic, options);
  }

  readonly #name: string;
  #hearing: HearingWatch | undefined;
  #intruders: IntruderWatch | undefined;
  readonly #driver: VirtualMicDriver | undefined;
  #claim: CableClaim | undefined;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`,
   *   `ERR_AUDIO_UNSUPPORTED`, `ERR_AUDIO_NATIVE_LOAD_FAILED`.
   */
  constructor(options?: VirtualMicOptions) {
    const given = checkSinkOptions<VirtualMicOptions>(options, 'VirtualMicSink', [
      'name',
      'driver',
    ]);
    if (given.driver !== undefined) checkOneOf(given.driver, 'options.driver', virtualMicDrivers);
    if (given.name !== undefined) checkString(given.name, 'options.name');
    super(given, given.device ?? 'auto');
    this.#name = given.name ?? 'patchcord';
    this.#driver = given.driver;
  }

  /** @internal */
  protected override devicesChanged(): void {
    if (this.destroyed) return;
    this.#hearing?.look();
    this.#intruders?.look();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#hearing?.stop();
    this.#intruders?.stop();
    this.#claim?.end();
    super._destroy(error, done);
  }

  /** The microphone that other programs must select; undefined until `ready`. */
  get microphone(): AudioDevice | undefined {
    return this.heardBy && toPublic(this.heardBy);
  }

  /**
   * Returns environment variables for a child process. With them the process records from this microphone, unless it
   * selects another input itself. {@link VirtualSpeakerSource.environment} says which programs read them.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` before `ready`, and on systems that have no such variables.
   * @example
   * spawn('chromium', [url], { env: { ...process.env, ...sink.environment() } });
   */
  environment(): Record<string, string> {
    return environmentFor(this.destination?.environment, 'VirtualMicSink');
  }

  /** @internal */
  protected async prepare(
    host: NativeHost,
    search: DeviceSearch<Destination>,
  ): Promise<Destination> {
    const claim = (this.#claim ??= new CableClaim(host, 'microphone'));
    const found = await this.#find(host, search, claim);
    if (!found.release) claim.share(found.renderId);
    found.environment ??= await askEnvironment(host, '', found.microphone?.id ?? '');
    return found;
  }

  async #find(
    host: NativeHost,
    { selector, previous, lost }: DeviceSearch<Destination>,
    claim: CableClaim,
  ): Promise<Destination> {
    // The device is kept until it is lost, or, if the sink has created it, until it needs another format.
    if (previous && !lost && !(previous.release && this.#isOther(previous))) return previous;
    this.#hearing ??= new HearingWatch(
      host,
      () => this.destination,
      (warning) => callListeners(() => this.emit('warning', warning)),
    );
    const devices = await askDevices(host);
    if (selector !== 'auto') {
      const device = previous?.device
        ? reselectDevice(devices, selector, previous.device)
        : selector;
      return this.#routed(host, devices, this.#chosen(devices, device));
    }
    const driver = this.#driver;
    const made = (!driver || madeBySystem.includes(driver)) && (await makesDevices(host));
    // The lost device, if it has returned.
    const back = devices.find(({ id, state }) => id === previous?.renderId && state === 'active');
    if (back && !made) return destination(devices, back.id, back.peerId);
    const mic = made ? undefined : chooseVirtualMic(devices, claim, driver);
    if (mic)
      return this.#routed(host, devices, destination(devices, mic.render.id, mic.capture?.id));
    if (previous && !previous.release && !made) throw notBack(previous);
    if (driver && !made) throw driverMissing(driver);
    // The new microphone gets the name of the lost one, so remove what may be left of that one first.
    await previous?.release?.().catch(() => {});
    if (previous) delete previous.release;
    return this.#make(host);
  }

  // The settings of a virtual mixer, if they can be read, determine which of its microphones carries the sound.
  async #routed(
    host: NativeHost,
    devices: NativeDevice[],
    found: Destination,
  ): Promise<Destination> {
    const { renderId, device, microphone } = found;
    if (device?.cable !== 'voicemeeter' || !microphone) return found;
    const { buses = [] } = await host
      .askHearing(renderId, microphone.id)
      .catch((): NativeHearing => ({ volume: 1 }));
    if (buses.includes(microphone.bus ?? '')) return found;
    const other = devices.find(
      ({ id, bus }) => device.possiblePeers.includes(id) && buses.includes(bus ?? ''),
    );
    return other ? { ...found, microphone: other } : found;
  }

  #chosen(devices: NativeDevice[], device: DeviceSelector): Destination {
    const driver = this.#driver;
    const other = isMicrophone(devices, device);
    if (other) throw notAnOutput(devices, other);
    const output = selectDevice(devices, device, 'output');
    if (driver && output.cable !== driver) {
      throw new AudioError(
        'ERR_AUDIO_UNSUPPORTED',
        `'${output.name}' does not have the driver '${driver}'${output.cable ? ` but '${output.cable}'` : ''}`,
        { deviceId: output.id, remedy: 'Leave out either the device or the driver' },
      );
    }
    if (output.peerId) return destination(devices, output.id, output.peerId);
    const problem = findVirtualMics(devices).find(({ render }) => render.id === output.id)?.problem;
    throw new AudioError(
      'ERR_AUDIO_DEVICE_NOT_FOUND',
      `no microphone is known to carry '${output.name}'${problem ? `: ${problem}` : ''}`,
      {
        deviceId: output.id,
        remedy: "Use device: 'auto', or use a SpeakerSink to play on it anyway",
      },
    );
  }

  #isOther({ device }: Destination): boolean {
    const wanted = this.demandedFormat;
    if (!device || !wanted) return false;
    const { sampleRate, channels } = device.format;
    return sampleRate !== wanted.sampleRate || channels !== wanted.channels;
  }

  async #make(host: NativeHost): Promise<Destination> {
    const driver = this.#driver;
    const format = this.demandedFormat ?? defaultFormat;
    const made = await told(host.makeCable(this.#name, format));
    const release = (): Promise<void> => removeMade(host, made.renderId);
    this.#intruders ??= new IntruderWatch(
      host,
      () => this.destination?.renderId,
      (warning) => callListeners(() => this.emit('warning', warning)),
    );
    const device = (await askDevices(host)).find((candidate) => candidate.id === made.renderId);
    if (driver && device?.cable !== driver) {
      await release();
      throw driverMissing(driver);
    }
    return { renderId: made.renderId, device, microphone: made.microphone, release };
  }
}

const madeBySystem: readonly VirtualMicDriver[] = ['pulseaudio', 'pipewire', 'simulated'];

function destination(
  devices: readonly NativeDevice[],
  renderId: string,
  microphoneId: string | undefined,
): Destination {
  return {
    renderId,
    device: devices.find(({ id }) => id === renderId),
    microphone: devices.find(({ id }) => id === microphoneId),
  };
}

// For example, an update of the driver removes the cable and adds it again.
function notBack({ renderId, device }: Destination): AudioError {
  return new AudioError(
    'ERR_AUDIO_DEVICE_NOT_FOUND',
    `'${device?.name ?? renderId}' is gone, and there is no other virtual cable`,
    { deviceId: renderId, remedy: 'Install or enable the cable again' },
  );
}

// Finds the microphone end of a cable that was given by mistake in place of the output end.
function isMicrophone(
  devices: readonly NativeDevice[],
  device: NonNullable<SinkOptions['device']>,
): NativeDevice | undefined {
  const { id, name } = typeof device === 'string' ? { id: device, name: device } : device;
  const means = (flow: string) => (candidate: NativeDevice) =>
    candidate.flow === flow && (candidate.id === id || candidate.name === name);
  return devices.some(means('output')) ? undefined : devices.find(means('input'));
}

function notAnOutput(devices: readonly NativeDevice[], input: NativeDevice): AudioError {
  const output = devices.find(
    (candidate) => candidate.flow === 'output' && candidate.id === input.peerId,
  );
  return new AudioError(
    'ERR_AUDIO_DEVICE_NOT_FOUND',
    `'${input.name}' is a microphone, so the sink cannot play on it`,
    {
      deviceId: input.id,
      remedy: output
        ? `Play to the other end of the cable, '${output.name}', and select '${input.name}' in the other program`
        : "Use the output of a cable as the device, or use device: 'auto'",
    },
  );
}
