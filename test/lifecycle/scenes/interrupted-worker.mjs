// A worker that calls everything in the addon that makes a value, until it is terminated. Terminated, a
// worker runs on to the next place where V8 looks, and until then whatever native code asks of V8 is
// refused. There is no such place between these calls: nearly every end comes among them.
import { parentPort } from 'node:worker_threads';

import { addon } from './addon.mjs';

const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' };
const nothing = () => {};
const capture = {
  loopback: false,
  hostClock: false,
  startTime: undefined,
  durationFrames: 0,
  maxFillMs: 10_000,
  maxWaitMs: 500,
};
const mixing = {
  latencyMs: 20,
  maxWaitMs: 500,
  limiter: true,
  truePeak: false,
  endWhenInputsEnd: true,
};
const conversion = { quality: 'medium', channelMap: undefined, dither: false };

const host = new addon.Host('simulated');
const source = new addon.Source(host, { ...format, ...capture }, nothing);
const label = new Float64Array(4);
const made = {
  addon,
  format,
  nothing,
  capture,
  mixing,
  conversion,
  host,
  source,
  label,
  tap: new addon.Tap(source, 4800, 'f32', label, nothing),
  mixer: new addon.Mixer({ ...format, ...mixing }, nothing),
  filter: new addon.Filter('convert', format, format, conversion, nothing),
  bytes: Buffer.alloc(8 * 480),
};
const calls = [
  'host.listDevices()',
  "host.makeCable('one', format)",
  'host.now()',
  'source.stats()',
  'source.takeEvents()',
  'source.level()',
  'source.close()',
  'mixer.stats()',
  'mixer.level()',
  'filter.process(bytes)',
  'filter.report()',
  'tap.read(bytes)',
  'tap.stats()',
  "new addon.Host('simulated')",
  "new addon.Tap(source, 480, 'f32', label, nothing)",
  'new addon.Source(host, { ...format, ...capture }, nothing)',
  "new addon.Filter('convert', format, format, conversion, nothing)",
  'new addon.Mixer({ ...format, ...mixing }, nothing)',
];
const names = Object.keys(made).join(', ');
const call = new Function(`{ ${names} }`, `for (;;) { ${`${calls.join('; ')};`.repeat(20)} }`);
await host.listDevices();
parentPort.postMessage('calling');
call(made);
