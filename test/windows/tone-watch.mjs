// Judges a tone for hours, a second at a time: every place where it breaks.

/**
 * @param {{ findGaps: typeof import('../instruments/find-gaps.js').findGaps, sampleRate: number,
 *   frequency: number }} options
 */
export function watchTone({ findGaps, sampleRate, frequency }) {
  const overlap = sampleRate / 10;
  const look = new Float32Array(sampleRate + overlap);
  let filled = 0;
  let begins = 0; // the stream's frame at look[0]
  let judged = -Infinity; // up to there what was found is known
  const watch = { seconds: 0, silentFrames: 0, gaps: [] };

  const judge = () => {
    watch.seconds++;
    let found;
    try {
      found = findGaps(look, { sampleRate, frequency, tolerance: 2e-5 });
    } catch {
      found = [{ kind: 'silence', frame: 0, frames: look.length }]; // no tone at all
    }
    for (const { kind, frame, frames } of found) {
      const from = begins + frame;
      const to = kind === 'silence' ? from + frames : from + 1;
      // In the frames that two looks have in common everything is found twice, to a few frames.
      if (to <= judged + 4) continue;
      if (kind === 'silence') watch.silentFrames += to - Math.max(from, judged);
      judged = to;
      watch.gaps.push({ kind, from, to, frames });
    }
  };

  /** The next samples, of the stream's `frame`. */
  watch.hear = (samples, frame) => {
    if (filled === 0) begins = frame;
    for (let done = 0; done < samples.length;) {
      const part = samples.subarray(done, done + look.length - filled);
      look.set(part, filled);
      filled += part.length;
      done += part.length;
      if (filled < look.length) return;
      judge();
      look.copyWithin(0, sampleRate);
      filled = overlap;
      begins += sampleRate;
    }
  };
  return watch;
}
