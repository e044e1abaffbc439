// Opens and closes TIMES times, `node --expose-gc reopen.mjs TIMES`, and prints what the process then
// holds, against what it held when a fifth of that was done.
import { LoopbackSource, MicSource, Mixer, VirtualMicSink } from 'patchcord';
import { held } from './held.mjs';

const times = Number(process.argv[2]);
const kinds = [
  async () => {
    const mic = new MicSource();
    await new Promise((resolve) => mic.once('data', resolve));
    await mic.close();
  },
  async () => {
    const [mic, loopback, mixer] = [new MicSource(), new LoopbackSource(), new Mixer()];
    const sink = new VirtualMicSink();
    mic.pipe(mixer.createInput());
    loopback.pipe(mixer.createInput());
    mixer.pipe(sink);
    await Promise.all([mic.ready, loopback.ready, sink.ready]);
    const closed = new Promise((resolve) => sink.once('close', resolve));
    await Promise.all([mic.close(), loopback.close(), closed]);
  },
  async () => {
    const sink = new VirtualMicSink();
    await sink.ready;
    await sink.close();
  },
  async () => {
    // Destroyed while it opens.
    const mic = new MicSource();
    const closed = new Promise((resolve) => mic.once('close', resolve));
    mic.destroy();
    await closed;
  },
];

const warm = Math.ceil(times / 5);
let before;
for (let i = 0; i < times; i++) {
  if (i === warm) before = await held();
  // V8 counts its own heap, which hardly grows here, and would collect late: what counts is what it
  // cannot collect.
  if (i % 20 === 0) await held();
  await kinds[i % kinds.length]();
}
console.log(JSON.stringify({ before, after: await held() }));
