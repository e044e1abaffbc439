import type { Opened } from '../devices/opened.js';
import type { DeviceSearch } from '../devices/device-keeper.js';
import { askDevices, toPublic, type AudioDevice } from '../devices/devices.js';
import {
  askEnvironment,
  environmentFor,
  makesDevices,
  removeMade,
  told,
  type ChildEnvironment,
} from '../devices/made-device.js';
import { PlayingPrograms } from '../devices/playing-programs.js';
import { chooseVirtualMic } from '../devices/virtual-mics.js';
import { AudioError } from '../errors.js';
import type { NativeDevice } from '../engine/native.js';
import { defaultFormat, optionalFormat, type AudioFormat } from '../format/format.js';
import { linkable } from '../streams/links.js';
import { checkString } from '../validate.js';
import { AudioSource, type SourceTarget } from './audio-source.js';
import { checkSourceOptions, type SourceOptions } from './source-options.js';

/** Options of a {@link VirtualSpeakerSource}. */
export interface VirtualSpeakerOptions extends SourceOptions {
  /**
   * `'auto'`: on Linux an output made for the purpose, elsewhere the output of a virtual cable that is installed.
   * Otherwise the output of a cable. @default 'auto'
   */
  device?: SourceOptions['device'];
  /**
   * Name of the output that is made. On Linux its id follows from the name, so that programs that remember it find it
   * again. While another output has the name, the next one is called `NAME (2)`. @default 'patchcord'
   */
  name?: string | undefined;
  /**
   * Format of the output that is made. Programs convert what they play to it; the stream has the format of
   * `sampleRate`, `channels` and `sampleFormat`, whatever this is. @default 48000 Hz, 2 channels, or those of the
   * stream if it has more
   */
  deviceFormat?: AudioFormat | undefined;
}

/**
 * An output that other programs play to, and the stream of what they play. While nothing plays it is silence. No
 * microphone hears it: beside a `VirtualMicSink` it gives a program a speaker and a microphone of its own, and neither
 * hears the other. On Linux it needs no driver. It is removed when the stream is closed, when the process exits, and
 * by the next process that uses this package if the process crashed. If the audio server restarts, the output is made
 * anew under its name; programs that still run are moved back to it.
 *
 * On Windows and macOS it is the output of a virtual cable. An app that also has a `VirtualMicSink` needs a second
 * cable, and names both as `device`.
 *
 * Fails as {@link MicSource} does; with no cable installed `ERR_AUDIO_UNSUPPORTED` says what to install.
 *
 * @example
 * const speaker = await VirtualSpeakerSource.open({ name: 'Bot speaker' });
 * speaker.pipe(WavWriter.toFile('heard.wav'));
 * spawn('chromium', ['https://example.com'], { env: { ...process.env, ...speaker.environment() } });
 */
export class VirtualSpeakerSource extends AudioSource {
  /** @internal */
  static readonly [linkable] = true;
  /** Resolves when the device is open. */
  declare readonly ready: Promise<Opened<this>>;

  readonly #name: string;
  readonly #format: Readonly<AudioFormat>;
  readonly #programs = new PlayingPrograms(this.host);
  #environment: ChildEnvironment | undefined;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`,
   *   `ERR_AUDIO_UNSUPPORTED`, `ERR_AUDIO_NATIVE_LOAD_FAILED`.
   */
  constructor(options?: VirtualSpeakerOptions) {
    const given = checkSourceOptions<VirtualSpeakerOptions>(options, 'VirtualSpeakerSource', [
      'name',
      'deviceFormat',
    ]);
    if (given.name !== undefined) checkString(given.name, 'options.name');
    const format = optionalFormat(given.deviceFormat, 'options.deviceFormat');
    super({ ...given, device: given.device ?? 'auto' }, 'output');
    this.#name = given.name ?? 'patchcord';
    this.#format = format ?? {
      ...defaultFormat,
      channels: Math.max(defaultFormat.channels, this.format.channels),
    };
  }

  /** The output that other programs must select; undefined until `ready`. The same as `device`. */
  get speaker(): AudioDevice | undefined {
    return this.device;
  }

  /**
   * Environment variables for a child process. With them it plays to this output, and nowhere else, unless it chooses
   * an output itself. `{ ...speaker.environment(), ...sink.environment() }` gives it a microphone as well. Programs on
   * Linux that use PulseAudio's library read them (browsers, ffmpeg, SDL, ALSA's default device); programs that speak
   * to PipeWire directly do not.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` before `ready`, and on systems that have no such variables.
   * @example
   * spawn('chromium', [url], { env: { ...process.env, ...speaker.environment() } });
   */
  environment(): Record<string, string> {
    return environmentFor(this.device && this.#environment, 'VirtualSpeakerSource');
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#programs.stop();
    super._destroy(error, done);
  }

  /** @internal */
  protected override async findTarget(search: DeviceSearch<SourceTarget>): Promise<SourceTarget> {
    const { selector, previous, lost } = search;
    // What was made, or chosen, is kept until it goes.
    if (previous && !lost) return previous;
    const target =
      selector === 'auto' ? await this.#auto(previous) : await super.findTarget(search);
    this.#environment = await askEnvironment(this.host, target.id, '');
    return target;
  }

  async #auto(previous: SourceTarget | undefined): Promise<SourceTarget> {
    const { host } = this;
    if (await makesDevices(host)) {
      // Under the name of the one that went, of which something may be left.
      await previous?.release?.().catch(() => {});
      if (previous) delete previous.release;
      return this.#make();
    }
    const devices = await askDevices(host);
    const back = devices.find(({ id, state }) => id === previous?.id && state === 'active');
    if (back) return { id: back.id, device: back };
    const id = chooseVirtualMic(devices)?.render.id;
    // Where nothing is installed, the system says what to install.
    if (id === undefined) return this.#make();
    const device = devices.find((candidate) => candidate.id === id) as NativeDevice;
    if (device.fed) throw playedTo(device);
    return { id, device };
  }

  async #make(): Promise<SourceTarget> {
    const { host } = this;
    const id = await told(host.makeSpeaker(this.#name, this.#format));
    this.#programs.follow(id);
    const device = (await askDevices(host)).find((candidate) => candidate.id === id);
    return { id, device, release: () => removeMade(host, id) };
  }
}

function playedTo(device: NativeDevice): AudioError {
  return new AudioError(
    'ERR_AUDIO_DEVICE_NOT_FOUND',
    `the only virtual cable is '${toPublic(device).name}', which this process plays to itself`,
    {
      deviceId: device.id,
      remedy: 'Install a second cable, and name one of them as the device of each stream',
    },
  );
}
