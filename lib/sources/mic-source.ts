import type { Opened } from '../devices/opened.js';
import { linkable } from '../streams/links.js';
import type { MicApi, MicWishes } from '../devices/open-options.js';
import { AudioSource } from './audio-source.js';
import { checkSourceOptions, type SourceOptions } from './source-options.js';

/** Options of a {@link MicSource}. */
export interface MicOptions extends SourceOptions, MicWishes {
  /**
   * As for every source, or `'communications'`, which follows the system's default device for calls. @default 'default'
   */
  device?: SourceOptions['device'];
  /**
   * The interface of Windows that must be used. On other systems the stream fails with `ERR_AUDIO_UNSUPPORTED`, and so
   * does exclusive mode with `'mme'` or `'directsound'`. @default none
   */
  api?: MicApi | undefined;
}

/**
 * Records a microphone.
 *
 * Fails with `ERR_AUDIO_DEVICE_NOT_FOUND`, `ERR_AUDIO_PERMISSION_DENIED`, `ERR_AUDIO_DEVICE_BUSY`,
 * `ERR_AUDIO_BACKEND_UNAVAILABLE`, and `ERR_AUDIO_DEVICE_LOST` if the microphone is unplugged and does not return in
 * time.
 *
 * @example
 * const mic = new MicSource({ sampleRate: 16000, channels: 1, sampleFormat: 's16' });
 * for await (const chunk of mic) recognizer.write(chunk);
 */
export class MicSource extends AudioSource {
  /** @internal */
  static readonly [linkable] = true;
  /** Resolves when the device is open. */
  declare readonly ready: Promise<Opened<this>>;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`,
   *   `ERR_AUDIO_UNSUPPORTED`, `ERR_AUDIO_NATIVE_LOAD_FAILED`.
   */
  constructor(options?: MicOptions) {
    const given = checkSourceOptions<MicOptions>(options, 'MicSource', [
      'api',
      'raw',
      'category',
      'echoReference',
    ]);
    super(given, 'input');
  }
}
