// Two copies of the package in one process, as in an app that bundles one and requires another: streams of
// the one are linked to streams of the other. `import` and `require` give the same copy.
import { createRequire } from 'node:module';
import * as imported from 'patchcord';
import * as importedTesting from 'patchcord/testing';

import * as esm from '../../../dist/index.mjs';
import { SimulatedAudio, tone } from '../../../dist/testing.mjs';

const require = createRequire(import.meta.url);
const cjs = require('patchcord');
const cjsTesting = require('patchcord/testing');
const closed = (stream) => new Promise((resolve) => stream.once('close', resolve));
const failed = (stream) => new Promise((resolve) => stream.once('error', resolve));

async function chain(one, other, backend) {
  const mic = new one.MicSource({ backend });
  const mixer = new other.Mixer();
  const input = mixer.createInput();
  const sink = new one.VirtualMicSink({ backend });
  mic.pipe(input);
  mixer.pipe(sink);
  await Promise.all([mic.ready, sink.ready]);
  await new Promise((resolve) => mixer.once('data', resolve));
  const result = {
    links: [...mic.stats().link, ...mixer.stats().link].map(({ to, linked }) => [to, linked]),
    latency: typeof sink.stats().latencyMs,
  };
  const all = [mic, mixer, sink].map(closed);
  await mic.close();
  await Promise.all(all);
  return result;
}

// The sink's copy must know the other's source, directly and through the other's mixer.
async function feedback(one, other, backend) {
  const codes = [];
  for (const mixed of [false, true]) {
    const heard = new other.LoopbackSource({ backend, device: 'speakers' });
    const sink = new one.SpeakerSink({ backend, device: 'speakers' });
    const mixer = new other.Mixer();
    if (mixed) {
      heard.pipe(mixer.createInput());
      mixer.pipe(sink);
    } else {
      heard.pipe(sink);
    }
    const error = await failed(sink);
    codes.push(error.code);
    heard.destroy();
    mixer.destroy();
  }
  return codes;
}

async function errors(one, other) {
  const error = await failed(new one.MicSource({ device: 'no such device' }));
  return error instanceof other.AudioError && !(error instanceof TypeError);
}

const sorted = (names) => Object.fromEntries(Object.entries(names).sort());
const isSame = (one, other) =>
  Object.keys(one).join() === Object.keys(other).join() &&
  Object.keys(one).every((name) => one[name] === other[name]);
const result = {
  importIsRequire: isSame(imported, sorted(cjs)) && isSame(importedTesting, sorted(cjsTesting)),
  bundled: esm.MicSource === cjs.MicSource,
};
for (const [name, one, other, testing] of [
  ['esm to cjs', esm, cjs, cjsTesting.SimulatedAudio],
  ['cjs to esm', cjs, esm, SimulatedAudio],
]) {
  const audio = new testing();
  audio.device('mic').play(tone(1000));
  result[name] = {
    ...(await chain(one, other, audio)),
    feedback: await feedback(one, other, audio),
    instanceOf: await errors(one, other),
  };
}
console.log(JSON.stringify(result));
