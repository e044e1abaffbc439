// The echo canceller live: MicSource, LoopbackSource and EchoCanceller on the simulated system, whose two sound cards
// have different clocks. The time is simulated: ten minutes take less.
import { fixed, instruments } from './measure.mjs';

const rate = 48_000;
const mono = { sampleRate: rate, channels: 1, sampleFormat: 'f32' };
const secondsOfSound = 20; // which repeat

/** @param {{ minutes: number }} options of simulated time */
export async function echoLive({ liveMinutes }) {
  const rows = [];
  for (const ppm of [0, 100]) rows.push(await row(ppm, liveMinutes));
  const [aligned, apart] = rows.map((one) => one['last minute, dB']);
  return {
    note: `${liveMinutes} simulated minutes; the difference is ${fixed(aligned - apart, 1)} dB`,
    tables: { 'Echo, live': rows },
  };
}

async function row(ppm, minutes) {
  const { EchoCanceller, LoopbackSource, MicSource } = await import('patchcord');
  const { pcm, SimulatedAudio } = await import('patchcord/testing');
  const { seededRandom, syllables } = await instruments();
  const random = seededRandom(1);
  const far = syllables(random, secondsOfSound * rate, 0.1);
  const frames = Math.ceil((minutes * 60 + 5) * rate);
  const heard = stretched(inRoom(far, random), 1 / (1 + ppm * 1e-6), frames);
  for (let i = 0; i < frames; i++) heard[i] += 5e-4 * (random() - 0.5);
  const audio = new SimulatedAudio({ clock: 'manual' });
  audio
    .device('speakers')
    .play(pcm(far, { loop: true }))
    .drift(-ppm / 2);
  audio
    .device('mic')
    .play(pcm(heard))
    .drift(ppm / 2);
  const mic = new MicSource({ backend: audio, ...mono });
  const reference = new LoopbackSource({ backend: audio });
  const canceller = mic.pipe(new EchoCanceller({ reference }));
  const powers = [power(mic), power(canceller)];
  await Promise.all([mic.ready, reference.ready]);
  const erles = [];
  const end = minutes * 60;
  for (let second = 0; second < end; second++) {
    for (let half = 0; half < 2; half++) await audio.advance(500);
    erles.push(powers.map((take) => take()));
  }
  const { driftPpm, starvedFrames, resyncs } = canceller.stats().reference;
  await Promise.all([mic.close(), reference.close()]);
  const erle = (from, to) => {
    const [before, after] = [0, 1].map((i) =>
      erles.slice(from, to).reduce((sum, pair) => sum + pair[i], 0),
    );
    return 10 * Math.log10(before / after);
  };
  return {
    'clocks apart, ppm': ppm,
    'first second, dB': fixed(erle(1, 2), 1),
    'first minute, dB': fixed(erle(2, 60), 1),
    'last minute, dB': fixed(erle(end - 60, end), 1),
    'measured, ppm': fixed(driftPpm, 2),
    'frames without reference': starvedFrames,
    jumps: resyncs,
  };
}

/** Takes the power that a stream has delivered since the last call. */
function power(stream) {
  let sum = 0;
  stream.on('data', (bytes) => {
    const samples = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (const sample of samples) sum += sample * sample;
  });
  return () => {
    const taken = sum;
    sum = 0;
    return taken;
  };
}

/** The echo of a sound that repeats: 150 reflections within 0.3 s. */
function inRoom(far, random) {
  const echo = new Float32Array(far.length);
  for (let n = 0; n <= 150; n++) {
    const seconds = n === 0 ? 0.005 : 0.006 + 0.3 * random();
    const gain = n === 0 ? 0.3 : 0.15 * (random() - 0.5) * 10 ** (-3 * (seconds / 0.35));
    const at = Math.round(seconds * rate);
    for (let i = 0; i < far.length; i++) echo[i] += gain * far[(i - at + far.length) % far.length];
  }
  return echo;
}

/** `frames` frames of a sound that repeats, read at another speed by a windowed sinc. */
function stretched(sound, step, frames) {
  const reach = 12;
  const out = new Float32Array(frames);
  for (let i = 0; i < frames; i++) {
    const at = i * step;
    const first = Math.floor(at);
    const part = at - first;
    if (part === 0) {
      out[i] = sound[first % sound.length];
      continue;
    }
    const sine = Math.sin(Math.PI * part) / Math.PI;
    let sum = 0;
    for (let k = 1 - reach; k <= reach; k++) {
      const x = part - k;
      const sinc = ((k & 1 ? -1 : 1) * sine) / x;
      const index = (first + k + sound.length) % sound.length;
      sum += sound[index] * sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / reach));
    }
    out[i] = sum;
  }
  return out;
}
