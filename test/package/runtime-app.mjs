// `RUNTIME runtime-app.mjs MODE BACKEND`: a microphone, a mixer, a resampler and a speaker. MODE `pipeline` runs
// them to their end and prints what was counted, as JSON; `exit` calls process.exit() while they run; `leave` drops
// them while they run.
import { createRequire } from 'node:module';
import process from 'node:process';
import { AudioError, MicSource, Mixer, Resampler, SpeakerSink } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

const [mode, backend] = process.argv.slice(2);
const world = backend === 'simulated' ? new SimulatedAudio() : undefined;
world?.device('mic').play(tone(1000));
const device = world && 'speakers';
const durationMs = mode === 'pipeline' ? 300 : 60_000;

const mic = new MicSource({ backend: world ?? backend, durationMs });
const mixer = new Mixer();
const sink = new SpeakerSink({ backend: world ?? backend, ...(device && { device }) });
mic.pipe(mixer.createInput());
mixer.pipe(sink);
let bytes = 0;
const speech = mic.pipe(new Resampler({ sampleRate: 16000, channels: 1, sampleFormat: 's16' }));
speech.on('data', (chunk) => (bytes += chunk.length));
await Promise.all([mic.ready, sink.ready]);

if (mode === 'exit') {
  console.log('ready');
  setTimeout(() => process.exit(0), 200);
} else if (mode === 'leave') {
  console.log('ready');
  for (const stream of [mic, mixer, sink]) stream.unref?.();
} else {
  await Promise.all([speech, sink].map((s) => new Promise((done) => s.once('close', done))));
  const required = createRequire(import.meta.url)('patchcord');
  const refused = await new MicSource({ backend: world ?? backend, device: 'none' }).ready.catch(
    (error) => error,
  );
  console.log(
    JSON.stringify({
      frames: bytes / 2,
      played: sink.position > 0,
      isSameClass: required.MicSource === MicSource,
      error: refused instanceof AudioError && refused.code,
    }),
  );
}
