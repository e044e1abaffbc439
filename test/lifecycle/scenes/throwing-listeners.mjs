// An app whose listener throws, and which has an `uncaughtException` handler, as Electron has. Prints how often
// the listener was called, how many exceptions arrived, and whether the stream ended as it should.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  EchoCanceller,
  Gain,
  LevelMeter,
  MicSource,
  Mixer,
  SpeakerSink,
  ToneSource,
  VirtualMicSink,
  WavEncoder,
  WavReader,
  WavWriter,
} from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

const what = process.argv[2];
let called = 0;
let caught = 0;
process.on('uncaughtException', (error) => {
  if (error.message !== 'of the app') throw error;
  caught++;
});
const throws = () => {
  called++;
  throw new Error('of the app');
};

const audio = new SimulatedAudio({ clock: 'manual' });
const mic = (options = {}) => new MicSource({ backend: audio, ...options });
const format = { sampleRate: 48000, channels: 2, sampleFormat: 's16' };
const scenes = {
  async data() {
    const stream = mic({ durationMs: 1000 });
    stream.on('data', throws);
    await audio.advance(1500);
    return stream;
  },
  async transform() {
    const stream = mic({ durationMs: 1000 }).pipe(new Gain());
    stream.on('data', throws);
    await audio.advance(1500);
    return stream;
  },
  written: () => fromBytes(new Gain({ from: format })),
  cut: () => fromBytes(new Gain({ from: format, chunkMs: 2 })),
  encoded: () => fromBytes(new WavEncoder({ format })),
  file: () => fromBytes(new WavReader(), wavOf(48_000)),
  beside: () =>
    fromBytes(new EchoCanceller({ from: format, reference: new ToneSource({ durationMs: 100 }) })),
  async mixed() {
    const mixer = new Mixer();
    mixer.createInput({ format }).end(Buffer.alloc(192_000));
    mixer.on('data', throws);
    return mixer;
  },
  async tone() {
    return new ToneSource({ durationMs: 1000 }).on('data', throws);
  },
  async error() {
    const stream = mic();
    stream.on('error', throws);
    stream.destroy(new Error('of the stream'));
    await new Promise((resolve) => stream.once('close', resolve));
    return new ToneSource({ durationMs: 10 }).resume();
  },
  async drain() {
    const stream = new Gain({ from: format }).resume().on('drain', throws);
    while (stream.write(Buffer.alloc(19_200)));
    await new Promise((resolve) => setImmediate(resolve));
    stream.end();
    return stream;
  },
  async writeCallback() {
    const stream = new Gain({ from: format }).resume();
    stream.write(Buffer.alloc(4), throws);
    stream.end();
    return stream;
  },
  async endCallback() {
    const stream = new SpeakerSink({ backend: audio, format });
    stream.end(Buffer.alloc(4800), throws);
    while (!stream.closed) await audio.advance(100);
    return stream;
  },
  async discontinuity() {
    const stream = mic();
    let bytes = 0;
    stream.on('discontinuity', throws).on('data', (chunk) => (bytes += chunk.length));
    await audio.advance(300);
    audio.device('mic').glitch(960);
    await audio.advance(300);
    audio.device('mic').mute();
    await audio.advance(300);
    await stream.close();
    if (bytes < 8 * 0.85 * 48000) throw new Error(`only ${bytes} bytes arrived`);
    return stream;
  },
  async overrun() {
    const stream = mic({ bufferMs: 20 });
    let bytes = 0;
    stream.on('discontinuity', throws);
    stream.once('data', () => stream.pause());
    await audio.advance(300);
    stream.on('data', (chunk) => (bytes += chunk.length)).resume();
    await audio.advance(300);
    await stream.close();
    if (bytes % 3840 || bytes < 8 * 0.55 * 48000) throw new Error(`${bytes} bytes arrived`);
    return stream;
  },
  async level() {
    const stream = mic();
    stream.on('level', throws);
    await audio.advance(1050);
    await stream.close();
    return stream;
  },
  async meter() {
    const stream = mic({ durationMs: 1000 }).pipe(new LevelMeter());
    stream.on('level', throws).resume();
    await audio.advance(1500);
    return stream;
  },
  async ready() {
    const stream = mic({ durationMs: 500 });
    stream.on('ready', throws).resume();
    await audio.advance(1000);
    return stream;
  },
  async sinkReady() {
    const stream = new SpeakerSink({ backend: audio, format });
    stream.on('ready', throws).on('idle', throws);
    stream.end(Buffer.alloc(48000));
    while (!stream.closed) await audio.advance(100);
    return stream;
  },
  async end() {
    const stream = mic();
    stream.on('data', () => {}).on('end', throws);
    await audio.advance(300);
    await stream.close();
    return stream;
  },
  async close() {
    const stream = mic();
    stream.on('close', throws);
    await audio.advance(300);
    await stream.close();
    return stream;
  },
  fileClose: () => writesFile('close'),
  fileFinish: () => writesFile('finish'),
  async inputClose() {
    const stream = new Mixer();
    stream.on('inputClose', throws).resume();
    stream.createInput({ format }).end(Buffer.alloc(4800));
    await new Promise((resolve) => stream.once('close', resolve));
    return stream;
  },
  async warning() {
    audio.device('cable-output').mute();
    const stream = new VirtualMicSink({ backend: audio, device: 'cable-input' });
    stream.on('warning', throws);
    await audio.advance(100);
    await stream.close();
    return stream;
  },
};

async function fromBytes(stream, bytes = Buffer.alloc(192_000)) {
  stream.on('data', throws);
  for (let at = 0; at < bytes.length; at += 1920) {
    stream.write(bytes.subarray(at, at + 1920));
    await new Promise((resolve) => setImmediate(resolve));
  }
  stream.end();
  return stream;
}

function wavOf(frames) {
  const encoder = new WavEncoder({ format, frames });
  encoder.end(Buffer.alloc(4 * frames));
  return Buffer.concat([...iterate(encoder)]);
}

function* iterate(stream) {
  for (let chunk = stream.read(); chunk; chunk = stream.read()) yield chunk;
}

async function writesFile(event) {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-throwing-'));
  const stream = new WavWriter(join(folder, 'x.wav'), { format });
  stream.on(event, throws);
  stream.write(Buffer.alloc(400));
  await stream.close();
  rmSync(folder, { recursive: true });
  return stream;
}

const stream = await scenes[what]();
if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve));
if (stream.errored) throw stream.errored;
console.log(
  `${called > 0 && called === caught ? 'all told' : `${called} called, ${caught} caught`}`,
);
console.log(`${called} calls`);
