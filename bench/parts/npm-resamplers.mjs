// Resamplers from npm, and ours called from JavaScript, as parts of bench/resampler.mjs:
//
//     node npm-resamplers.mjs speed | quality | spectrum FOLDER
//
// Stereo in blocks of 480 frames, but for wave-resampler, which cannot stream, and convert(), which is for whole
// buffers: they get a second at a time.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { convert, Resampler } from 'patchcord';

import { instruments, report } from '../measure.mjs';
import { peer } from '../peers.mjs';

const [what, folder] = process.argv.slice(2);
const level = 10 ** (-1 / 20);
const block = 480;

const { create, ConverterType } = peer('@alexanderolsen/libsamplerate-js');
const { default: SpeexResampler } = peer('speex-resampler');
const { resample } = peer('wave-resampler');
await SpeexResampler.initPromise;

// Each makes a converter from interleaved f32 to interleaved f32; `whole`: it only converts all at once.
const engines = {
  'patchcord high, from JavaScript': { make: ours('high') },
  'patchcord high, convert()': { make: wholeBuffer('high'), whole: true },
  'libsamplerate-js BEST': { make: sampleRate(ConverterType.SRC_SINC_BEST_QUALITY) },
  'libsamplerate-js FASTEST': { make: sampleRate(ConverterType.SRC_SINC_FASTEST) },
  'speex-resampler q10': { make: speex(10) },
  'wave-resampler cubic': { make: wave('cubic'), whole: true },
  'wave-resampler sinc': { make: wave('sinc'), whole: true },
};

function ours(quality) {
  return async (from, to) => {
    const resampler = new Resampler({
      from: { sampleRate: from, channels: 2, sampleFormat: 'f32' },
      sampleRate: to,
      quality,
    });
    let parts = [];
    resampler.on('data', (chunk) => parts.push(chunk));
    return async (samples) => {
      const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
      if (!resampler.write(bytes)) await once(resampler, 'drain');
      const all = parts.length === 1 ? parts[0] : Buffer.concat(parts);
      parts = [];
      return new Float32Array(all.buffer, all.byteOffset, all.length / 4);
    };
  };
}

function wholeBuffer(quality) {
  return (from, to) => (samples) => {
    const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
    const format = { sampleRate: from, channels: 2, sampleFormat: 'f32' };
    const made = convert(bytes, { from: format, to: { sampleRate: to }, quality });
    return new Float32Array(made.buffer, made.byteOffset, made.length / 4);
  };
}

function sampleRate(converterType) {
  return async (from, to) => {
    const converter = await create(2, from, to, { converterType });
    return (samples) => converter.full(samples);
  };
}

function speex(quality) {
  return (from, to) => {
    const resampler = new SpeexResampler(2, from, to, quality);
    return (samples) => {
      const s16 = Int16Array.from(samples, (sample) => Math.round(sample * 32767));
      const bytes = resampler.processChunk(Buffer.from(s16.buffer));
      const made = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
      return Float32Array.from(made, (sample) => sample / 32767);
    };
  };
}

function wave(method) {
  return (from, to) => (samples) => {
    const channels = [0, 1].map((c) =>
      resample(
        Float64Array.from({ length: samples.length / 2 }, (_, i) => samples[2 * i + c]),
        from,
        to,
        { method },
      ),
    );
    return Float32Array.from({ length: channels[0].length * 2 }, (_, i) => channels[i % 2][i >> 1]);
  };
}

function sine(hz, rate, frames) {
  return Float32Array.from(
    { length: frames * 2 },
    (_, i) => level * Math.sin((2 * Math.PI * hz * (i >> 1)) / rate + (i % 2)),
  );
}

async function speed() {
  const rows = {};
  for (const [from, to, name] of [
    [48000, 44100, '48 > 44.1'],
    [44100, 48000, '44.1 > 48'],
    [48000, 16000, '48 > 16'],
  ]) {
    rows[name] = {};
    for (const [engine, { make, whole }] of Object.entries(engines)) {
      const frames = whole ? from : block;
      const input = sine(997, from, frames);
      const convert = await make(from, to);
      const seconds = async (count) => {
        const before = process.cpuUsage();
        for (let i = 0; i < count; i++) await convert(input);
        const { user, system } = process.cpuUsage(before);
        return (user + system) / 1e6;
      };
      const warmUp = whole ? 1 : 100;
      const each = (await seconds(warmUp)) / warmUp;
      const count = Math.max(1, Math.round(0.15 / each));
      rows[name][engine] = (count * frames) / from / (await seconds(count));
    }
  }
  return rows;
}

// The left channel of a converted tone of a second and a half.
async function converted({ make, whole }, hz, from, to) {
  const input = sine(hz, from, from * 1.5);
  const convert = await make(from, to);
  const parts = [];
  const step = (whole ? from * 1.5 : block) * 2;
  for (let at = 0; at + step <= input.length; at += step) {
    const made = Float32Array.from(await convert(input.subarray(at, at + step)));
    parts.push(made);
  }
  return Float32Array.from(parts.flatMap((part) => Array.from(part.filter((_, i) => i % 2 === 0))));
}

async function quality() {
  const { measureTone } = await instruments();
  const rows = {};
  for (const [engine, one] of Object.entries(engines)) {
    rows[engine] = {};
    for (const [from, to, name] of [
      [48000, 44100, '48 > 44.1'],
      [44100, 48000, '44.1 > 48'],
    ]) {
      const snrDb = {};
      for (const hz of [1000, 7000, 15000]) {
        const out = await converted(one, hz, from, to);
        const middle = out.subarray(out.length / 4, (out.length * 3) / 4);
        snrDb[hz] = Number(measureTone(middle, to, hz).snrDb.toFixed(1));
      }
      rows[engine][name] = { snrDb };
    }
  }
  return rows;
}

async function spectra() {
  for (const [engine, one] of Object.entries(engines)) {
    const out = await converted(one, 15000, 44100, 48000);
    writeFileSync(join(folder, `${engine}.f32`), Buffer.from(out.buffer));
  }
  return {};
}

report(await { speed, quality, spectrum: spectra }[what]());
