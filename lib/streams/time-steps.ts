/** Where the times of a stream step, because the machine slept: each frame and by how much. */
export class TimeSteps {
  readonly #steps: { frame: number; ns: bigint }[] = [];

  add(frame: number, ns: bigint): void {
    this.#steps.push({ frame, ns });
  }

  /** All that comes after a frame, ns: so much later its time is by what holds today. */
  after(frame: number): bigint {
    return this.#steps.reduce((sum, step) => (frame < step.frame ? sum + step.ns : sum), 0n);
  }

  /** The frame at a time, `today` being right behind the last step; within one its first frame. */
  frameAt(time: bigint, today: (time: bigint) => number): number {
    let at = time;
    let frame = today(at);
    for (const step of this.#steps.slice().reverse()) {
      if (frame >= step.frame) return frame;
      at += step.ns;
      frame = Math.min(today(at), step.frame);
    }
    return frame;
  }
}
