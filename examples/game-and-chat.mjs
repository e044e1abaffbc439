// Records two programs, for example a game and its voice chat, into two files that begin at the same instant and have
// the same length, so that they can be mixed later.
//
//     node examples/game-and-chat.mjs GAME CHAT [--seconds 60] [--out FOLDER]
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';

import { ProcessSource, WavWriter } from 'patchcord';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    out: { type: 'string', default: '.' },
  },
});
if (positionals.length !== 2) {
  console.error('usage: node examples/game-and-chat.mjs GAME CHAT [--seconds 60] [--out FOLDER]');
  process.exit(2);
}

// With a common start, frame k of one file and frame k of the other are from the same instant.
const startTime = process.hrtime.bigint();
const durationMs = Number(values.seconds) * 1000;
const recordings = positionals.map(async (program, track) => {
  const source = new ProcessSource({
    process: program,
    waitForProcess: true,
    startTime,
    durationMs,
  });
  source.on('attach', () => console.log(`recording ${program}`));
  const file = join(values.out, track === 0 ? 'game.wav' : 'chat.wav');
  await finished(source.pipe(WavWriter.toFile(file)));
  console.log(`${file}: ${source.stats().frames} frames of ${program}`);
});
for (const { status, reason } of await Promise.allSettled(recordings)) {
  if (status === 'fulfilled') continue;
  console.error(reason.message);
  process.exitCode = 1;
}
