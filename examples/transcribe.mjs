// Gives a speech recogniser what it needs: 16 kHz mono sound with times. The sound goes to the standard input of any
// command, and a voice detector finds the segments in which somebody speaks, which are printed as lines of JSON.
//
//     npm install @ozymandiasthegreat/vad
//     node examples/transcribe.mjs [--from both|mic|system] [--command 'recogniser --stdin'] [--lines]
//
// The command gets 16-bit samples, or with --lines one line of JSON for each 100 ms: { time, data }, with the time in
// seconds since 1970 and the samples in base64.
import { spawn } from 'node:child_process';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { captureMeeting } from 'patchcord';

import { VoiceSegments } from './voice-segments.mjs';

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: 'both' },
    command: { type: 'string' },
    lines: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    backend: { type: 'string' },
  },
});

const meeting = captureMeeting({
  mic: values.from === 'system' ? false : {},
  system: values.from === 'mic' ? false : {},
  chunkMs: 20, // 320 frames: a length that the detector takes
  bufferMs: 30_000,
  backend: values.backend,
});
const segments = await VoiceSegments.create();

// The times of the stream are those of process.hrtime, which mean nothing to another program.
const clockStart = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
const secondsSince1970 = (time) => Number(time + clockStart) / 1e9;

const recogniser =
  values.command && spawn(values.command, { shell: true, stdio: ['pipe', 'inherit', 'inherit'] });
recogniser?.stdin.on('error', () => void meeting.close()); // it has ended
recogniser?.on('close', () => void meeting.close());

const print = (segment) => {
  if (!segment) return;
  const [start, end] = [segment.start, segment.end].map(secondsSince1970);
  const seconds = Number(segment.end - segment.start) / 1e9;
  console.log(JSON.stringify({ start, end, seconds, startTime: `${segment.start}` }));
};

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void meeting.close().catch(() => {})); // the loop below tells why
try {
  await meeting.ready;
  if (values.seconds)
    meeting.stopAt(process.hrtime.bigint() + BigInt(values.seconds) * 1_000_000_000n);
  console.error('listening, Ctrl-C ends it');
  let line = [];
  for await (const chunk of meeting.mix.chunks()) {
    print(segments.next(chunk));
    if (!recogniser?.stdin.writable) continue;
    if (!values.lines) {
      recogniser.stdin.write(chunk.data);
      continue;
    }
    line.push(chunk);
    if (line.length < 5) continue;
    const data = Buffer.concat(line.map((one) => one.data)).toString('base64');
    recogniser.stdin.write(`${JSON.stringify({ time: secondsSince1970(line[0].time), data })}\n`);
    line = [];
  }
  print(segments.end());
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
recogniser?.stdin.end();
