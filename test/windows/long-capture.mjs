// The program of long-run.mjs, in Wine: `node long-capture.mjs MINUTES PORT` captures a microphone and what the
// speakers play, at once, and sends each to long-run.mjs as it comes: chunks [frame f64, frames u32, flags u32,
// samples f32]. Prints lines of JSON: what was announced as lost, and each minute the counters.
import { once } from 'node:events';
import { connect } from 'node:net';
import process from 'node:process';

import { LoopbackSource, MicSource } from 'patchcord';

const [minutes, port] = process.argv.slice(2).map(Number);
const options = { channels: 1, durationMs: minutes * 60_000, bufferMs: 5000 };
const sources = {
  microphone: new MicSource({ ...options, device: 'Microphone' }),
  loopback: new LoopbackSource({ ...options, device: 'Speakers' }),
};
const print = (line) => console.log(JSON.stringify(line));

async function send([track, source]) {
  source.on('discontinuity', ({ frame, frames, reason }) =>
    print({ track, announced: [frame, frames], reason }),
  );
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(`${track}\n`);
  for await (const { data, frame, frames, flags } of source.chunks()) {
    const header = Buffer.alloc(16);
    header.writeDoubleLE(frame, 0);
    header.writeUInt32LE(frames, 8);
    header.writeUInt32LE(flags, 12);
    if (!socket.write(Buffer.concat([header, data]))) await once(socket, 'drain');
  }
  socket.end();
  await once(socket, 'close');
}

const stats = () =>
  print({ stats: Object.fromEntries(Object.entries(sources).map(([k, s]) => [k, s.stats()])) });
const timer = setInterval(stats, 60_000);
await Promise.all(Object.entries(sources).map(send));
clearInterval(timer);
stats();
