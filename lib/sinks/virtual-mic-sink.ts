import { askDevices, selectDevice, toPublic, type AudioDevice } from '../devices.js';
import { AudioError, fromNative, type NativeError } from '../errors.js';
import { defaultFormat } from '../format.js';
import { linkable } from '../links.js';
import type { NativeDevice, NativeHost } from '../native.js';
import { checkString, unsupported } from '../validate.js';
import { AudioSink, checkSinkOptions, type Destination, type SinkOptions } from './audio-sink.js';

/** Options of a {@link VirtualMicSink}. */
export interface VirtualMicOptions extends SinkOptions {
  /**
   * `'auto'`, the default: on Linux a microphone made for the purpose, elsewhere the cable that is
   * installed. Otherwise the output that a virtual microphone carries.
   */
  device?: SinkOptions['device'];
  /** Of the microphone that is made; `patchcord`. */
  name?: string | undefined;
  /** Not in this version. */
  driver?: string | undefined;
}

/**
 * A microphone that other programs hear: what is piped into it they record. On Linux it needs no
 * driver and is gone when the sink is closed.
 *
 * Fails as {@link SpeakerSink} does; with no cable installed `ERR_AUDIO_DEVICE_NOT_FOUND` or
 * `ERR_AUDIO_UNSUPPORTED` says what to install.
 *
 * @example
 * const sink = new VirtualMicSink({ name: 'Robot' });
 * await sink.ready;
 * console.log('select', sink.microphone.name);
 */
export class VirtualMicSink extends AudioSink {
  /** @internal */
  static readonly [linkable] = true;
  readonly #options: VirtualMicOptions;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`,
   *   `ERR_AUDIO_UNSUPPORTED`, `ERR_AUDIO_NATIVE_LOAD_FAILED`.
   */
  constructor(options?: VirtualMicOptions) {
    const given = checkSinkOptions<VirtualMicOptions>(options, 'VirtualMicSink', [
      'name',
      'driver',
    ]);
    if (given.driver !== undefined) {
      throw unsupported("VirtualMicSink's option driver", 'this version takes what is installed');
    }
    if (given.name !== undefined) checkString(given.name, 'options.name');
    super(given);
    this.#options = given;
  }

  /** What other programs must select; undefined until `ready`. */
  get microphone(): AudioDevice | undefined {
    return this.heardBy && toPublic(this.heardBy);
  }

  /** @internal */
  protected async prepare(host: NativeHost): Promise<Destination> {
    const { device = 'auto', name = 'patchcord' } = this.#options;
    const devices = await askDevices(host);
    if (device !== 'auto') {
      const chosen = selectDevice(devices, device, 'output');
      return { renderId: chosen.id, device: chosen, microphone: heard(devices, chosen) };
    }
    const cable = process.platform === 'linux' ? undefined : freeCable(devices);
    if (cable) return { renderId: cable.id, device: cable, microphone: heard(devices, cable) };
    const made = await host.makeCable(name, defaultFormat).catch((record: NativeError) => {
      throw fromNative(record);
    });
    return {
      renderId: made.renderId,
      device: (await askDevices(host)).find((one) => one.id === made.renderId),
      microphone: made.microphone,
      release: () => host.removeCable(made.renderId, made.microphone.id),
    };
  }
}

function freeCable(devices: readonly NativeDevice[]): NativeDevice | undefined {
  const cables = devices.filter(
    (one) => one.flow === 'output' && one.state === 'active' && one.virtual && one.peerId,
  );
  return cables.find((one) => !one.fed) ?? cables[0];
}

function heard(devices: readonly NativeDevice[], output: NativeDevice): NativeDevice {
  const microphone = devices.find((one) => one.id === output.peerId);
  if (microphone) return microphone;
  throw new AudioError(
    'ERR_AUDIO_DEVICE_NOT_FOUND',
    `'${output.name}' is not known to be heard by any microphone`,
    {
      deviceId: output.id,
      remedy: "Use device: 'auto', or a SpeakerSink to play to it all the same",
    },
  );
}
