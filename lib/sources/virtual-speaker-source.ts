import type { Opened } from '../devices/opened.js';
import { CableClaim } from '../devices/cable-claim.js';
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
import { StrayPrograms, type Strays } from '../devices/stray-programs.js';
import { PlayingPrograms } from '../devices/playing-programs.js';
import { chooseVirtualMic, taken } from '../devices/virtual-mics.js';
import type { NativeDevice } from '../engine/native.js';
import { callListeners } from '../engine/call-listeners.js';
import { defaultFormat, optionalFormat, type AudioFormat } from '../format/format.js';
import { linkable } from '../streams/links.js';
import { checkString } from '../validate.js';
import { AudioSource, type SourceTarget } from './audio-source.js';
import { checkSourceOptions, type SourceOptions } from './source-options.js';
import type { SourceEvents } from './source-reports.js';

/** Options of a {@link VirtualSpeakerSource}. */
export interface VirtualSpeakerOptions extends SourceOptions {
  /**
   * The output of a virtual cable. With `'auto'` the source creates an output on Linux, and uses an installed cable on
   * other systems. @default 'auto'
   */
  device?: SourceOptions['device'];
  /**
   * The name of the output that the source creates. On Linux its id follows from the name, so programs that remember the
   * id find it again. While another output has the name, the next one is named `NAME (2)`. @default 'patchcord'
   */
  name?: string | undefined;
  /**
   * The format of the output that the source creates. Programs convert their audio to it. The format of the stream does
   * not depend on it. @default 48000 Hz, 2 channels, or the channels of the stream if it has more
   */
  deviceFormat?: AudioFormat | undefined;
}

/** Events of a {@link VirtualSpeakerSource}, beside those of every source. */
export interface VirtualSpeakerEvents extends SourceEvents {
  /**
   * Programs that were started with `environment()` play to other outputs, so the stream does not contain their sound:
   * they ignore the variables, or a user has moved them. `processes` are these programs, and `devices` the outputs.
   * Emitted when they have changed, and with empty arrays when there are none any more. Linux only.
   */
  elsewhere: [event: Strays];
}

/**
 * A virtual speaker: an output that other programs play to, and the stream of what they play. While nothing plays, the
 * stream continues with silence. The output has no microphone. Together with a `VirtualMicSink` it gives a program its
 * own speaker and microphone, and neither carries the sound of the other.
 *
 * On Linux it needs no driver. It is removed when the stream is closed and when the process exits. If the process
 * crashed, the next process that uses this package removes it. If the audio server restarts, the output is created
 * again under its name, and programs that still run are moved back to it.
 *
 * On Windows and macOS it is the output of a virtual cable. An app that also has a `VirtualMicSink` needs a second
 * cable, and sets the `device` option of both.
 *
 * Fails with the errors of {@link MicSource}. If no cable is installed, it fails with `ERR_AUDIO_UNSUPPORTED`, and the
 * message says what to install.
 *
 * @example
 * const speaker = await VirtualSpeakerSource.open({ name: 'Bot speaker' });
 * speaker.pipe(WavWriter.toFile('heard.wav'));
 * spawn('chromium', ['https://example.com'], { env: { ...process.env, ...speaker.environment() } });
 */
export class VirtualSpeakerSource extends AudioSource<VirtualSpeakerEvents> {
  /** @internal */
  static readonly [linkable] = true;
  /** Resolves when the device is open. */
  declare readonly ready: Promise<Opened<this>>;

  readonly #name: string;
  readonly #format: Readonly<AudioFormat>;
  readonly #claim = new CableClaim(this.host, 'speaker');
  readonly #strays = new StrayPrograms((strays) =>
    callListeners(() => this.emit('elsewhere', strays)),
  );
  readonly #programs = new PlayingPrograms(this.host, async (processes, devices) => {
    const { speaker } = this;
    const environment = this.#environment;
    if (this.destroyed || !speaker || !environment || Object.keys(environment).length === 0) return;
    await this.#strays.look(processes, devices, speaker.id, environment);
  });
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

  /** The output that other programs must select, the same as `device`; undefined until `ready`. */
  get speaker(): AudioDevice | undefined {
    return this.device;
  }

  /**
   * Returns environment variables for a child process. With them the process plays to this output, unless it selects
   * another output itself. `{ ...speaker.environment(), ...sink.environment() }` gives it a microphone as well. Programs
   * that use PulseAudio's library read these variables (browsers, ffmpeg, SDL, ALSA's default device). Programs that
   * connect directly to PipeWire do not.
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
    this.#claim.end();
    super._destroy(error, done);
  }

  /** @internal */
  protected override async findTarget(search: DeviceSearch<SourceTarget>): Promise<SourceTarget> {
    const { selector, previous, lost } = search;
    // The device is kept until it is lost.
    if (previous && !lost) return previous;
    const target =
      selector === 'auto' ? await this.#auto(previous) : await super.findTarget(search);
    if (!target.release) this.#claim.share(target.id);
    this.#environment = await askEnvironment(this.host, target.id, '');
    return target;
  }

  async #auto(previous: SourceTarget | undefined): Promise<SourceTarget> {
    const { host } = this;
    if (await makesDevices(host)) {
      // The new output gets the name of the lost one, so remove what may be left of that one first.
      await previous?.release?.().catch(() => {});
      if (previous) delete previous.release;
      return this.#make();
    }
    const devices = await askDevices(host);
    const back = devices.find(({ id, state }) => id === previous?.id && state === 'active');
    if (back) return { id: back.id, device: back };
    const id = chooseVirtualMic(devices, this.#claim)?.render.id;
    // If no cable is installed, the system's error says what to install.
    if (id === undefined) return this.#make();
    const device = devices.find((candidate) => candidate.id === id) as NativeDevice;
    if (device.fed) throw taken(toPublic(device));
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
