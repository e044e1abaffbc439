/** The frames of one side that wait for the other side, by their index and without gaps. */
export class FrameLine {
  readonly #channels: number;
  #held: { frame: number; samples: Float32Array; flags: number }[] = [];
  #start = 0;
  #end = 0;

  constructor(channels: number) {
    this.#channels = channels;
  }

  /** The frame behind the last one. */
  get end(): number {
    return this.#end;
  }

  /** Adds frames. Returns how many of them came too late, because silence has been read in their place. */
  add(frame: number, samples: Float32Array, flags: number): number {
    const frames = samples.length / this.#channels;
    const known = Math.min(frames, Math.max(0, this.#end - frame));
    const late = Math.min(frames, Math.max(0, this.#start - frame));
    if (known < frames) {
      const rest = samples.subarray(known * this.#channels);
      this.#held.push({ frame: frame + known, samples: rest, flags });
      this.#end = frame + frames;
    }
    return late;
  }

  /** Discards the frames from this one on. */
  cutOff(frame: number): void {
    while (this.#held.length > 0) {
      const last = this.#held[this.#held.length - 1];
      if (last.frame < frame) {
        last.samples = last.samples.subarray(0, (frame - last.frame) * this.#channels);
        break;
      }
      this.#held.pop();
    }
    this.#end = Math.max(this.#start, Math.min(this.#end, frame));
  }

  /** The next frames, from `frame` on, with zeros for missing ones. */
  read(frame: number, frames: number): { samples: Float32Array; flags: number } {
    const samples = new Float32Array(frames * this.#channels);
    const until = frame + frames;
    let flags = 0;
    while (this.#held.length > 0 && this.#held[0].frame < until) {
      const [head] = this.#held;
      const from = Math.max(frame, head.frame);
      const part = head.samples.subarray(
        (from - head.frame) * this.#channels,
        (until - head.frame) * this.#channels,
      );
      samples.set(part, (from - frame) * this.#channels);
      if (part.length > 0) flags |= head.flags;
      if (head.frame + head.samples.length / this.#channels > until) break;
      this.#held.shift();
    }
    this.#start = until;
    this.#end = Math.max(this.#end, until);
    return { samples, flags };
  }
}
