/**
 * Maps the frames of a meeting's sources to those of its tracks. A pause omits frames, the same ones from all
 * tracks. Each frame keeps the time at which it was heard.
 */
export class TimeMap {
  readonly #nsPerFrame: number;
  readonly #startTime: bigint;
  /** The ranges of frames that were omitted. The last range may have no end yet. */
  readonly #cuts: { from: number; to: number }[] = [];
  /** The start of the tracks, and the steps of their times. */
  readonly #anchors: { frame: number; time: bigint }[] = [];

  constructor(sampleRate: number, startTime: bigint) {
    this.#nsPerFrame = 1e9 / sampleRate;
    this.#startTime = startTime;
  }

  /** Omits frames from this frame of the sources on. */
  cut(from: number): void {
    this.#cuts.push({ from, to: Infinity });
  }

  /** Stops omitting frames at this frame of the sources. */
  mend(to: number): void {
    this.#cuts[this.#cuts.length - 1].to = to;
  }

  /**
   * The frame of the tracks for a frame of the sources. For an omitted frame it is the next one that was not omitted.
   */
  toTrack(frame: number): number {
    let taken = 0;
    for (const { from, to } of this.#cuts) {
      if (frame >= to) taken += to - from;
      else if (frame > from) taken += frame - from;
    }
    return frame - taken;
  }

  /** Notes the time of a frame of the tracks. The frames after it follow at the nominal rate. */
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

  /** The frame at a time. For an omitted time it is the frame after it. */
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
