import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';

import { afterAll, expect, it } from 'vitest';

import { Mixer } from '../../lib/mixer/mixer.js';
import { VirtualMicSink } from '../../lib/sinks/virtual-mic-sink.js';
import { SpeakerSink } from '../../lib/sinks/speaker-sink.js';
import { WavWriter } from '../../lib/sinks/wav-writer.js';
import { SimulatedAudio } from '../../lib/testing.js';
import { Gain } from '../../lib/transforms/gain.js';
import { LevelMeter } from '../../lib/transforms/level-meter.js';
import { WavEncoder } from '../../lib/transforms/wav-encoder.js';
import { WavReader } from '../../lib/transforms/wav-reader.js';
import { MicSource } from '../../lib/sources/mic-source.js';
import { ToneSource } from '../../lib/sources/tone-source.js';

const folder = mkdtempSync(join(tmpdir(), 'patchcord-rejections-'));
afterAll(() => rmSync(folder, { recursive: true }));

const format = { sampleRate: 48000, channels: 2, sampleFormat: 's16' } as const;

it.each<[string, () => Writable]>([
  ['Gain', () => new Gain({ from: format })],
  ['MixerInput', () => new Mixer().resume().createInput({ format })],
  ['SpeakerSink', () => new SpeakerSink({ backend: new SimulatedAudio(), format })],
  ['WavWriter', () => new WavWriter(join(folder, 'transferred.wav'), { format })],
  ['WavEncoder', () => new WavEncoder({ format })],
  ['WavReader', () => new WavReader()],
])('a %s fails with a code if a chunk is transferred before it is processed', async (_, make) => {
  const stream = make();
  const failed = once(stream, 'error');
  stream.cork();
  const chunk = new Uint8Array(400);
  stream.write(chunk);
  structuredClone(chunk.buffer, { transfer: [chunk.buffer] });
  stream.uncork();
  expect(await failed).toEqual([expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' })]);
});

it.each([undefined, null, 1, 'cable', {}, [], { render: {} }, { candidates: [] }])(
  'probe(%j) rejects with a code',
  async (wrong) => {
    const options = { backend: new SimulatedAudio() };
    await expect(VirtualMicSink.probe(wrong as never, options)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
  },
);

it.skipIf(process.platform === 'win32')('a WavReader refuses a FIFO without blocking', async () => {
  const path = join(folder, 'fifo');
  execFileSync('mkfifo', [path]);
  for (const special of [path, '/dev/null']) {
    const reader = WavReader.fromFile(special);
    await expect(reader.ready).rejects.toMatchObject({ code: 'ERR_AUDIO_UNSUPPORTED' });
  }
});

it('many calls of close() cause no warning', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on('warning', note);
  const backend = new SimulatedAudio();
  const mic = new MicSource({ backend }).resume();
  const streams = [
    mic,
    new Mixer().resume(),
    new Gain({ from: format }).resume(),
    new SpeakerSink({ backend, format }),
    new WavWriter(join(folder, 'many.wav'), { format }),
    new WavReader().resume(),
    new ToneSource().resume(),
    new Mixer().createInput(),
  ];
  await Promise.all(streams.flatMap((stream) => Array.from({ length: 30 }, () => stream.close())));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  expect(warnings).toEqual([]);
});

it('a transform is ready when its format is known', async () => {
  const meter = new LevelMeter({ from: format });
  expect(await meter.ready).toBe(meter);
  const gain = new ToneSource().pipe(new Gain());
  expect(await gain.ready).toBe(gain);
  expect(gain.format).toMatchObject({ sampleRate: 48000 });
  const unknown = new Gain();
  unknown.destroy();
  await expect(unknown.ready).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
});
