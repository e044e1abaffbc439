// The speed of the kernels: `node kernels.mjs SECONDS` sends so many seconds of stereo audio at 48 kHz through each,
// as fast as possible, from JavaScript and back. Prints how many times faster than real time.
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { Mixer, Resampler } from 'patchcord';

import { report } from '../measure.mjs';

const seconds = Number(process.argv[2]);
const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' };
const second = Buffer.from(
  Float32Array.from({ length: 96000 }, (_, i) => 0.2 * Math.sin(i * 0.13)).buffer,
);

async function write(stream) {
  for (let i = 0; i < seconds; i++) if (!stream.write(second)) await once(stream, 'drain');
  stream.end();
}

async function times(run) {
  const start = process.hrtime.bigint();
  await run();
  return (seconds * 1e9) / Number(process.hrtime.bigint() - start);
}

async function resample(to) {
  const resampler = new Resampler({ from: format, ...to });
  resampler.resume();
  await Promise.all([write(resampler), finished(resampler)]);
}

async function mix(inputs) {
  const mixer = new Mixer();
  mixer.resume();
  const all = Array.from({ length: inputs }, () => write(mixer.createInput({ format })));
  await Promise.all([...all, finished(mixer)]);
}

const results = {};
for (const quality of ['low', 'medium', 'high', 'best']) {
  results[`resample 48000 to 44100, ${quality}`] = await times(() =>
    resample({ sampleRate: 44100, quality }),
  );
}
results['resample 48000 stereo f32 to 16000 mono s16, high'] = await times(() =>
  resample({ sampleRate: 16000, channels: 1, sampleFormat: 's16', quality: 'high' }),
);
for (const inputs of [2, 8]) results[`mix ${inputs} inputs`] = await times(() => mix(inputs));
report(results);
