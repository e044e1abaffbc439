// Two bots side by side for an hour, on a simulated system with a manual clock: what each loses, and how loud each is in
// the streams of the other. The clocks of the four devices differ. A separate command:
//
//     node bench/bots-hour.mjs [--minutes 60]
import { cpus } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { MicSource, ToneSource, VirtualMicSink, VirtualSpeakerSource } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { Ear } from './parts/ear.mjs';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' } } });
const minutes = Number(values.minutes);
const [rate, gain, stepMs] = [48000, 0.25, 100];
const tones = [700, 1100, 1300, 1700];
const drifts = [150, -150, -80, 80]; // ppm: both speakers, then both microphones

const began = performance.now();
const audio = new SimulatedAudio({ clock: 'manual' });

function listen(source, own) {
  const ear = new Ear(own, tones);
  const reported = [];
  source.on('discontinuity', ({ frames }) => reported.push(frames));
  const reading = (async () => {
    for await (const { data } of source.chunks()) ear.hear(data);
  })();
  return { source, own, ear, reported, reading };
}

const bots = await Promise.all(
  [0, 1].map(async (index) => {
    const names = { backend: audio, name: 'Bot' };
    const speaker = await VirtualSpeakerSource.open(names);
    const mic = await VirtualMicSink.open(names);
    const recorder = await MicSource.open({ backend: audio, device: mic.microphone.id });
    audio.device(speaker.speaker.id).drift(drifts[index]);
    audio.device(mic.device.id).drift(drifts[2 + index]);
    audio
      .addProcess({ name: `page-${index}` })
      .play(tone(tones[index], { gain }), { device: speaker.speaker.id });
    const underruns = [];
    mic.on('underrun', ({ frames }) => underruns.push(frames));
    new ToneSource({ frequency: tones[2 + index], gain, durationMs: 86_400_000 }).pipe(mic);
    const streams = [listen(speaker, tones[index]), listen(recorder, tones[2 + index])];
    return { mic, underruns, streams };
  }),
);
for (let ms = 0; ms < minutes * 60_000; ms += stepMs) await audio.advance(stepMs);

const sum = (all) => all.reduce((total, one) => total + one, 0);
const rows = [];
for (const { mic, underruns, streams } of bots) {
  for (const { source, own, ear, reported, reading } of streams) {
    const { frames, lostFrames, driftPpm } = source.stats();
    await source.close();
    await reading;
    rows.push({
      stream: source instanceof MicSource ? 'microphone' : 'speaker',
      tone: own,
      seconds: (frames / rate).toFixed(3),
      'drift ppm': driftPpm.toFixed(1),
      'silent frames': sum(ear.silences.map(([, count]) => count)),
      'reported frames': sum(reported),
      lostFrames,
      'underrun frames': source instanceof MicSource ? sum(underruns) : '-',
      'own level dBFS': `${ear.least.toFixed(2)} to ${ear.most.toFixed(2)}`,
      'loudest other dBFS': ear.loudestOther.toFixed(1),
    });
  }
  mic.destroy();
}
console.log(`${minutes} minutes in ${((performance.now() - began) / 1000).toFixed(0)} s`);
console.log(`${cpus().length} x ${cpus()[0].model}`);
console.table(rows);
process.exit();
