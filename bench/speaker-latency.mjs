// How much later a page's sound reaches JavaScript through a VirtualSpeakerSource than through parec, which records the
// same output with the same settings. A separate command, on its own server:
//
//     node test/servers.mjs pulse|pipewire node bench/speaker-latency.mjs [--bursts 60] [--latency 10]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { VirtualSpeakerSource } from 'patchcord';

import { fixed, percentiles } from './measure.mjs';

const { values } = parseArgs({
  options: {
    bursts: { type: 'string', default: '60' },
    latency: { type: 'string', default: '10' }, // ms: parec's --latency-msec, and the chunks of the source
  },
});
const latencyMs = Number(values.latency);
const format = ['--raw', '--format=float32le', '--rate=48000', '--channels=2'];
const speaker = await VirtualSpeakerSource.open({ name: 'Latency', chunkMs: latencyMs });
const env = { ...process.env, ...speaker.environment() };

/** Notes when the first sound after 300 ms of silence arrives. */
function listener() {
  const [arrivals, state] = [[], { rest: Buffer.alloc(0), last: 0 }];
  const hear = (bytes) => {
    const now = performance.now();
    const all = state.rest.length > 0 ? Buffer.concat([state.rest, bytes]) : bytes;
    const whole = all.length - (all.length % 8);
    state.rest = all.subarray(whole);
    for (let at = 0; at < whole; at += 8) {
      if (all.readFloatLE(at) < 0.3) continue;
      if (now - state.last > 300) arrivals.push(now);
      state.last = now;
      return;
    }
  };
  return { arrivals, hear };
}

const [ours, theirs] = [listener(), listener()];
speaker.on('data', ours.hear);
const parec = spawn(
  'parec',
  [...format, `--device=${speaker.speaker.id}.monitor`, `--latency-msec=${latencyMs}`],
  { env, stdio: ['ignore', 'pipe', 'ignore'] },
);
parec.stdout.on('data', theirs.hear);
await once(parec.stdout, 'data');
const player = spawn('pacat', [...format, '--latency-msec=60'], {
  env,
  stdio: ['pipe', 'ignore', 'ignore'],
});
// Bursts of 20 ms, at intervals that are no multiple of any period.
const parts = Array.from({ length: Number(values.bursts) }, (_, k) => {
  const part = new Float32Array(2 * Math.round(48000 * (0.5 + 0.0137 * (k % 11))));
  part.fill(0.5, 0, 1920);
  return Buffer.from(part.buffer);
});
const ended = once(player, 'close');
player.stdin.end(Buffer.concat(parts));
await ended;
await delay(1000);
parec.kill();
await speaker.close();

const nearest = (time) =>
  theirs.arrivals.reduce(
    (best, one) => (Math.abs(one - time) < Math.abs(best - time) ? one : best),
    Infinity,
  );
const later = ours.arrivals.map((time) => time - nearest(time)).filter((ms) => Math.abs(ms) < 200);
const { p50, p99, max } = percentiles(later);
console.log(`${cpus().length} x ${cpus()[0].model}`);
console.log(
  `${later.length} of ${parts.length} bursts: later than parec by ${fixed(p50, 1)} ms (median), ` +
    `${fixed(p99, 1)} ms (99 %), ${fixed(max, 1)} ms (most)`,
);
