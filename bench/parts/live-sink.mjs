// A live microphone through a sink, heard at the microphone end of its cable: `node live-sink.mjs OPTIONS`, JSON:
// { seconds, backend, mic, feed, sink: options of the VirtualMicSink, lowLatency }. The microphone's sound repeats
// each second: a tone on the left, four clicks on the right (secondOfSound()). Without `mic` it is a
// simulated one, on this machine's clock, whose times are exact: then only the sink is measured.
// Otherwise `feed` names the output that this program plays to, which it records.
//
// Each click is found at the microphone and at the cable, and its delay, minus the lag that the link holds (stats),
// is what the sink adds. Breaks of the tone are looked for at both places, and matched with the counters of streams.
import { setTimeout as delay } from 'node:timers/promises';

import { MicSource, SpeakerSink, VirtualMicSink } from 'patchcord';
import { pcm, SimulatedAudio } from 'patchcord/testing';

import { clicksPerSecond, frequency, rate, secondOfSound } from '../live-sound.mjs';
import { instruments, percentiles, report } from '../measure.mjs';

const given = JSON.parse(process.argv[2]);
const { findGaps } = await instruments();
// The length of a piece; clicks and breaks near its ends are measured with the next piece.
const [pieceSeconds, edgeSeconds] = [10, 0.25];
const settleMs = 6000;
// A break is one place, with the ramps around it. Its counter may rise later, or before the break is heard.
const [oneBreakMs, countedWithinMs] = [100, 1500];

class Ear {
  clicks = [];
  breaks = [];
  #left = new Float32Array(pieceSeconds * rate);
  #filled = 0;
  #right = [0, 0];

  constructor(source, onClick) {
    this.source = source;
    this.over = this.#listen(onClick);
  }

  async #listen(onClick) {
    const { channels } = this.source.format;
    for await (const { data, frames, time } of this.source.chunks()) {
      const samples = new Float32Array(data.buffer, data.byteOffset, frames * channels);
      for (let i = 0; i < frames; i++) {
        const [one, two] = this.#right;
        const three = samples[i * channels + channels - 1];
        if (two > 0.4 && two >= one && two > three) {
          // The top of a parabola through the three; the middle one is the previous frame.
          const top = (one - three) / (2 * (one - 2 * two + three));
          const click = Number(time) / 1e6 + ((i - 1 + top) * 1000) / rate;
          this.clicks.push(click);
          onClick?.(click);
        }
        this.#right = [two, three];
        this.#left[this.#filled++] = samples[i * channels];
        if (this.#filled === this.#left.length) this.#look(Number(time) / 1e6 + (i * 1000) / rate);
      }
    }
  }

  // `end`: when the last frame was recorded, ms.
  #look(end) {
    const edge = edgeSeconds * rate;
    let gaps;
    try {
      gaps = findGaps(this.#left, { sampleRate: rate, frequency, tolerance: 1e-3 });
    } catch {
      gaps = [{ frame: edge, frames: this.#left.length }]; // no tone at all
    }
    for (const { kind, frame, frames } of gaps) {
      if (frame < edge || frame >= this.#left.length - edge) continue;
      const at = end - ((this.#left.length - frame) * 1000) / rate;
      if (at - (this.breaks.at(-1)?.at ?? -Infinity) > oneBreakMs) {
        this.breaks.push({ at, kind, frames: Math.round(frames) });
      }
    }
    this.#left.copyWithin(0, this.#left.length - 2 * edge);
    this.#filled = 2 * edge;
  }
}

const { lowLatency = false } = given;
const sound = secondOfSound();
const room = given.mic === undefined ? new SimulatedAudio() : undefined;
room?.device('mic').play(pcm(sound, { channels: 2, loop: true }));
const backend = given.backend === 'simulated' ? room : given.backend;
const common = { backend, lowLatency };
const player =
  given.feed &&
  new SpeakerSink({
    backend,
    device: given.feed,
    latencyMs: 100,
    bufferMs: 2000,
    format: stereo(),
  });
if (player) play(player);
const source = new MicSource({
  ...common,
  backend: room ?? backend,
  device: given.mic ?? 'mic',
  bufferMs: 20_000,
});
const sink = new VirtualMicSink({ ...common, ...given.sink });
source.pipe(sink);
await Promise.all([source.ready, sink.ready]);
const cable = new MicSource({ ...common, device: sink.microphone.id, bufferMs: 20_000 });
await cable.ready;

const counters = () => {
  const { underruns, starvations, resyncs, lostFrames } = sink.stats();
  return {
    underruns,
    starvations,
    resyncs,
    'frames that the link lost': lostFrames,
    'frames that the microphone lost': source.stats().lostFrames,
    'frames that the recorder lost': cable.stats().lostFrames,
    ...(player && { "the player's underruns": player.stats().underruns }),
  };
};
// When each of them counted something.
const counted = [];
await delay(settleMs);
let last = counters();
const before = last;
const watch = setInterval(() => {
  const now = counters();
  const at = Number(process.hrtime.bigint()) / 1e6;
  for (const key of Object.keys(now)) if (now[key] !== last[key]) counted.push({ at, key });
  last = now;
}, 50);
const ways = [];
const heard = new Ear(source);
const arrived = new Ear(cable, (at) => {
  const { latencyMs, deviceLatencyMs } = sink.stats();
  // Measured when the break must have reached both places.
  setTimeout(() => {
    const from = heard.clicks.findLast((click) => click < at);
    if (from === undefined || at - from > 1000 / clicksPerSecond) return;
    ways.push({ way: at - from, lag: latencyMs - deviceLatencyMs, told: latencyMs });
  }, 1000);
});
await delay(given.seconds * 1000);
const after = counters();
clearInterval(watch);
const { driftPpm, linkDriftPpm, deviceLatencyMs } = sink.stats();

const near = (one, other, ms) => Math.abs(one - other) < ms;
const usual = percentiles(ways.map(({ way }) => way)).p50;
const verdicts = { heard: 0, 'of the player': 0, counted: 0, unexplained: 0 };
const unexplained = [];
for (const one of arrived.breaks) {
  verdicts.heard++;
  if (heard.breaks.some(({ at }) => near(at + usual, one.at, oneBreakMs)))
    verdicts['of the player']++;
  else if (counted.some(({ at }) => near(at, one.at, countedWithinMs))) verdicts.counted++;
  else unexplained.push(one);
}
verdicts.unexplained = unexplained.length;
const added = ways.map(({ way, lag }) => way - lag);
// To judge whether the fill is held: how far a click's delay is from the usual, minus the lag that the link reports.
// Parts that the system's own positions omit, as Wine's do, are the same for all clicks.
const usuallyAdded = percentiles(added).p50;
const moved = added.map((ms) => Math.abs(ms - usuallyAdded));
const lags = ways.map(({ lag }) => lag);
report({
  seconds: given.seconds,
  clicks: ways.length,
  addedMs: percentiles(added),
  added,
  wayMs: percentiles(ways.map(({ way }) => way)),
  movedMs: percentiles(moved),
  toldMs: percentiles(ways.map(({ told }) => told)).p50,
  deviceLatencyMs,
  lagMs: [Math.min(...lags), Math.max(...lags)],
  driftPpm,
  linkDriftPpm,
  breaks: verdicts,
  unexplained,
  counted: Object.fromEntries(Object.entries(after).map(([key, n]) => [key, n - before[key]])),
});

function stereo() {
  return { sampleRate: rate, channels: 2, sampleFormat: 'f32' };
}

async function play(into) {
  const bytes = Buffer.from(sound.buffer);
  for (;;) {
    if (!into.write(bytes)) await new Promise((resolve) => into.once('drain', resolve));
  }
}
