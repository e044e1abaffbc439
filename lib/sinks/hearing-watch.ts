import type { NativeDevice, NativeHearing, NativeHost } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';
import type { Ends } from './destination.js';

/** The reason why a sink is not heard, or why a virtual microphone carries other sound too. */
export interface SinkWarning {
  /**
   * - `muted`: the system mutes an end of the cable.
   * - `quiet`: the system's volumes attenuate the sound by more than 26 dB.
   * - `unrouted`: the settings of a virtual mixer do not route the sound to the microphone.
   * - `noOutput`: the system has no output, and the audio server plays to nobody (`device.standIn`).
   * - `intruder`: another program played into a microphone that the sink has created, and was moved to another output.
   */
  code: 'muted' | 'quiet' | 'unrouted' | 'noOutput' | 'intruder';
  /** The cause and what to do about it. */
  message: string;
}

const quietest = 0.05;
// VoiceMeeter does not report a changed volume, and the volume of a program's session is not among those that Windows
// reports for a device.
const periodMs = 2000;

/** Checks regularly whether a microphone can be heard, and warns when it no longer can. */
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

  /** Checks now, because something may have changed. */
  look(): void {
    // A simulated system with a manual clock reports every change.
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
        // One of the two devices is gone. The sink reports that itself.
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
  const culprit =
    slider === 'stream'
      ? 'the playback of this app'
      : `'${slider === renderId ? (device?.name ?? renderId) : microphone.name}'`;
  if (volume === 0) {
    return {
      code: 'muted',
      message: `${culprit} is muted, so '${microphone.name}' is silent: unmute it in the sound settings`,
    };
  }
  if (volume < quietest) {
    const db = Math.round(20 * Math.log10(volume));
    return {
      code: 'quiet',
      message: `the volume of ${culprit} attenuates '${microphone.name}' by ${-db} dB: raise it in the sound settings`,
    };
  }
  if (mixerProblem) {
    return {
      code: 'unrouted',
      message: `'${microphone.name}' is silent: ${mixerProblem}`,
    };
  }
  if (buses && microphone.bus && !buses.includes(microphone.bus)) {
    return {
      code: 'unrouted',
      message: `'${microphone.name}' carries bus ${microphone.bus}, but the sink plays on ${buses.join(' and ')}`,
    };
  }
  return undefined;
}
