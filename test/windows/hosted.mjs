// `node test/windows/hosted.mjs [OUTPUT INPUT]`: plays a tone into a virtual cable and looks for it in all ways of
// recording. For Windows with VB-CABLE (.github/workflows/windows.yml); with other names it runs wherever a cable is.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';

import { LoopbackSource, MicSource, ProcessSource, SpeakerSink, ToneSource } from 'patchcord';

const [output = 'CABLE Input', input = 'CABLE Output', child] = process.argv.slice(2);
const onWindows = process.platform === 'win32';

if (child === 'plays') {
  const sink = new SpeakerSink({ device: output });
  new ToneSource({ frequency: 997, gain: 0.25, durationMs: 60_000 }).pipe(sink);
  await sink.ready;
  process.send('plays');
  process.on('disconnect', () => process.exit());
} else {
  const player = fork(process.argv[1], [output, input, 'plays']);
  await once(player, 'message');
  const ways = {
    capture: () => new MicSource({ device: input }),
    'low latency': () => new MicSource({ device: input, lowLatency: true }),
    loopback: () => new LoopbackSource({ device: output }),
    'process loopback': () => new ProcessSource({ process: player.pid }),
    ...(onWindows && { exclusive: () => new MicSource({ device: input, shareMode: 'exclusive' }) }),
  };
  for (const [name, open] of Object.entries(ways)) {
    const heard = await hear(open()).catch((error) => error);
    const right = typeof heard === 'number' && Math.abs(heard + 12) < 3;
    console.log(`${right ? 'ok' : 'not ok'} - ${name}: ${heard}`);
    if (!right) process.exitCode = 1;
  }
  player.disconnect();
}

/** The peak of the second second, dBFS. */
async function hear(source) {
  await source.ready;
  let peak = 0;
  for await (const { frame, samples } of source.chunks()) {
    if (frame < source.format.sampleRate) continue;
    for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
    if (frame > 2 * source.format.sampleRate) break;
  }
  await source.close();
  return 20 * Math.log10(peak);
}
