import type { AudioError } from '../errors.js';
import { chunkFlags } from '../streams/chunk-flags.js';
import type { DeadEvidence } from '../sources/source-reports.js';

/**
 * The state of one side of a meeting.
 *
 * - `opening`: its device is not open yet.
 * - `listening`: its device is open, and it has not heard anything yet.
 * - `sound`: it hears something, above -54 dBFS. A pause of less than 5 s changes nothing.
 * - `quiet`: for 5 s it has heard only noise below -54 dBFS: a quiet room, or a microphone with a mute switch, which
 *   usually leaves some noise.
 * - `silent`: for 5 s it has received zeros, and there is no evidence of sound. Nothing plays, or a
 *   noise gate is closed. PulseAudio and PipeWire have no meters, so a dead microphone is `silent` there if it
 *   delivers zeros.
 * - `muted`: it is muted in the system.
 * - `dead`: there is sound that it does not receive; `evidence` says how that is known.
 * - `absent`: there is no device, or no program, at present; `error` says why.
 * - `denied`: the system denies access.
 */
export type SideState =
  'opening' | 'listening' | 'sound' | 'quiet' | 'silent' | 'muted' | 'dead' | 'absent' | 'denied';

/** A change in the state of a side of a meeting. */
export interface SideChange {
  /** The present state. */
  state: SideState;
  /** The state before. */
  from: SideState;
  /** Why the side is `dead`. */
  evidence?: DeadEvidence;
  /** Why the side is `absent` or `denied`. */
  error?: Error;
}

/** This peak is below the noise of a room, and above that of a microphone with an analogue mute (0.0005). */
const soundPeak = 0.002;
const quietAfterMs = 5000;

/** Determines the state of a side. */
export class Condition {
  readonly #rate: number;
  readonly #report: (change: SideChange) => void;
  #state: SideState = 'opening';
  #opened = false;
  #muted = false;
  #evidence: DeadEvidence | undefined;
  #error: Error | undefined;
  #hearing: 'listening' | 'sound' | 'quiet' | 'silent' = 'listening';
  /** Frames since the sound last exceeded the limits. */
  #sinceSound = 0;
  #sinceNoise = 0;

  constructor(sampleRate: number, report: (change: SideChange) => void) {
    this.#rate = sampleRate;
    this.#report = report;
  }

  get state(): SideState {
    return this.#state;
  }

  /** Why it is dead. */
  get evidence(): DeadEvidence | undefined {
    return this.#evidence;
  }

  opened(): void {
    this.#opened = true;
    this.#error = undefined;
    this.#listen();
  }

  /** Called when there is no device, or access is denied. */
  gone(error: Error): void {
    this.#error = error;
    this.#evidence = undefined;
    this.#settle();
  }

  muted(muted: boolean): void {
    this.#muted = muted;
    if (muted) this.#evidence = undefined;
    this.#listen();
  }

  dead(evidence: DeadEvidence): void {
    this.#evidence = evidence;
    this.#settle();
  }

  alive(): void {
    this.#evidence = undefined;
    this.#settle();
  }

  /** Called when frames have arrived. `flags` are those of a chunk. */
  heard(frames: number, peak: number, flags: number): void {
    this.#sinceSound = peak >= soundPeak ? 0 : this.#sinceSound + frames;
    this.#sinceNoise = peak > 0 ? 0 : this.#sinceNoise + frames;
    const after = (this.#rate * quietAfterMs) / 1000;
    if (this.#sinceSound === 0) this.#hearing = 'sound';
    else if (this.#sinceNoise >= after) this.#hearing = 'silent';
    else if (this.#sinceSound >= after) this.#hearing = 'quiet';
    const isFromDevice = (flags & (chunkFlags.silence | chunkFlags.hole)) === 0;
    const lives = this.#evidence === 'zeros' ? peak > 0 : isFromDevice;
    if (this.#evidence && lives) this.#evidence = undefined;
    this.#settle();
  }

  #settle(): void {
    const state = this.#word();
    if (state === this.#state) return;
    const from = this.#state;
    this.#state = state;
    const change: SideChange = { state, from };
    if (state === 'dead') change.evidence = this.#evidence;
    if (state === 'absent' || state === 'denied') change.error = this.#error;
    this.#report(change);
  }

  #word(): SideState {
    if (this.#error) {
      const { code } = this.#error as Partial<AudioError>;
      return code === 'ERR_AUDIO_PERMISSION_DENIED' ? 'denied' : 'absent';
    }
    if (!this.#opened) return 'opening';
    if (this.#muted) return 'muted';
    if (this.#evidence) return 'dead';
    return this.#hearing;
  }

  #listen(): void {
    this.#hearing = 'listening';
    this.#sinceSound = this.#sinceNoise = 0;
    this.#settle();
  }
}
