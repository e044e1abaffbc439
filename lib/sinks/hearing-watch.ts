import type { NativeDevice, NativeHearing, NativeHost } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';
import type { Ends } from './destination.js';

/** What other programs do not hear from a virtual microphone that plays, or hear beside it. */
export interface SinkWarning {
  /**
   * `muted`: by the system; `quiet`: its volume is below -26 dB; `unrouted`: by a virtual mixer's settings. `intruder`:
   * another program played into a microphone that was made, and was moved to another output.
   */
  code: 'muted' | 'quiet' | 'unrouted' | 'intruder';
  /** The cause and what to do about it. */
  message: string;
}

const quietest = 0.05;
// Windows and VoiceMeeter tell nobody that a slider moved.
const periodMs = 2000;

/** Asks from time to time whether a microphone can be heard, and warns when it no longer can. */
export class HearingWatch {
  readonly #host: NativeHost;
  readonly #ends: () => Ends | undefined;
  readonly #warn: (warning: SinkWarning) => void;
  #said: string | undefined;
  #asking = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    host: NativeHost,
    ends: () => Ends | undefined,
    warn: (warning: SinkWarning) => void,
  ) {
    this.#host = host;
    this.#ends = ends;
    this.#warn = warn;
  }

  /** Something may have changed. */
  look(): void {
    // A world whose time is moved by hand tells of every change.
    if (!this.#host.timers) this.#timer ??= setInterval(() => this.look(), periodMs).unref();
    const ends = this.#ends();
    if (this.#asking || !ends?.microphone) return;
    this.#asking = true;
    const { renderId, microphone } = ends;
    const asked = this.#host.askHearing(renderId, microphone.id).then(
      (hearing) => {
        this.#asking = false;
        if (this.#ends() === ends) this.#judge(problemIn(hearing, ends, microphone));
      },
      () => {
        // One of the two is gone just now: the sink itself says so.
        this.#asking = false;
      },
    );
    timersOf(this.#host).during(asked);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #judge(warning: SinkWarning | undefined): void {
    const said = this.#said;
    this.#said = warning?.message;
    if (warning && warning.message !== said) this.#warn(warning);
  }
}

function problemIn(
  { volume, quietest: slider, buses, mixerProblem }: NativeHearing,
  { device, renderId }: Ends,
  microphone: NativeDevice,
): SinkWarning | undefined {
  const culprit = slider === renderId ? (device?.name ?? renderId) : microphone.name;
  if (volume === 0) {
    return {
      code: 'muted',
      message: `'${culprit}' is muted, so nobody hears '${microphone.name}': unmute it in the sound settings`,
    };
  }
  if (volume < quietest) {
    const db = Math.round(20 * Math.log10(volume));
    return {
      code: 'quiet',
      message: `the volume of '${culprit}' lowers '${microphone.name}' by ${-db} dB: raise it in the sound settings`,
    };
  }
  if (mixerProblem) {
    return {
      code: 'unrouted',
      message: `nobody hears '${microphone.name}': ${mixerProblem}`,
    };
  }
  if (buses && microphone.bus && !buses.includes(microphone.bus)) {
    return {
      code: 'unrouted',
      message: `'${microphone.name}' carries bus ${microphone.bus}, but what is played is on ${buses.join(' and ')}`,
    };
  }
  return undefined;
}
