// No click: where sound begins, ends or breaks, no step of what is played or recorded is more than six times the
// largest step of the sound itself, and nothing is heard far above the sound. On the simulated system, with a manual
// clock.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect, it } from 'vitest';

import { Gain, MicSource, Mixer, SpeakerSink, toFloat32 } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

const simulated = (process.env.PATCHCORD_TEST_BACKEND ?? 'simulated') === 'simulated';
const frequency = 440;
const peak = 0.5;
const ownStep = peak * 2 * Math.sin((Math.PI * frequency) / 48_000);
const mostSteps = 6;
const splatterHz = 6000;
const mostSplatterDb = -60; // against the tone, in the loudest 5 ms
const phases = 6; // of the tone, in which it is broken

type Way = 'linked' | 'mixed' | 'through an effect' | 'recorded';

interface Scene {
  audio: SimulatedAudio;
  mic: MicSource;
  mixer: Mixer;
  sink: SpeakerSink;
  effect: Gain;
}

/** Steps of the tone that the largest step of the left channel is. */
function stepsOf(samples: Float32Array): number {
  let most = 0;
  for (let i = 2; i < samples.length; i += 2) {
    most = Math.max(most, Math.abs((samples[i] ?? 0) - (samples[i - 2] ?? 0)));
  }
  return most / ownStep;
}

/** The level above `splatterHz` in the loudest 5 ms of the left channel, in dB against the tone. */
function splatterOf(samples: Float32Array): number {
  const left = Float64Array.from({ length: samples.length / 2 }, (_, i) => samples[2 * i] ?? 0);
  const k = Math.tan((Math.PI * splatterHz) / 48_000);
  // A Butterworth high-pass of the eighth order.
  for (let stage = 0; stage < 4; stage++) {
    const damping = 2 * Math.sin((Math.PI * (2 * stage + 1)) / 16);
    const norm = 1 / (1 + damping * k + k * k);
    const [a1, a2] = [2 * (k * k - 1) * norm, (1 - damping * k + k * k) * norm];
    let [one, two] = [0, 0];
    left.forEach((sample, i) => {
      const next = sample - a1 * one - a2 * two;
      left[i] = (next - 2 * one + two) * norm;
      [two, one] = [one, next];
    });
  }
  let [power, most] = [0, 0];
  left.forEach((sample, i) => {
    power += sample ** 2 - (left[i - 240] ?? 0) ** 2;
    most = Math.max(most, power / 240);
  });
  return 10 * Math.log10(most / (peak ** 2 / 2) + 1e-20);
}

async function play(way: Way, phase: number, happens: (scene: Scene) => Promise<void>) {
  await using audio = new SimulatedAudio({ clock: 'manual' });
  audio.device('mic').play(tone(frequency, { gain: peak, phase: 1 }));
  const mic = new MicSource({ backend: audio });
  const sink = new SpeakerSink({ backend: audio });
  const mixer = new Mixer({ limiter: false });
  const effect = new Gain({ gain: 1 });
  const chunks: Buffer[] = [];
  if (way === 'recorded') mic.on('data', (chunk: Buffer) => chunks.push(chunk));
  else if (way === 'linked') mic.pipe(sink);
  else if (way === 'through an effect') mic.pipe(effect).pipe(sink);
  else {
    mic.pipe(mixer.createInput());
    mixer.pipe(sink);
  }
  await audio.advance(50);
  await Promise.all([mic.ready, sink.ready]);
  audio.device('speakers').record({ maxMs: 20_000 });
  await audio.advance(1000 + phase * 2);
  await happens({ audio, mic, mixer, sink, effect });
  await audio.advance(1000);
  const { data } = audio.device('speakers').recorded();
  const heard = way === 'recorded' ? toFloat32(Buffer.concat(chunks), mic.format) : data;
  for (const stream of [mic, sink, mixer, effect]) stream.destroy();
  await audio.advance(50);
  return heard;
}

function noClick(name: string, ways: Way[], happens: (scene: Scene) => Promise<void>): void {
  for (const way of ways) {
    it.runIf(simulated)(`${name}, ${way}, is no click`, async () => {
      let most = 0;
      let splatter = -200;
      for (let phase = 0; phase < phases; phase++) {
        const heard = await play(way, phase, happens);
        const loudest = heard.reduce((max, sample) => Math.max(max, Math.abs(sample)), 0);
        expect(loudest).toBeGreaterThan(0.95 * peak);
        expect(loudest).toBeLessThan(2 * peak);
        most = Math.max(most, stepsOf(heard));
        splatter = Math.max(splatter, splatterOf(heard));
      }
      if (process.env.PATCHCORD_STEPS) {
        console.log(`${name}, ${way}: ${most.toFixed(1)}, ${splatter.toFixed(1)} dB`);
      }
      expect(most).toBeLessThanOrEqual(mostSteps);
      expect(splatter).toBeLessThanOrEqual(mostSplatterDb);
    });
  }
}

// The world's own time continues here: what the device holds is played before it is released.
it.runIf(simulated)('a sink that is destroyed, or whose mixer is closed, is no click', async () => {
  await using audio = new SimulatedAudio();
  const speakers = audio.device('speakers');
  audio.device('mic').play(tone(frequency, { gain: peak, phase: 1 }));
  for (let phase = 0; phase < phases; phase++) {
    const mic = new MicSource({ backend: audio });
    const sink = new SpeakerSink({ backend: audio });
    const mixer = new Mixer({ limiter: false });
    speakers.record({ maxMs: 20_000 });
    if (phase % 2) mic.pipe(mixer.createInput());
    (phase % 2 ? mixer : mic).pipe(sink);
    await Promise.all([mic.ready, sink.ready]);
    await sleep(500 + phase);
    const before = performance.now();
    const closed = once(sink, 'close');
    if (phase % 2) void mixer.close();
    else sink.destroy();
    await closed;
    expect(performance.now() - before).toBeLessThan(200);
    await sleep(50);
    for (const stream of [mic, mixer]) stream.destroy();
    const { data } = speakers.recorded();
    expect(data.some((sample) => Math.abs(sample) > 0.95 * peak)).toBe(true);
    expect(stepsOf(data)).toBeLessThanOrEqual(mostSteps);
    expect(splatterOf(data)).toBeLessThanOrEqual(mostSplatterDb);
  }
});

const all: Way[] = ['linked', 'mixed', 'through an effect', 'recorded'];
const played: Way[] = ['linked', 'mixed', 'through an effect'];

noClick('nothing', all, async () => {});
noClick('a microphone that is turned off and on', all, async ({ audio, mic }) => {
  mic.enabled = false;
  await audio.advance(503);
  mic.enabled = true;
});
for (const frames of [20, 100, 480]) {
  noClick(`a hole of ${frames} frames`, all, async ({ audio }) => {
    audio.device('mic').glitch(frames);
    await audio.advance(300);
  });
}
noClick('a microphone that is unplugged and comes back', all, async ({ audio }) => {
  audio.device('mic').unplug();
  await audio.advance(303);
  audio.device('mic').plug();
});
noClick('a microphone that is unpiped', played, async ({ audio, mic }) => {
  mic.unpipe();
  await audio.advance(100);
});
noClick('a microphone that is closed', played, async ({ audio, mic }) => {
  const closed = mic.close();
  await audio.advance(100);
  await closed;
});
noClick('a microphone that is destroyed', played, async ({ audio, mic }) => {
  mic.destroy();
  await audio.advance(100);
});
noClick('a link that is made again', ['linked'], async ({ audio, mic, sink }) => {
  mic.unpipe(sink);
  await audio.advance(51);
  mic.pipe(sink);
});
noClick('an input that is muted, and no longer', ['mixed'], async ({ audio, mixer, mic }) => {
  mic.unpipe();
  const input = mixer.createInput();
  mic.pipe(input);
  await audio.advance(501);
  input.setMuted(true);
  await audio.advance(503);
  input.setMuted(false);
});
noClick('inputs that come and go', ['mixed'], async ({ audio, mixer, mic }) => {
  const input = mixer.createInput({ gain: 0.5 });
  mic.pipe(input);
  await audio.advance(503);
  input.destroy();
});
noClick('an input that is closed', ['mixed'], async ({ audio, mixer }) => {
  const closed = mixer.inputs[0]?.close();
  await audio.advance(100);
  await closed;
});
noClick('a mixer that is unpiped and piped again', ['mixed'], async ({ audio, mixer, sink }) => {
  mixer.unpipe(sink);
  await audio.advance(101);
  mixer.pipe(sink);
});
