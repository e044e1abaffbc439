import type { AudioSource } from '../sources/audio-source.js';
import { LoopbackSource } from '../sources/loopback-source.js';
import { MicSource } from '../sources/mic-source.js';
import { ProcessSource } from '../sources/process-source.js';
import { bufferMs } from './feed.js';
import type { MeetingMicOptions, MeetingPlan, MeetingSystemOptions } from './options.js';

// A meeting waits for a device as long as it lasts: 11 days.
const patience = { giveUpAfterMs: 1e9 };

/** Opens the sources of a meeting: all in one format, on the host's clock. */
export class Openers {
  readonly #plan: MeetingPlan;

  constructor(plan: MeetingPlan) {
    this.#plan = plan;
  }

  /** @param options in place of those of the meeting. */
  mic(startTime: bigint, options: MeetingMicOptions = this.#plan.mic ?? {}): AudioSource {
    return new MicSource({ recover: patience, ...options, ...this.#common(startTime) });
  }

  /** @param options in place of those of the meeting. */
  system(startTime: bigint, options: MeetingSystemOptions = this.#plan.system ?? {}): AudioSource {
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
