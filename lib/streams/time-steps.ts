/** The steps in the times of a stream, caused by sleep of the machine: the frame and the length of each. */
export class TimeSteps {
  readonly #steps: { frame: number; ns: bigint }[] = [];

  add(frame: number, ns: bigint): void {
    this.#steps.push({ frame, ns });
  }

  /**
   * The sum of all steps after a frame, in ns. The present relation of frames and times gives a time that is later by
   * this sum.
   */
  after(frame: number): bigint {
    return this.#steps.reduce((sum, step) => (frame < step.frame ? sum + step.ns : sum), 0n);
  }

  /**
   * The frame at a time. `today` is the relation that holds after the last step. Within a step it is the first frame
   * after it.
   */
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
