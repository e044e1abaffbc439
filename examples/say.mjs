// Says something in a call: espeak-ng speaks into a virtual microphone.
//
//     node examples/say.mjs "Good morning" [--voice en] [--device OUTPUT]
import { spawn } from 'node:child_process';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';

import { WavReader } from 'patchcord';

import { fail, openVirtualMic } from './open-virtual-mic.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { voice: { type: 'string', default: 'en' }, device: { type: 'string' } },
});
const text = positionals.join(' ');
if (text === '') {
  console.error('usage: node examples/say.mjs TEXT [--voice en] [--device OUTPUT]');
  process.exit(2);
}

const sink = await openVirtualMic({ name: 'Voice', device: values.device });
const espeak = spawn('espeak-ng', ['-v', values.voice, '--stdin', '--stdout'], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
espeak.on('error', () => {
  console.error('espeak-ng is not installed (Debian: apt-get install espeak-ng)');
  process.exit(1);
});
espeak.stdin.end(text); // not as an argument, because it could look like an option
await pipeline(espeak.stdout, new WavReader(), sink).catch(fail);
