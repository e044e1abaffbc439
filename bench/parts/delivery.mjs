// How soon captured audio arrives in JavaScript: `node delivery.mjs STREAMS SECONDS`, the event loop idle.
import { setTimeout as delay } from 'node:timers/promises';
import { MicSource } from 'patchcord';

import { histogram, percentiles, report } from '../measure.mjs';

const [streams, seconds] = process.argv.slice(2).map(Number);
const sources = Array.from({ length: streams }, () => new MicSource());
await Promise.all(sources.map((source) => source.ready));

// A packet is complete when its last frame has been recorded, which is the end of the timeline when JavaScript is
// called for it. A chunk is complete up to a period before its packet.
const packet = [];
const chunk = [];
let measuring = false;
for (const source of sources) {
  let frames = 0;
  source.on('data', (data) => {
    const now = process.hrtime.bigint();
    frames += data.length / 8;
    if (!measuring) return;
    packet.push(Number(now - source.timeAt(source.stats().frames)) / 1e6);
    chunk.push(Number(now - source.timeAt(source.firstFrame + frames)) / 1e6);
  });
}
// The clock is learnt in the first second.
await delay(2000);
measuring = true;
await delay(seconds * 1000);
measuring = false;
report({
  count: packet.length,
  packetMs: percentiles(packet),
  chunkMs: percentiles(chunk),
  packetHistogram: histogram(packet, 0.02, 20),
});
