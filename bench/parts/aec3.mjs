// WebRTC's AEC3 over one scene, from npm's @livekit/rtc-ffi-bindings: its echo canceller alone.
//
//     node aec3.mjs RATE FAR MICROPHONE OUT raw f32 mono files; prints { "cpu": seconds }
//
// MICROPHONE_MS: by how much later the microphone is given. 40 suits AEC3 best: with a reference that is aligned to
// the sample it loses 7 to 13 dB.
import { readFileSync, writeFileSync } from 'node:fs';

import { peer } from '../peers.mjs';

const ffi = peer('@livekit/rtc-ffi-bindings');
const [rateGiven, farPath, microphonePath, outPath] = process.argv.slice(2);
const rate = Number(rateGiven);
const packet = rate / 100;
const late = Math.round((Number(process.env.MICROPHONE_MS ?? 40) * rate) / 1000);

ffi.livekitInitialize(() => {}, true, 'benchmark');
const request = (name, value) => {
  const message = new ffi.FfiRequest({ message: { case: name, value } });
  return ffi.FfiResponse.fromBinary(ffi.livekitFfiRequest(message.toBinary())).message.value;
};
const { apm } = request(
  'newApm',
  new ffi.NewApmRequest({
    echoCancellerEnabled: true,
    gainControllerEnabled: false,
    highPassFilterEnabled: false,
    noiseSuppressionEnabled: false,
  }),
);
const samplesOf = (path) => {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
};
const integers = (samples) =>
  Int16Array.from(samples, (sample) =>
    Math.max(-32768, Math.min(32767, Math.round(sample * 32768))),
  );
const padded = (samples, before, length) => {
  const all = new Float32Array(length);
  all.set(samples.subarray(0, length - before), before);
  return all;
};

const heard = samplesOf(microphonePath);
const length = heard.length + late;
const microphone = padded(heard, late, length);
const far = padded(samplesOf(farPath), 0, length);
const out = new Float32Array(length);
const begin = process.cpuUsage();
for (let at = 0; at + packet <= length; at += packet) {
  const reverse = new Uint8Array(integers(far.subarray(at, at + packet)).buffer);
  const near = integers(microphone.subarray(at, at + packet));
  const bytes = new Uint8Array(near.buffer);
  const common = { apmHandle: apm.handle.id, sampleRate: rate, numChannels: 1 };
  request(
    'apmProcessReverseStream',
    new ffi.ApmProcessReverseStreamRequest({
      ...common,
      dataPtr: ffi.livekitRetrievePtr(reverse),
      size: reverse.length,
    }),
  );
  const { error } = request(
    'apmProcessStream',
    new ffi.ApmProcessStreamRequest({
      ...common,
      dataPtr: ffi.livekitRetrievePtr(bytes),
      size: bytes.length,
    }),
  );
  if (error) throw new Error(error);
  for (let i = 0; i < packet; i++) out[at + i] = near[i] / 32768;
}
const { user, system } = process.cpuUsage(begin);
const result = out.subarray(late);
writeFileSync(outPath, Buffer.from(result.buffer, result.byteOffset, result.byteLength));
console.log(JSON.stringify({ cpu: (user + system) / 1e6 }));
process.exit(0);
