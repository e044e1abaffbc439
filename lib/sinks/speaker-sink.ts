import type { Opened } from '../devices/opened.js';
import type { DeviceSearch } from '../devices/device-keeper.js';
import { askDevices, reselectDevice, selectDevice } from '../devices/devices.js';
import { callListeners } from '../engine/call-listeners.js';
import { linkable } from '../streams/links.js';
import type { NativeHost } from '../engine/native.js';
import { AudioSink } from './audio-sink.js';
import type { Destination } from './destination.js';
import { checkSinkOptions, type SinkOptions } from './sink-options.js';

/** Options of a {@link SpeakerSink}. */
export type SpeakerOptions = SinkOptions;

/**
 * Plays on an output device.
 *
 * Fails with `ERR_AUDIO_DEVICE_NOT_FOUND`, `ERR_AUDIO_DEVICE_BUSY`, `ERR_AUDIO_DEVICE_LOST`,
 * `ERR_AUDIO_BACKEND_UNAVAILABLE`, `ERR_AUDIO_FEEDBACK`, `ERR_AUDIO_FORMAT_UNKNOWN` and `ERR_AUDIO_PARTIAL_FRAME`.
 *
 * @example
 * await pipeline(WavReader.fromFile('jingle.wav'), new SpeakerSink());
 */
export class SpeakerSink extends AudioSink {
  /** @internal */
  static readonly [linkable] = true;
  /** Resolves when the device is open. */
  declare readonly ready: Promise<Opened<this>>;
  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`,
   *   `ERR_AUDIO_UNSUPPORTED`, `ERR_AUDIO_NATIVE_LOAD_FAILED`.
   */
  constructor(options?: SpeakerOptions) {
    const given = checkSinkOptions(options, 'SpeakerSink');
    super(given, given.device ?? 'default');
  }

  #isUnheard = false;

  /** @internal */
  protected override devicesChanged(): void {
    const { device } = this;
    const wasUnheard = this.#isUnheard;
    this.#isUnheard = device?.standIn ?? false;
    if (this.destroyed || wasUnheard || !device?.standIn) return;
    const message = `the system has no output: the audio server plays '${device.name}' to nobody; connect a sound card, or select an output`;
    callListeners(() => this.emit('warning', { code: 'noOutput', message }));
  }

  /** @internal */
  protected async prepare(
    host: NativeHost,
    { selector, previous }: DeviceSearch<Destination>,
  ): Promise<Destination> {
    const devices = await askDevices(host);
    const device = previous?.device
      ? reselectDevice(devices, selector, previous.device)
      : selectDevice(devices, selector, 'output');
    const microphone = devices.find((candidate) => candidate.id === device.peerId);
    return { renderId: device.id, device, microphone };
  }
}
