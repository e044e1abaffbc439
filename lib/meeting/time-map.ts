/**
 * The frames of a meeting's tracks, beside those of its sources: a pause takes frames out, the same ones of all
 * tracks. Each frame keeps the time at which it was heard.
 */
export class TimeMap {
  readonly #nsPerFrame: number;
  readonly #startTime: bigint;
  /** Frames of the sources that were taken out; the last may be open. */
  readonly #cuts: { from: number; to: number }[] = [];
  /** Where the times of the tracks step, and their beginning. */
  readonly #anchors: { frame: number; time: bigint }[] = [];

  constructor(sampleRate: number, startTime: bigint) {
    this.#nsPerFrame = 1e9 / sampleRate;
    this.#startTime = startTime;
  }

  /** From this frame of the sources on frames are taken out. */
  cut(from: number): void {
    this.#cuts.push({ from, to: Infinity });
  }

  /** From this frame on they are not. */
  mend(to: number): void {
    this.#cuts[this.#cuts.length - 1].to = to;
  }

  /** The frame of the tracks for one of the sources; for one that was taken out, the next that was not. */
  toTrack(frame: number): number {
    let taken = 0;
    for (const { from, to } of this.#cuts) {
      if (frame >= to) taken += to - from;
      else if (frame > from) taken += frame - from;
    }
    return frame - taken;
  }

  /** This frame of the tracks was heard at that time, and those behind it follow at the nominal rate. */
  note(frame: number, time: bigint): void {
    const isStep =
      this.#anchors.length === 0 ||
      Math.abs(Number(time - this.timeAt(frame))) > this.#nsPerFrame / 2;
    if (isStep) this.#anchors.push({ frame, time });
  }

  timeAt(frame: number): bigint {
    const anchor = this.#anchors.findLast((one) => one.frame <= frame) ?? this.#first;
    return anchor.time + BigInt(Math.round((frame - anchor.frame) * this.#nsPerFrame));
  }

  /** For a time that was taken out, the frame behind it. */
  frameAt(time: bigint): number {
    const at = this.#anchors.findLastIndex((one) => one.time <= time);
    const anchor = this.#anchors[at] ?? this.#first;
    const frame = anchor.frame + Number(time - anchor.time) / this.#nsPerFrame;
    return Math.min(frame, this.#anchors[at + 1]?.frame ?? Infinity);
  }

  get #first(): { frame: number; time: bigint } {
    return this.#anchors[0] ?? { frame: 0, time: this.#startTime };
  }
}
