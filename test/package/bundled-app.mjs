// The app that the bundlers bundle, with a microphone of a simulated world.
import { MicSource } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

const audio = new SimulatedAudio();
audio.device('mic').play(tone(1000));
const mic = new MicSource({ backend: audio, durationMs: 100 });
let bytes = 0;
mic.on('data', (chunk) => (bytes += chunk.length));
mic.on('end', () => console.log(`${bytes / 8} frames`));
