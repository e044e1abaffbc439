// Finds the cause of a break in a program's recording of a virtual microphone: a stream of ours records the
// microphone too. A break that it does not have is the program's own; one that it has must have been counted by the
// sink, or by itself.
import { MicSource, type VirtualMicSink } from 'patchcord';

import { findGaps, toFloat } from '../instruments/index.js';

// A break is noticed, and counted, up to so long after it was played, or before it is heard.
const countedWithinMs = 1000;
// The ramps around one are found as separate places.
const oneBreakMs = 100;
const rate = 48000;
const winePeriod = 480; // frames
const quantum = 256; // frames, to which short latencies bring it

export interface Testimony {
  /** Breaks of the tone. */
  heard: number;
  /** Those that nobody counted, as text. */
  uncounted: string[];
}

/** Listens from now on; the returned function ends that, and says what there was of a tone. */
export async function listenBeside(
  sink: VirtualMicSink,
  frequency: number,
): Promise<() => Promise<Testimony>> {
  const backend = process.env.PATCHCORD_TEST_BACKEND === 'wasapi' ? 'wasapi' : 'pulse';
  const device = sink.microphone?.id as string;
  const mic = new MicSource({ backend, device, channels: 1, bufferMs: 30_000 });
  const counters = () => {
    const { underruns, underrunFrames, silentFrames } = sink.stats();
    return `${underruns} ${underrunFrames} ${silentFrames} ${mic.stats().lostFrames}`;
  };
  const counted: number[] = [];
  let last = '';
  const watch = setInterval(() => {
    const now = counters();
    if (last !== '' && now !== last) counted.push(milliseconds());
    last = now;
  }, 20);
  const chunks: Buffer[] = [];
  let begun: bigint | undefined;
  const listening = (async () => {
    for await (const { data, time } of mic.chunks()) {
      begun ??= time;
      chunks.push(data);
    }
  })();
  await mic.ready;
  return async () => {
    await mic.close();
    await listening;
    clearInterval(watch);
    const [sound] = toFloat(Buffer.concat(chunks), mic.format);
    // Before it was open, and in its first moments, there is nothing to be judged.
    const from = sound.findIndex((sample) => sample !== 0) + rate / 10;
    const breaks: { at: number; frames: number; text: string }[] = [];
    for (const { kind, frame, frames } of findGaps(sound.subarray(from), {
      sampleRate: rate,
      frequency,
      tolerance: 1e-3,
    })) {
      const at = Number(begun) / 1e6 + ((from + frame) * 1000) / rate;
      const before = breaks.at(-1);
      if (before && at - before.at < oneBreakMs) {
        before.frames = Math.max(before.frames, frames);
        continue;
      }
      breaks.push({
        at,
        frames,
        text: `${kind} of ${frames.toFixed(1)} frames at ${at.toFixed(0)} ms`,
      });
    }
    const uncounted = breaks.filter(
      ({ at, frames }) =>
        !isOfPipeWire(frames) &&
        !isUnseenInWine(frames) &&
        !counted.some((when) => Math.abs(when - at) < countedWithinMs),
    );
    return { heard: breaks.length, uncounted: uncounted.map(({ text }) => text) };
  };
}

// Its graph drops, repeats or leaves empty whole quanta when it is late, and tells none of its clients.
function isOfPipeWire(frames: number): boolean {
  if (process.env.PATCHCORD_TEST_BACKEND !== 'pipewire' || frames < quantum / 2) return false;
  return Math.abs(frames - Math.round(frames / quantum) * quantum) < 1;
}

// Its sound server underran for less than half of Wine's period: the position that a Windows program sees moves by
// whole periods, and such a hole does not show in it.
function isUnseenInWine(frames: number): boolean {
  return process.env.PATCHCORD_TEST_BACKEND === 'wasapi' && frames < winePeriod / 2;
}

function milliseconds(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
