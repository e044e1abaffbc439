// Records one program into a WAV file, by its name, and shows its level. It waits for the program to
// start, follows its restarts, and ends after --seconds or with Ctrl-C.
//
//     node examples/record-app.mjs PROGRAM [--seconds 60] [--out PROGRAM.wav]
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';

import { ProcessSource, WavWriter } from 'patchcord';

import { decibels, meterBar } from './meters.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, out: { type: 'string' } },
});
const [program] = positionals;
if (!program) {
  console.error('usage: node examples/record-app.mjs PROGRAM [--seconds 60] [--out FILE]');
  process.exit(2);
}

const app = new ProcessSource({
  process: program,
  waitForProcess: true,
  durationMs: Number(values.seconds) * 1000,
});
app.on('attach', ({ process, device }) => {
  console.log(`recording '${process.displayName}' (${process.pid}) on ${device ?? 'its output'}`);
});
app.on('detach', ({ process }) => console.log(`'${process.displayName}' has stopped`));
process.once('SIGINT', () => void app.close());

const file = values.out ?? `${program.replace(/[^\w.-]+/g, '-')}.wav`;
const meter = setInterval(() => {
  const level = app.level();
  console.log(`${meterBar(level)} ${decibels(level.peakDb)} dBFS`);
}, 1000);
try {
  await finished(app.pipe(WavWriter.toFile(file)));
  console.log(`${file}: ${(app.stats().frames / app.format.sampleRate).toFixed(1)} s`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  clearInterval(meter);
}
