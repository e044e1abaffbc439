// Records a call into one stereo file: you on the left, the others on the right, as transcription services take it.
// Press Enter to pause and to continue; Ctrl-C ends it.
//
//     node examples/two-tracks.mjs [call.wav]
import { createInterface } from 'node:readline';

import { captureMeeting } from 'patchcord';

const [path = 'call.wav'] = process.argv.slice(2);
const meeting = captureMeeting({ tracks: 'stereo' });
const written = meeting.toFiles({ mix: path }, { timeReference: true });

const who = { mic: 'you', system: 'the others' };
meeting.on('state', ({ side, state, error }) => {
  console.log(`${who[side]}: ${state}${error ? ` (${error.message})` : ''}`);
});

const keys = createInterface({ input: process.stdin });
keys.on('line', () => {
  if (meeting.paused) meeting.resume();
  else meeting.pause();
  console.log(meeting.paused ? 'paused' : 'recording');
});
keys.on('close', () => process.stdin.unref?.());
process.once('SIGINT', () => void meeting.close().catch(() => {})); // `written` tells why

try {
  await written;
  const seconds = meeting.position / meeting.format.sampleRate;
  console.log(`${path}: ${seconds.toFixed(1)} s, you on the left, the others on the right`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
keys.close();
