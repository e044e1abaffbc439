const tooMany = 5;
const withinMs = 10_000;

/** Counts the losses of a device that was opened with its shortest period, and says when it is too short. */
export class ShortPeriod {
  #losses: bigint[] = [];
  /** Why the stream no longer uses the short period; undefined while it does. */
  whyNot: string | undefined;

  /** @param now ns. @returns whether the stream must return to the usual period. */
  lost(now: bigint): boolean {
    const since = now - BigInt(withinMs) * 1_000_000n;
    this.#losses = [...this.#losses.filter((time) => time > since), now];
    if (this.#losses.length < tooMany || this.whyNot !== undefined) return false;
    this.whyNot = `the device lost audio ${tooMany} times within ${withinMs / 1000} s with its shortest period`;
    return true;
  }
}
