import type { Opened } from '../devices/opened.js';
import { callListeners } from '../engine/call-listeners.js';
import { linkable } from '../streams/links.js';
import { AudioSource } from './audio-source.js';
import { ElsewhereWatch } from './elsewhere-watch.js';
import { checkSourceOptions, type SourceOptions } from './source-options.js';

/** Options of a {@link LoopbackSource}; `device` is an output. */
export type LoopbackOptions = SourceOptions;

/**
 * Records what all programs together play on an output device. While nothing plays, the stream continues with silence.
 *
 * Fails as {@link MicSource} does.
 *
 * @example
 * const system = new LoopbackSource({ durationMs: 10_000 });
 * system.on('elsewhere', ({ devices }) => console.log('not recorded:', devices.map(({ name }) => name)));
 * system.pipe(WavWriter.toFile('system.wav'));
 */
export class LoopbackSource extends AudioSource {
  /** @internal */
  static readonly [linkable] = true;
  /** Resolves when the device is open. */
  declare readonly ready: Promise<Opened<this>>;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`,
   *   `ERR_AUDIO_UNSUPPORTED`, `ERR_AUDIO_NATIVE_LOAD_FAILED`.
   */
  constructor(options?: LoopbackOptions) {
    super(checkSourceOptions(options, 'LoopbackSource'), 'output');
    // No field of the class: it would make TypeScript refuse on() of a stream that is this or a MicSource.
    const watch = new ElsewhereWatch(
      this.host,
      () => this.device?.id,
      () => !this.destroyed && this.listenerCount('elsewhere') > 0,
      (devices) => callListeners(() => this.emit('elsewhere', { devices })),
    );
    this.on('newListener', (name) => {
      const first = this.listenerCount('elsewhere') === 0;
      if (name === 'elsewhere' && first && !this.destroyed) watch.start();
    });
  }
}
