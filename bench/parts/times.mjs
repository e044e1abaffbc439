// The times that a microphone and a loopback give to their frames: `node times.mjs SECONDS`. They record
// native/player.cc's slow tones. Prints rows [turns of the tone, the chunk's time in ns].
import { LoopbackSource, MicSource } from 'patchcord';

import { report } from '../measure.mjs';

const seconds = Number(process.argv[2]);
const sources = [
  new MicSource({ device: 'Microphone' }),
  new LoopbackSource({ device: 'Speakers' }),
];

async function listen(source) {
  const rows = [];
  await source.ready;
  const opened = process.hrtime.bigint();
  for await (const { data, time, flags } of source.chunks()) {
    const at = Number(time - opened) * 1e-9;
    if (at > seconds) break;
    const [left, right] = [data.readFloatLE(0), data.readFloatLE(4)];
    // The clock is learnt in the first seconds. Silence and fades say nothing.
    if (at < 5 || flags !== 0 || Math.hypot(left, right) < 0.2) continue;
    rows.push([Math.atan2(left, right) / (2 * Math.PI), String(time)]);
  }
  await source.close();
  return rows;
}

const [microphone, loopback] = await Promise.all(sources.map(listen));
report({ microphone, loopback });
