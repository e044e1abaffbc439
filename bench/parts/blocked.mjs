// The effect of a blocked event loop: `node blocked.mjs MS`, with the default bufferMs of 1000 and a steady tone in
// the microphone. The missing frames must equal the counted ones, and the tone must be in phase after them.
import { setTimeout as delay } from 'node:timers/promises';
import { MicSource } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { instruments, report } from '../measure.mjs';

const ms = Number(process.argv[2]);
const { findGaps, toFloat } = await instruments();
const audio = new SimulatedAudio();
// With this phase no sample of the tone is exactly zero, so zeros are lost frames.
audio.device('mic').play(tone(997, { gain: 0.25, phase: 1 }));
const mic = new MicSource({ backend: audio });
const chunks = [];
let announced = 0;
mic.on('data', (chunk) => chunks.push(chunk));
mic.on('discontinuity', ({ frames }) => (announced += frames));
await mic.ready;
await delay(1000);
const end = process.hrtime.bigint() + BigInt(ms) * 1_000_000n;
while (process.hrtime.bigint() < end);
await delay(1500);
const { readerLostFrames, lostFrames } = mic.stats();
await mic.close();

// The tone comes after the silence of opening, and fades in.
const [left] = toFloat(Buffer.concat(chunks), mic.format);
const first = left.findIndex((sample) => sample !== 0) + 480;
const gaps = findGaps(left.subarray(first), {
  sampleRate: 48000,
  frequency: 997,
  maxFrames: 200_000,
});
report({ ms, counted: readerLostFrames + lostFrames, announced, gaps });
