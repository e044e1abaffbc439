// A meeting whose microphone delivers sound only to a child process. Prints what happened.
// Arguments: the strategies.
import { captureMeeting } from 'patchcord';

const began = process.hrtime.bigint();
const now = () => Number(process.hrtime.bigint() - began) / 1e6;
const meeting = captureMeeting({
  backend: 'simulated',
  strategy: process.argv.slice(2),
  format: { sampleRate: 16_000, channels: 1, sampleFormat: 'f32' },
});
const outcome = { tried: [], errors: [], dead: 0, back: 0, gaps: 0 };
const heard = { mic: [], system: [] };
for (const side of ['mic', 'system']) {
  meeting[side].on('data', (chunk) => heard[side].push(chunk));
}
meeting.system.on('discontinuity', () => outcome.gaps++);
meeting.on('strategy', ({ side, to }) => outcome.tried.push(`${side}: ${to}`));
const settled = new Promise((resolve) => {
  meeting.on('unrecovered', ({ error }) => {
    outcome.errors.push(error.message);
    resolve();
  });
  meeting.on('state', ({ side, state }) => {
    if (side !== 'mic') return;
    if (state === 'dead') outcome.dead ||= now();
    if (state === 'sound' && outcome.dead) {
      outcome.back = now();
      resolve();
    }
  });
});
await settled;
await new Promise((resolve) => setTimeout(resolve, 1000));
await meeting.close();
const samples = (side) => {
  const bytes = Buffer.concat(heard[side]);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};
const [mic, system] = [samples('mic'), samples('system')];
const rms = (sound) => Math.sqrt(sound.reduce((sum, one) => sum + one * one, 0) / sound.length);
outcome.lengths = [mic.length, system.length, meeting.position];
outcome.micRms = rms(mic.slice(-4800, -480));
// Noise has no zeros in a row, except before the loopback was open.
let zeros = 0;
for (const one of system.slice(8000)) zeros += one === 0 ? 1 : 0;
outcome.systemZeros = zeros;
outcome.strategy = meeting.mic.strategy;
console.log(JSON.stringify(outcome));
