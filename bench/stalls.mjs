// Compares an event loop that is blocked, busy, or collecting garbage with an idle one: whether the sink's output is
// the same to the bit, and how much a reader lost.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const part = fileURLToPath(new URL('parts/stall.mjs', import.meta.url));
const ways = ['idle', 'blocked for 2 s', 'busy 30 of every 50 ms', 'collecting garbage'];

export async function stalls() {
  const results = [];
  for (const how of ways) {
    const under = async (clock) =>
      JSON.parse((await run(process.execPath, ['--expose-gc', part, how, clock])).stdout);
    results.push({ how, manual: await under('manual'), real: await under('real') });
  }
  const [idle] = results;
  return {
    note: 'a microphone 100 ppm off, a mixer, a sink',
    tables: {
      stalls: results.map(({ how, manual, real }) => ({
        'event loop': how,
        'frames played': manual.playedFrames,
        'as with an idle loop': manual.digest === idle.manual.digest ? 'to the bit' : 'DIFFERENT',
        'real clock: gaps in the sink': real.gaps,
        'underruns of the sink': real.underruns,
        'frames the reader lost': real.readerLostFrames,
      })),
    },
    plots: {},
    data: results,
  };
}
