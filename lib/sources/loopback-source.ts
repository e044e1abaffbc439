import type { DeviceSearch } from '../devices/device-keeper.js';
import type { DeviceSelector } from '../devices/devices.js';
import { ElsewhereWatch } from '../devices/elsewhere-watch.js';
import type { Opened } from '../devices/opened.js';
import { callListeners } from '../engine/call-listeners.js';
import type { NativeStreamInfo, NativeTapEvent } from '../engine/native.js';
import { linkable } from '../streams/links.js';
import {
  allOutputs,
  checkAllOutputs,
  everything,
  isAllOutputs,
  missedBefore,
} from './all-outputs.js';
import { AudioSource, type SourceTarget } from './audio-source.js';
import { checkSourceOptions, type SourceOptions } from './source-options.js';

/** Options of a {@link LoopbackSource}. */
export interface LoopbackOptions extends SourceOptions {
  /**
   * The output: an `AudioDevice`, an exact id, an exact name, or a part of a name that no other output has. With
   * `'default'` the stream follows the system's default output. With `'all'` it is the sum of what all programs play at
   * any output; it then runs on the clock of the host. @default 'default'
   */
  device?: DeviceSelector | undefined;
}

/**
 * Records what all programs together play on an output device, or on all of them. While nothing plays, the stream
 * continues with silence.
 *
 * Fails as {@link MicSource} does. With `device: 'all'` it fails with `ERR_AUDIO_UNSUPPORTED` where the system cannot
 * capture programs.
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
    const given = checkSourceOptions<LoopbackOptions>(options, 'LoopbackSource');
    if (isAllOutputs(given.device)) checkAllOutputs(given);
    super(given, 'output');
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

  /** @internal */
  protected override findTarget(search: DeviceSearch<SourceTarget>): Promise<SourceTarget> {
    if (isAllOutputs(search.selector)) return Promise.resolve(allOutputs(this.format));
    return super.findTarget(search);
  }

  /** @internal */
  protected override openTarget(target: SourceTarget): Promise<NativeStreamInfo> {
    return isAllOutputs(target) ? this.openPrograms(everything) : super.openTarget(target);
  }

  /** @internal */
  protected override attended(): void {
    for (const event of this.producer.takeTaps()) this.tapped(event);
  }

  /** @internal */
  protected override tapped(event: NativeTapEvent): void {
    const missed = missedBefore(this, event);
    if (missed) callListeners(() => this.emit('discontinuity', missed));
  }
}
