// Plays a file into a virtual microphone. It reads WAV files itself, and others through ffmpeg.
//
//     node examples/play-file.mjs FILE [--device OUTPUT]
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';

import { WavReader } from 'patchcord';

import { fail, openVirtualMic } from './open-virtual-mic.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { device: { type: 'string' } },
});
const [file] = positionals;
if (file === undefined) {
  console.error('usage: node examples/play-file.mjs FILE [--device OUTPUT]');
  process.exit(2);
}

const bytes = extname(file).toLowerCase() === '.wav' ? createReadStream(file) : decode(file);
const sink = await openVirtualMic({ name: 'File', device: values.device });
await pipeline(bytes, new WavReader(), sink).catch(fail);

// The stream has the rate and the channels of the file. The engine converts them without a change of loudness.
function decode(path) {
  const wav = ['-c:a', 'pcm_f32le', '-f', 'wav', '-'];
  const ffmpeg = spawn('ffmpeg', ['-loglevel', 'error', '-i', path, ...wav], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  ffmpeg.on('error', () => {
    console.error(`${path} is not a WAV file: install ffmpeg to play it`);
    process.exit(1);
  });
  ffmpeg.on('exit', (code) => {
    if (code) process.exit(code); // ffmpeg has printed the error
  });
  return ffmpeg.stdout;
}
