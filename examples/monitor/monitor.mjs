// Shows a meeting while it is recorded: a page on localhost with levels, waveform, spectrogram, drift, lag, strategies
// and discontinuities of both sides. The page plays what it shows, and can speak into a virtual microphone.
//
//     npm install ws
//     node examples/monitor/monitor.mjs [--port 7117] [--out call.wav] [--backend pulse|wasapi|simulated]
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { captureMeeting, VirtualMicSink } from 'patchcord';
import { WebSocketServer } from 'ws';

import { simulatedRoom } from '../simulated-room.mjs';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '7117' },
    out: { type: 'string' },
    backend: { type: 'string' },
  },
});

const sampleRate = 48000;
const backend = values.backend === 'simulated' ? simulatedRoom() : values.backend;
const meeting = captureMeeting({
  backend,
  format: { sampleRate, channels: 1, sampleFormat: 's16' },
  chunkMs: 40,
});
const lanes = ['mic', 'system'];
const clients = new Set();
// A page that is opened later gets them all.
const history = [];

/** Sends a text message to all pages, and keeps it for the next ones if it is one of those that stay. */
function tell(message, stays = true) {
  const text = JSON.stringify(message);
  if (stays) history.push(text);
  if (history.length > 500) history.shift();
  for (const client of clients) client.send(text);
}

const mark = (lane, frame, kind, text, frames = 0) =>
  tell({ type: 'mark', lane, frame, frames, kind, text });

for (const lane of lanes) {
  const track = meeting[lane];
  track.on('discontinuity', ({ frame, frames, reason }) => {
    const ms = Math.round((frames * 1000) / sampleRate);
    mark(lane, frame, reason === 'pause' ? 'pause' : 'gap', `${ms} ms: ${reason}`, frames);
  });
  track.on('deviceChange', ({ to }) => mark(lane, meeting.position, 'device', to?.name ?? 'none'));
  track.on('rebuild', ({ error }) => mark(lane, meeting.position, 'gap', error.message));
  void send(lane, track);
}
meeting.on('state', ({ side, from, state, evidence, error }) => {
  const why = evidence ?? error?.message;
  mark(side, meeting.position, 'state', `${from} → ${state}${why ? ` (${why})` : ''}`);
});
meeting.on('strategy', ({ side, from, to, evidence, device }) => {
  const where = device ? ` on ${device}` : '';
  mark(side, meeting.position, 'strategy', `${from} → ${to}${where} (${evidence})`);
});
meeting.on('unrecovered', ({ side, error }) => {
  mark(side, meeting.position, 'strategy', error.message);
});

/** Sends the sound of a track: its number, the first frame, and 16-bit samples. */
async function send(lane, track) {
  for await (const { data, frame } of track.chunks()) {
    const head = Buffer.alloc(16);
    head.writeUInt8(lanes.indexOf(lane), 0);
    head.writeDoubleLE(frame, 8);
    const message = Buffer.concat([head, data]);
    // A page that does not keep up misses sound, and shows that.
    for (const client of clients) if (client.bufferedAmount < 1e6) client.send(message);
  }
}

function report() {
  const stats = meeting.stats();
  const now = process.hrtime.bigint();
  const { position } = meeting;
  const sides = lanes.map((lane) => {
    const { state, strategy, device } = meeting[lane];
    const { driftPpm = 0, lostFrames = 0 } = stats[lane] ?? {};
    const lagMs = position > 0 ? Number(now - meeting[lane].timeAt(position)) / 1e6 : 0;
    return { state, strategy, device: device?.name ?? '', driftPpm, lostFrames, lagMs };
  });
  const { mode, paused } = meeting;
  const microphone = speech?.microphone?.name;
  tell({ type: 'stats', mode, paused, position, sides, microphone }, false);
}

// The virtual microphone that speaks for the page. Other programs can select it.
let speech;

async function speak(client) {
  if (!speech) {
    const format = { sampleRate, channels: 1, sampleFormat: 'f32' };
    speech = new VirtualMicSink({ name: 'Monitor page', format, backend });
    speech.on('error', () => (speech = undefined)); // `ready` reports it
  }
  const opening = speech;
  try {
    await opening.ready;
    report();
  } catch (error) {
    client.send(JSON.stringify({ type: 'speech-failed', text: error.message }));
  }
}

const commands = {
  mode: (mode) => meeting.setMode(mode),
  pause: (paused) => (paused ? meeting.pause() : meeting.resume()),
  speak: (_, client) => void speak(client),
};

function receive(client, data, isBinary) {
  try {
    if (isBinary) {
      // A copy, because samples must lie at a multiple of four.
      if (speech?.microphone && speech.writableLength < sampleRate) speech.write(Buffer.from(data));
      return;
    }
    const { command, value } = JSON.parse(data);
    if (Object.hasOwn(commands, command)) commands[command](value, client);
    report();
  } catch (error) {
    client.send(JSON.stringify({ type: 'refused', text: error.message }));
  }
}

const files = {
  '/': ['page.html', 'text/html'],
  '/page.css': ['page.css', 'text/css'],
  '/page.js': ['page.js', 'text/javascript'],
  '/lane.js': ['lane.js', 'text/javascript'],
  '/spectrum.js': ['spectrum.js', 'text/javascript'],
  '/worklets.js': ['worklets.js', 'text/javascript'],
};
// Only the page that this program has served may listen: the key is in the page, which other sites cannot read.
const key = randomBytes(16).toString('hex');

const server = createServer(({ url, headers }, response) => {
  const file = isLocal(headers.host) ? files[url] : undefined;
  if (!file) {
    response.writeHead(404).end();
    return;
  }
  const text = readFileSync(new URL(file[0], import.meta.url), 'utf8');
  response.writeHead(200, {
    'content-type': `${file[1]}; charset=utf-8`,
    'cache-control': 'no-store',
  });
  response.end(text.replace('{{key}}', key));
});

function isLocal(host = '') {
  return /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(host);
}

const sockets = new WebSocketServer({
  server,
  path: '/live',
  maxPayload: 1e6,
  verifyClient: ({ req }) =>
    isLocal(req.headers.host) && req.headers['sec-websocket-protocol'] === key,
});
sockets.on('connection', (client) => {
  client.send(JSON.stringify({ type: 'hello', sampleRate, lanes }));
  for (const text of history) client.send(text);
  clients.add(client);
  client.on('message', (data, isBinary) => receive(client, data, isBinary));
  client.on('close', () => clients.delete(client));
  client.on('error', () => clients.delete(client));
});

const written = values.out
  ? meeting.toFiles({ mix: values.out })
  : new Promise((resolve, reject) => meeting.once('close', resolve).once('error', reject));
const reports = setInterval(report, 250);
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void meeting.close().catch(() => {})); // `written` tells why
try {
  await meeting.ready;
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(Number(values.port), '127.0.0.1', resolve);
  });
  console.log(`http://localhost:${server.address().port}/ shows the meeting, Ctrl-C ends it`);
  await written;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
  meeting.destroy();
}
clearInterval(reports);
speech?.destroy();
for (const client of clients) client.terminate();
server.close();
