// The simulated audio system that the demo uses on a machine without one. A voice hums into the microphone while a
// program plays a tune, on devices whose clocks differ.
import { noise, pcm, SimulatedAudio, sum } from 'patchcord/testing';

const sampleRate = 48000;

/** @returns {SimulatedAudio} with a microphone and speakers, whose clocks differ by 200 ppm */
export function simulatedRoom() {
  const format = { sampleRate, channels: 2, sampleFormat: 'f32' };
  const audio = new SimulatedAudio({
    devices: [
      {
        id: 'mic',
        name: 'Microphone (simulated)',
        flow: 'input',
        format: { ...format, channels: 1 },
        defaultConsole: true,
        defaultCommunications: true,
        driftPpm: 120,
      },
      {
        id: 'speakers',
        name: 'Speakers (simulated)',
        flow: 'output',
        format,
        defaultConsole: true,
        defaultCommunications: true,
        driftPpm: -80,
      },
    ],
    cables: [
      {
        renderId: 'cable-input',
        renderName: 'Cable input (simulated)',
        captureId: 'cable-output',
        captureName: 'Cable output (simulated)',
      },
    ],
  });
  audio.device('mic').play(sum(pcm(hum(), { loop: true }), noise({ gain: 0.002 })));
  audio.device('speakers').play(pcm(tune(), { loop: true }), { program: 'music' });
  return audio;
}

/** Some seconds of a voice: pulses with overtones that glide up, then down, with a breath between. */
function hum() {
  const samples = new Float32Array(2.3 * sampleRate);
  let phase = 0;
  for (let i = 0; i < samples.length; i++) {
    const time = i / sampleRate;
    phase += (2 * Math.PI * (150 + 60 * Math.sin(Math.PI * time))) / sampleRate;
    const loudness = Math.max(0, Math.sin(2 * Math.PI * ((time % 1.15) / 1.84))) ** 2;
    for (let overtone = 1; overtone <= 12; overtone++) {
      samples[i] += (0.15 * loudness * Math.sin(overtone * phase)) / overtone;
    }
  }
  return samples;
}

/** Four notes of half a second each. */
function tune() {
  const notes = [440, 554.37, 659.26, 880];
  const length = sampleRate / 2;
  return Float32Array.from({ length: notes.length * length }, (_, i) => {
    const time = (i % length) / sampleRate;
    const swell = Math.min(1, time / 0.01) * Math.exp(-4 * time);
    return 0.25 * swell * Math.sin(2 * Math.PI * notes[Math.floor(i / length)] * time);
  });
}
