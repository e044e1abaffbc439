import { Mixer } from '../mixer/mixer.js';
import type { MixerInput } from '../mixer/mixer-input.js';
import type { MeetingPlan } from './options.js';
import type { SideName } from './mixdown.js';
import type { Side } from './side.js';

/** The sides of a meeting as a mix in the engine, for a device that plays it. */
export class LiveMix {
  readonly mixer: Mixer;
  readonly #inputs = new Map<SideName, MixerInput>();

  constructor({ format, isStereo, bufferMs }: LiveMixPlan, sides: readonly Side[]) {
    this.mixer = new Mixer({ ...format, bufferMs, endWhenInputsEnd: false });
    for (const side of sides) {
      const channelMap = isStereo ? (side.name === 'mic' ? [0, -1] : [-1, 0]) : undefined;
      this.#inputs.set(side.name, this.mixer.createInput({ channelMap }));
      this.feed(side);
    }
  }

  /** Called when the side has another source. */
  feed(side: Side): void {
    const input = this.#inputs.get(side.name);
    if (!input || input.destroyed) return;
    side.feed.stream.pipe(input, { end: false });
  }

  setGain(side: SideName, gain: number, rampMs: number): void {
    this.#inputs.get(side)?.setGain(gain, { rampMs });
  }

  setHeard(side: SideName, isHeard: boolean, rampMs: number): void {
    this.#inputs.get(side)?.setMuted(!isHeard, { rampMs });
  }
}

type LiveMixPlan = Pick<MeetingPlan, 'format' | 'isStereo' | 'bufferMs'>;
