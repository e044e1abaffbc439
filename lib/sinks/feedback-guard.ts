import type { AudioDevice } from '../devices/devices.js';
import { AudioError } from '../errors.js';
import { allUpstreams, isWatchable, type Watchable } from '../streams/links.js';
import { isSource } from '../sources/audio-source.js';
import type { Ends } from './destination.js';

/** A sink as its guard sees it. */
interface Guarded {
  readonly destroyed: boolean;
  destroy(error: Error): unknown;
}

/** Fails a sink if a source that flows into it records the device that the sink plays to. */
export class FeedbackGuard {
  readonly #sink: Guarded;
  readonly #ends: () => Ends | undefined;
  readonly #watched = new Set<Watchable>();

  constructor(sink: Guarded, ends: () => Ends | undefined) {
    this.#sink = sink;
    this.#ends = ends;
  }

  /** Checks the streams that flow into the sink now. After the first call it watches them for changes itself. */
  readonly look = (): void => {
    if (this.#sink.destroyed) return;
    for (const stream of allUpstreams(this.#sink, { heard: true })) {
      if (isWatchable(stream) && !this.#watched.has(stream)) this.#watch(stream);
      if (!isSource(stream)) continue;
      const { device } = stream;
      if (!device) {
        // Not with the promise `ready`: to await it would count as handling its rejection for the app.
        stream.off('ready', this.look).prependOnceListener('ready', this.look);
        continue;
      }
      const ends = this.#ends();
      if (!ends || (device.id !== ends.renderId && device.id !== ends.microphone?.id)) continue;
      this.#sink.destroy(this.#feedback(ends, stream, device));
      return;
    }
  };

  /** Stops watching, because no stream flows in any more. */
  stop(): void {
    for (const stream of this.#watched) stream.unwatch(this.look);
    this.#watched.clear();
  }

  #watch(stream: Watchable): void {
    this.#watched.add(stream);
    stream.watch(this.look);
  }

  #feedback({ renderId, device }: Ends, source: object, heard: AudioDevice): AudioError {
    return new AudioError(
      'ERR_AUDIO_FEEDBACK',
      `${this.#sink.constructor.name} plays to '${device?.name ?? renderId}', ` +
        `which its own ${source.constructor.name} records as '${heard.name}'`,
      {
        deviceId: heard.id,
        remedy: 'Use another device for one of them, or set allowFeedback if this is intended',
      },
    );
  }
}
