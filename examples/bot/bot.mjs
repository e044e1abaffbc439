// A bot in a call: a headless browser opens a page with its own speaker and microphone. The bot records what the page
// plays, and plays into its microphone. No other program gets that sound, and the two do not mix.
//
//     node examples/bot/bot.mjs [--out bot] [--url https://...] [--browser chromium] [--seconds 20]
//
// Without --url it opens page.html beside it, a call whose other participant begins to sound ten seconds after the
// start. It writes into the folder --out: heard.wav, what the page played; with its own page also microphone.wav, what
// the page heard from its microphone, and arrived.wav, what came to the other participant.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { ToneSource, VirtualMicSink, VirtualSpeakerSource, WavWriter } from 'patchcord';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'bot' },
    url: { type: 'string' },
    browser: { type: 'string', default: 'chromium' },
    seconds: { type: 'string', default: '20' },
  },
});

function fail(error) {
  console.error(`${error.message}${error.remedy ? `\n${error.remedy}` : ''}`);
  process.exit(1);
}

const speaker = await VirtualSpeakerSource.open({ name: 'Bot' }).catch(fail);
const microphone = await VirtualMicSink.open({ name: 'Bot' }).catch(fail);
const profile = mkdtempSync(join(tmpdir(), 'patchcord-bot-'));
mkdirSync(values.out, { recursive: true });
const heard = speaker.pipe(WavWriter.toFile(join(values.out, 'heard.wav')));

// The page of the call, for a try without one.
const format = { sampleRate: 48000, channels: 1, sampleFormat: 'f32' };
const recordings = ['microphone', 'arrived'].map((name) => [
  `/${name}`,
  values.url ? undefined : WavWriter.toFile(join(values.out, `${name}.wav`), { format }),
]);
const task = { silentMs: 10_000, soundMs: 3000, frequency: 700 };
let joined = () => {};
const isInCall = new Promise((resolve) => (joined = resolve));
const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const recording = recordings.find(([path]) => path === request.url)?.[1];
    const body = Buffer.concat(parts);
    if (request.url === '/') {
      response.setHeader('content-type', 'text/html');
      response.end(readFileSync(new URL('page.html', import.meta.url)));
      return;
    }
    if (recording && !recording.writableEnded) recording.write(body);
    if (request.url === '/joined') joined();
    if (request.url === '/failed') fail(new Error(String(body)));
    response.end(request.url === '/task' ? JSON.stringify(task) : '');
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const url = values.url ?? `http://127.0.0.1:${server.address().port}/`;
const browser = spawn(
  values.browser,
  [
    '--headless=new',
    '--no-sandbox', // as root in a container
    '--no-first-run',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--use-fake-ui-for-media-stream', // says yes when the page asks for a microphone; the devices are real
    '--autoplay-policy=no-user-gesture-required',
    `--user-data-dir=${profile}`,
    url,
  ],
  {
    stdio: 'ignore',
    detached: true,
    env: { ...process.env, HOME: profile, ...speaker.environment(), ...microphone.environment() },
  },
);
browser.once('error', fail);
const exited = new Promise((resolve) => browser.once('exit', resolve));

if (!values.url) await isInCall;
console.log('in the call');
// The bot plays a tone. A real bot pipes its text-to-speech into the microphone.
new ToneSource({ frequency: 440, gain: 0.25, durationMs: Number(values.seconds) * 1000 }).pipe(
  microphone,
);
speaker.on('level', ({ rmsDb }) => {
  if (process.stdout.isTTY) process.stdout.write(`\rthe call: ${rmsDb.toFixed(0)} dBFS   `);
});
await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1000));

await speaker.close();
await Promise.all([
  new Promise((resolve) => (heard.closed ? resolve() : heard.once('close', resolve))),
  ...recordings.map(([, recording]) => recording?.close()),
]);
process.kill(-browser.pid, 'SIGKILL');
await exited;
microphone.destroy();
server.closeAllConnections();
server.close();
rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
console.log(`written: ${values.out}`);
