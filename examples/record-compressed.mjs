// Records a call into compressed files of equal length, with FFmpeg: Opus, a hundredth of the size of a WAV file, or FLAC,
// which loses nothing. A file that was written stays whole if the program is killed later.
//
//     node examples/record-compressed.mjs [--codec opus|flac] [--segment 600] [--out calls] [--from both|mic|system]
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { captureMeeting } from 'patchcord';

const { values } = parseArgs({
  options: {
    codec: { type: 'string', default: 'opus' },
    segment: { type: 'string', default: '600' },
    out: { type: 'string', default: 'calls' },
    from: { type: 'string', default: 'both' },
    seconds: { type: 'string' },
    ffmpeg: { type: 'string', default: 'ffmpeg' },
    backend: { type: 'string' },
  },
});
const codecs = {
  opus: { ending: 'opus', muxer: 'ogg', options: ['-c:a', 'libopus', '-b:a', '48k'] },
  flac: { ending: 'oga', muxer: 'ogg', options: ['-c:a', 'flac'] },
};
const codec = codecs[values.codec];
if (!codec || !(Number(values.segment) > 0)) {
  console.error('--codec must be opus or flac, and --segment a number of seconds');
  process.exit(2);
}
mkdirSync(values.out, { recursive: true });
const name = new Date().toISOString().replace(/[:.]/g, '-');
const list = join(values.out, `${name}.csv`);

const { sampleRate, channels } = { sampleRate: 48000, channels: 2 };
const meeting = captureMeeting({
  mic: values.from === 'system' ? false : {},
  system: values.from === 'mic' ? false : {},
  format: { sampleRate, channels, sampleFormat: 's16' },
  chunkMs: 100,
  bufferMs: 30_000, // an encoder has no deadline
  backend: values.backend,
});

const ffmpeg = spawn(
  values.ffmpeg,
  [
    ...['-nostdin', '-hide_banner', '-loglevel', 'error'],
    ...['-f', 's16le', '-ar', `${sampleRate}`, '-ac', `${channels}`, '-i', 'pipe:0'],
    ...codec.options,
    ...['-f', 'segment', '-segment_format', codec.muxer, '-segment_time', values.segment],
    // Each file begins at its own zero; the list says where in the call.
    ...['-reset_timestamps', '1', '-segment_list', list, '-segment_list_type', 'csv'],
    join(values.out, `${name}-%03d.${codec.ending}`),
  ],
  // Ctrl-C is for this program, which then ends the sound; FFmpeg ends with its input.
  { stdio: ['pipe', 'inherit', 'inherit'], detached: true },
);
const encoded = new Promise((resolve, reject) => {
  ffmpeg.once('error', (error) => {
    const absent = `FFmpeg was not found as ${values.ffmpeg}: install it, or name it with --ffmpeg`;
    reject(error.code === 'ENOENT' ? new Error(absent) : error);
  });
  ffmpeg.once('close', (code) =>
    code === 0 ? resolve() : reject(new Error(`FFmpeg ended with ${code}`)),
  );
});
encoded.catch(() => meeting.destroy());
ffmpeg.stdin.on('error', () => {}); // `encoded` tells why

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void meeting.close().catch(() => {}));
try {
  meeting.mix.pipe(ffmpeg.stdin);
  await Promise.race([meeting.ready, encoded]);
  if (values.seconds)
    meeting.stopAt(process.hrtime.bigint() + BigInt(values.seconds) * 1_000_000_000n);
  console.log(`recording into ${values.out}, Ctrl-C ends it`);
  await encoded;
  const seconds = (meeting.position / sampleRate).toFixed(1);
  const files = readFileSync(list, 'utf8').trim().split('\n');
  console.log(`${seconds} s in ${files.length} files:`);
  for (const line of files) console.log(line.replace(/,(.*),(.*)/, ': from $1 s to $2 s'));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
  ffmpeg.stdin.destroy();
}
