import { native, type NativeFilter } from '../engine/native.js';
import type { AudioFormat } from '../format/format.js';
import { Ramp } from './ramp.js';

/** The name of a side of a meeting. */
export type SideName = 'mic' | 'system';

// The same as a Mixer's.
const ceilingDb = -0.1;

/** Mixes the sides, and limits the mix. It is their sum, or has each side in its own channel. */
export class Mixdown {
  readonly #channels: number;
  readonly #limiter: NativeFilter;
  readonly #gains = new Map<SideName, Ramp>();

  /** @param channelOf the channel of each side; undefined means all channels. */
  constructor(
    format: Readonly<AudioFormat>,
    gains: Readonly<Record<SideName, number>>,
    readonly channelOf: Readonly<Record<SideName, number>> | undefined,
  ) {
    const floats = { ...format, sampleFormat: 'f32' } as const;
    this.#channels = format.channels;
    const ceiling = 10 ** (ceilingDb / 20);
    this.#limiter = new (native().Filter)(
      'limiter',
      floats,
      floats,
      { ceiling, truePeak: false },
      () => {},
    );
    for (const side of ['mic', 'system'] as const) this.#gains.set(side, new Ramp(gains[side]));
  }

  setGain(side: SideName, gain: number, frames: number): void {
    this.#gains.get(side)?.to(gain, frames);
  }

  /**
   * Mixes the next frames of each side. They have the channels of the mix, or one channel if each side has its own.
   * Returns the finished frames. The limiter delays the last ones.
   */
  mix(frames: number, sides: readonly { name: SideName; samples: Float32Array }[]): Float32Array {
    const sum = new Float32Array(frames * this.#channels);
    for (const { name, samples } of sides) {
      const heard = samples.slice();
      const channel = this.channelOf?.[name];
      this.#gains.get(name)?.apply(heard, channel === undefined ? this.#channels : 1);
      if (channel === undefined) {
        for (let i = 0; i < sum.length; i++) sum[i] += heard[i];
      } else {
        for (let i = 0; i < frames; i++) sum[i * this.#channels + channel] += heard[i];
      }
    }
    const bytes = Buffer.from(sum.buffer);
    return floatsOf(this.#limiter.process(bytes));
  }

  /** The frames that the limiter still has. */
  flush(): Float32Array {
    return floatsOf(this.#limiter.flush());
  }

  /** The lowest gain that the limiter has used; 1 if it has changed nothing. */
  get limiterGain(): number {
    const { lowestGain = 1 } = this.#limiter.report() as { lowestGain?: number };
    return lowestGain;
  }
}

function floatsOf(bytes: Buffer): Float32Array {
  // A copy, because the engine's memory need not be aligned for floats.
  const floats = new Float32Array(bytes.length / 4);
  new Uint8Array(floats.buffer).set(bytes);
  return floats;
}
