// An app whose listener throws when a stream ends: `node throws-at-the-end.mjs EVENT`. Prints a line for each class, and
// must then end by itself.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { EchoCanceller, Gain, LoopbackSource, MicSource, Mixer } from 'patchcord';
import {
  SpeakerSink,
  ToneSource,
  VirtualMicSink,
  WavEncoder,
  WavReader,
  WavWriter,
} from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

const event = process.argv[2];
const folder = mkdtempSync(join(tmpdir(), 'patchcord-throwing-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
process.on('uncaughtException', (error) => {
  if (error.message !== 'of the app') throw error;
});

const backend = new SimulatedAudio();
const format = { sampleRate: 48000, channels: 2, sampleFormat: 's16' };
const bytes = Buffer.alloc(9600);
const written = (stream) => {
  stream.write(bytes);
  return stream;
};
const mic = () => new MicSource({ backend, durationMs: 400 }).unref();
const streams = {
  mic: () => new MicSource({ backend, durationMs: 100 }).resume(),
  read: () => new MicSource({ backend }).on('data', () => {}),
  loop() {
    const source = new MicSource({ backend });
    void (async () => {
      for await (const { frames } of source.chunks()) if (frames === 0) return;
    })().catch(() => {});
    return source;
  },
  loopback: () => new LoopbackSource({ backend, durationMs: 100 }).resume(),
  missing: () => new MicSource({ backend, device: 'none of these' }),
  missingSink: () => new SpeakerSink({ backend, device: 'none of these' }),
  tone: () => new ToneSource({ durationMs: 100 }).resume(),
  mixer() {
    const mixer = new Mixer();
    mic().pipe(mixer.createInput());
    return mixer.resume();
  },
  input() {
    const input = new Mixer().resume().createInput({ format });
    input.end(bytes);
    return input;
  },
  linkedInput: () => mic().pipe(new Mixer().resume().createInput()),
  gain: () => written(new Gain({ from: format })).resume(),
  liveGain: () => mic().pipe(new Gain()).resume(),
  canceller: () =>
    mic()
      .pipe(new EchoCanceller({ reference: mic() }))
      .resume(),
  speaker: () => written(new SpeakerSink({ backend, format })),
  endedSpeaker: () => new SpeakerSink({ backend, format }).end(bytes),
  linkedSpeaker: () => mic().pipe(new SpeakerSink({ backend })),
  virtualMic: () => written(new VirtualMicSink({ backend, format })),
  writer: () => written(new WavWriter(join(folder, 'a.wav'), { format })),
  endedWriter: () => new WavWriter(join(folder, 'b.wav'), { format }).end(bytes),
  linkedWriter: () => mic().pipe(new WavWriter(join(folder, 'c.wav'))),
  noFolder: () => new WavWriter(join(folder, 'none', 'd.wav'), { format }),
  reader: () => new WavEncoder({ format }).end(bytes).pipe(new WavReader()).resume(),
};

async function look(name, make) {
  const stream = make();
  stream.on(event, () => {
    throw new Error('of the app');
  });
  if (event !== 'error') stream.on('error', () => {});
  const isMissing = ['missing', 'missingSink', 'noFolder'].includes(name);
  await new Promise((resolve) => setTimeout(resolve, 300));
  if (event === 'error' && !isMissing) stream.destroy(new Error('on purpose'));
  const close = stream.close().then(
    () => 'closed',
    // The errors that were not reported before.
    ({ message }) => (message === 'on purpose' ? 'closed' : message),
  );
  const late = new Promise((resolve) => setTimeout(resolve, 5000, 'close() is pending').unref());
  const settled = await Promise.race([close, late]);
  return `${name}: ${settled}${stream.closed ? '' : ', not closed'}`;
}

const lines = Object.entries(streams).map(([name, make]) => look(name, make));
console.log((await Promise.all(lines)).join('\n'));
