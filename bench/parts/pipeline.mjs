// The main use, recorded by another program: `node pipeline.mjs SECONDS LATENCY_MS`, on the private server of the
// environment. One tone is played into the microphone's left channel and another into the speakers' right one;
// microphone and loopback are mixed into a virtual microphone, and `parec` records it. Each channel must then carry
// its tone, and every break in it must be counted by a stream. The baseline is a `parec` that records the microphone
// and the speakers themselves at the same time.
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LoopbackSource, MicSource, Mixer, VirtualMicSink } from 'patchcord';

import { instruments, median, report } from '../measure.mjs';

const [seconds, latencyMs] = process.argv.slice(2).map(Number);
const { findGaps, measureTone, toFloat } = await instruments();
const rate = 48000;
const peak = 10 ** (-12 / 20);
const format = ['--raw', '--format=float32le', `--rate=${rate}`, '--channels=2'];
// Frequencies whose periods are not a whole number of frames: a jump by whole periods would not show.
const tones = [
  { name: 'microphone', device: 'micfeed', source: 'mic', frequency: 997, channel: 0 },
  { name: 'speakers', device: 'speakers', source: 'speakers.monitor', frequency: 439, channel: 1 },
];

const folder = mkdtempSync(join(tmpdir(), 'patchcord-bench-'));
const players = tones.map(play);
const mic = new MicSource({ device: 'Microphone' });
const loopback = new LoopbackSource({ device: 'Speakers' });
const mixer = new Mixer();
const inputs = [mixer.createInput(), mixer.createInput()];
const sink = new VirtualMicSink({ name: 'bench', latencyMs });
mic.pipe(inputs[0]);
loopback.pipe(inputs[1]);
mixer.pipe(sink);
let exit;
try {
  await Promise.all([mic.ready, loopback.ready, sink.ready]);
  // The clocks are learnt in the first seconds.
  await delay(5000);
  const before = counts();
  const [heard, ...direct] = await Promise.all(
    [sink.microphone.id, ...tones.map(({ source }) => source)].map(record),
  );
  const after = counts();
  report({
    seconds: heard[0].length / rate,
    latencyMs: sink.stats().latencyMs,
    tones: tones.map((tone, i) => ({
      ...tone,
      heard: judge(heard[tone.channel], tone.frequency),
      baseline: judge(direct[i][tone.channel], tone.frequency),
    })),
    counted: Object.fromEntries(Object.entries(after).map(([key, n]) => [key, n - before[key]])),
  });
} catch (error) {
  exit = error;
} finally {
  for (const player of players) process.kill(-player.pid);
  rmSync(folder, { recursive: true, force: true });
}
if (exit) throw exit;

// Second by second: one sine fitted to everything would take the wander of a followed clock for a change of level.
// Reports the worst second's frequency and level, and the median SNR.
function judge(samples, near) {
  const each = [];
  for (let from = 0; from + rate <= samples.length; from += rate) {
    each.push(measureTone(samples.subarray(from, from + rate), rate, near));
  }
  const worst = (values) => values.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  return {
    hzOff: worst(each.map(({ frequency }) => frequency - near)),
    dbOff: worst(each.map(({ peakDb }) => peakDb - 20 * Math.log10(peak))),
    snrDb: median(each.map(({ snrDb }) => snrDb)),
    // While a clock is followed, a sample may be off by 80 dB less than the tone; the smallest jump by a whole frame
    // is 60 dB above that.
    gaps: findGaps(samples, { sampleRate: rate, frequency: near, tolerance: 2.5e-5 }),
  };
}

function counts() {
  const [one, two] = inputs.map((input) => input.stats());
  const underruns = sink.stats();
  return {
    micHoles: mic.stats().discontinuities,
    micLostFrames: mic.stats().lostFrames,
    loopbackHoles: loopback.stats().discontinuities,
    loopbackLostFrames: loopback.stats().lostFrames,
    loopbackSilentFrames: loopback.stats().silentFrames,
    loopbackTrimmedFrames: loopback.stats().trimmedFrames,
    micStarvations: one.starvations,
    micResyncs: one.resyncs,
    loopbackStarvations: two.starvations,
    loopbackResyncs: two.resyncs,
    sinkUnderruns: underruns.underruns,
    sinkUnderrunFrames: underruns.underrunFrames,
  };
}

// A shell's loop of one second of the tone, so that this process cannot starve it.
function play({ device, frequency, channel }) {
  const file = join(folder, `${device}.f32`);
  const samples = new Float32Array(2 * rate);
  for (let i = 0; i < rate; i++) {
    samples[2 * i + channel] = peak * Math.sin((2 * Math.PI * frequency * i) / rate + 1);
  }
  writeFileSync(file, Buffer.from(samples.buffer));
  const script = 'while cat "$0"; do :; done | exec pacat --playback "$@"';
  const options = [...format, `--device=${device}`, '--latency-msec=100'];
  return spawn('sh', ['-c', script, file, ...options], { stdio: 'ignore', detached: true });
}

async function record(device) {
  const file = join(folder, `heard of ${device}.f32`);
  const output = openSync(file, 'w');
  const options = [...format, `--device=${device}`, '--latency-msec=200'];
  const recorder = spawn('parec', options, { stdio: ['ignore', output, 'ignore'] });
  await delay(seconds * 1000 + 1000);
  recorder.kill();
  await new Promise((resolve) => recorder.once('close', resolve));
  closeSync(output);
  const bytes = readFileSync(file);
  // The first half second may contain audio from before the recording.
  const from = (rate / 2) * 8;
  return toFloat(bytes.subarray(from, from + seconds * rate * 8), {
    sampleRate: rate,
    channels: 2,
    sampleFormat: 'f32',
  });
}
