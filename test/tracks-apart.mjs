// `npm run campaign:day [-- --hours 24] [--seed 1]`: a microphone and a loopback on the host's clock, for hours
// of the simulated world, while their clocks drift and their devices fail; how far the two tracks are apart at
// most. The sound that both devices record says which of their frames it is, by the phase of a slow tone in two
// channels, and
// the world's clock says when that was.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { LoopbackSource, MicSource } from 'patchcord';
import { SimulatedAudio, sum, tone } from 'patchcord/testing';

const rate = 8000;
const chunkMs = 100;
const turn = 65536; // frames
const gain = 0.25;
const [sine, cosine] = [0, Math.PI / 2].map((phase, channel) =>
  tone(rate / turn, { gain, phase, channel }),
);
const places = sum(sine, cosine);

/** Numbers from 0 to 1, the same for the same seed (Marsaglia's xorshift). */
function seeded(seed) {
  let state = seed * 2654435761 + 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A device's crystal: what it has counted, for every instant, ms of the world. */
class Crystal {
  #parts = [];
  constructor(ppm) {
    this.ppm = ppm;
    this.#parts.push({ at: 0, frame: 0, slope: this.#slope() });
  }
  set(at, ppm) {
    const frame = this.frameAt(at);
    this.ppm = ppm;
    this.#parts.push({ at, frame, slope: this.#slope() });
    if (this.#parts.length > 100) this.#parts.shift();
  }
  frameAt(at) {
    const { at: begun, frame, slope } = this.#partOf((part) => part.at <= at);
    return frame + (at - begun) * slope;
  }
  timeOf(counted) {
    const { at, frame, slope } = this.#partOf((part) => part.frame <= counted);
    return at + (counted - frame) / slope;
  }
  #slope() {
    return (rate / 1000) * (1 + Math.round(this.ppm * 1000) * 1e-9);
  }
  #partOf(fits) {
    return this.#parts.findLast(fits) ?? this.#parts[0];
  }
}

/**
 * @param {{ hours: number, seed: number, onHour?: (hour: number, worstMs: number) => void }} options
 * @returns {Promise<{ worstMs: number, compared: number, faults: Record<string, number> }>}
 */
export async function runTracks({ hours, seed, onHour }) {
  const random = seeded(seed);
  const between = (least, most) => least + random() * (most - least);
  const format = { sampleRate: rate, channels: 2, sampleFormat: 'f32' };
  const crystals = {
    mic: new Crystal(between(-200, 200)),
    speakers: new Crystal(between(-200, 200)),
  };
  const audio = new SimulatedAudio({
    clock: 'manual',
    devices: [
      { id: 'mic', flow: 'input', format, driftPpm: crystals.mic.ppm, defaultConsole: true },
      {
        id: 'speakers',
        flow: 'output',
        format,
        driftPpm: crystals.speakers.ppm,
        defaultConsole: true,
      },
    ],
  });
  const begun = audio.now();
  let now = 0; // ms
  for (const id of Object.keys(crystals)) audio.device(id).play(places);

  const options = {
    backend: audio,
    clock: 'host',
    startTime: begun,
    ...format,
    chunkMs,
    bufferMs: 5000,
  };
  const sources = { mic: new MicSource(options), speakers: new LoopbackSource(options) };
  const waiting = new Map();
  const result = { worstMs: 0, compared: 0, faults: {} };
  const compare = (frame, id, error) => {
    const other = waiting.get(frame);
    if (other === undefined || other.id === id) {
      waiting.set(frame, { id, error });
      return;
    }
    waiting.delete(frame);
    result.compared++;
    result.worstMs = Math.max(result.worstMs, Math.abs(error - other.error));
  };
  const read = async (id) => {
    let spoilt = true;
    for await (const { data, frame, frames, time, flags } of sources[id].chunks()) {
      // Silence, and what rings with it, says nothing.
      const usable = !flags && !spoilt;
      spoilt = flags !== 0;
      const middle = Math.floor(frames / 2);
      const [left, right] = [data.readFloatLE(8 * middle), data.readFloatLE(8 * middle + 4)];
      // Nor does what is not the tone: nothing may be playing.
      if (!usable || Math.abs(Math.hypot(left, right) / gain - 1) > 1e-4) continue;
      const at = Number(time - begun) * 1e-6 + (middle * 1000) / rate;
      const expected = crystals[id].frameAt(at);
      const place = (Math.atan2(left, right) / (2 * Math.PI)) * turn;
      const heard = place + turn * Math.round((expected - place) / turn);
      compare(frame, id, crystals[id].timeOf(heard) - at);
    }
  };
  const reading = Promise.all(Object.keys(sources).map(read));

  const later = []; // what ends a fault: { at, act }
  const end = (afterMs, act) => later.push({ at: now + afterMs, act });
  const faults = {
    glitch: (device) => device.glitch(Math.round(between(1, rate))),
    late: (device) => device.late(Math.round(between(1, 300))),
    jitter: (device) => device.jitter(between(0, 8)),
    stamps: (device) => device.stamps(0, between(0, 0.5)),
    stall: (device) => {
      device.stall();
      end(between(100, 2000), () => device.resume());
    },
    unplug: (device) => {
      device.unplug();
      end(between(500, 5000), () => device.plug());
    },
    // Nothing plays, for half a second to five minutes; of a loopback that is no packet at all, and the next
    // ones may be late.
    idle: (device) => {
      device.stop();
      end(500 * 600 ** random(), () => {
        device.play(places);
        if (random() < 0.5) device.late(Math.round(between(1, 300)));
      });
    },
  };
  const kinds = Object.keys(faults);
  let busy = 0; // a fault lasts until then
  for (let second = 1; second <= hours * 3600; second++) {
    await audio.advance(1000);
    now += 1000;
    for (const one of later.splice(0)) {
      if (one.at <= now) one.act();
      else later.push(one);
    }
    for (const id of Object.keys(crystals)) {
      if (random() > 1 / 60) continue;
      const ppm = crystals[id].ppm + between(-1, 1);
      crystals[id].set(now, ppm);
      audio.device(id).drift(ppm);
    }
    if (second > busy && random() < 1 / 60) {
      const kind = kinds[Math.floor(random() * kinds.length)];
      result.faults[kind] = (result.faults[kind] ?? 0) + 1;
      const device = audio.device(random() < 0.5 ? 'mic' : 'speakers');
      faults[kind](device);
      busy = second + 25;
    }
    if (waiting.size > 1000) waiting.clear();
    if (second % 3600 === 0) onHour?.(second / 3600, result.worstMs);
  }
  await Promise.all(Object.values(sources).map((source) => source.close()));
  await reading;
  return result;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { hours: { type: 'string', default: '24' }, seed: { type: 'string', default: '1' } },
  });
  const { worstMs, compared, faults } = await runTracks({
    hours: Number(values.hours),
    seed: Number(values.seed),
    onHour: (hour, worst) => console.log(`${hour} h: ${worst.toFixed(3)} ms apart at most`),
  });
  const count = Object.values(faults).reduce((sum, one) => sum + one, 0);
  console.log(
    `${count} faults ${JSON.stringify(faults)}, ${compared} places compared, ${worstMs.toFixed(3)} ms apart at most`,
  );
  process.exitCode = worstMs <= 1 && compared > 0 ? 0 : 1;
}
