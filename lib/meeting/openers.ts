import type { AudioSource } from '../sources/audio-source.js';
import { LoopbackSource } from '../sources/loopback-source.js';
import { MicSource } from '../sources/mic-source.js';
import { ProcessSource } from '../sources/process-source.js';
import { EchoCanceller } from '../transforms/echo-canceller.js';
import { bufferMs, type FeedParts } from './feed.js';
import type { SideName } from './mixdown.js';
import {
  optionsOf,
  type MeetingMicOptions,
  type MeetingPlan,
  type MeetingSystemOptions,
} from './options.js';
import type { Move } from './rungs.js';
import type { Side } from './side.js';

// A meeting waits for a device until the meeting ends. The limit is 11 days.
const patience = { giveUpAfterMs: 1e9 };

/** Opens the sources of a meeting: all in one format, on the host's clock. */
export class Openers {
  readonly #plan: MeetingPlan;

  constructor(plan: MeetingPlan) {
    this.#plan = plan;
  }

  /** Opens the first sources. @throws the error of a wrong option of a source. In that case no device stays open. */
  first(startTime: bigint): [SideName, FeedParts][] {
    const { first } = this.#plan;
    const { mic, system } = optionsOf(first, this.#plan);
    const opened: Partial<Record<SideName, AudioSource>> = {};
    try {
      // The sources are constructed in the order in which their devices are opened, because some drivers depend on it.
      if (system && first === 'reverse-order') opened.system = this.#system(startTime, system);
      if (mic) opened.mic = this.#mic(startTime, mic);
      if (system) opened.system ??= this.#system(startTime, system);
      return (['mic', 'system'] as const).flatMap((name) => {
        const source = opened[name];
        return source ? [[name, this.#parts(name, source, 0, opened.system)] as const] : [];
      });
    } catch (error) {
      for (const source of Object.values(opened)) source.destroy();
      throw error;
    }
  }

  /** Opens another source for a side, from a frame of the meeting on, which is heard at `startTime`. */
  another(
    sides: readonly Side[],
    side: Side,
    { options, systemOptions, reopensSystem = false }: Move,
    offset: number,
    startTime: bigint,
  ): void {
    const [mic, system] = (['mic', 'system'] as const).map((name) =>
      sides.find((one) => one.name === name),
    );
    if (side === mic) {
      const source = this.#mic(startTime, options);
      const another = reopensSystem && system ? this.#system(startTime, systemOptions) : undefined;
      mic.replace(this.#parts('mic', source, offset, another ?? system?.feed.source));
      if (another) system?.relay(this.#parts('system', another, offset));
      return;
    }
    const source = this.#system(startTime, options);
    side.replace(this.#parts('system', source, offset));
    // The canceller of the microphone has the old source as its reference.
    if (mic?.feed.canceller) {
      mic.relay(this.#parts('mic', this.#mic(startTime), offset, source));
    }
  }

  #parts(name: SideName, source: AudioSource, offset: number, reference?: AudioSource): FeedParts {
    const { echo } = this.#plan;
    const cancels = name === 'mic' && echo && reference;
    const canceller = cancels ? new EchoCanceller({ ...echo, reference, bufferMs }) : undefined;
    return { source, offset, canceller };
  }

  #mic(startTime: bigint, options: MeetingMicOptions = this.#plan.mic ?? {}): AudioSource {
    return new MicSource({ recover: patience, ...options, ...this.#common(startTime) });
  }

  #system(startTime: bigint, options: MeetingSystemOptions = this.#plan.system ?? {}): AudioSource {
    const all = { recover: patience, ...options, ...this.#common(startTime) };
    return 'process' in all ? new ProcessSource(all) : new LoopbackSource(all);
  }

  #common(startTime: bigint) {
    const { sideFormat, backend } = this.#plan;
    const { sampleRate, channels } = sideFormat;
    const format = { sampleRate, channels, sampleFormat: 'f32' } as const;
    return { ...format, startTime, bufferMs, backend, clock: 'host' } as const;
  }
}
