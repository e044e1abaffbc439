import { openBackend, type BackendOption } from '../engine/backend.js';
import { MicSource } from '../sources/mic-source.js';
import { ToneSource } from '../sources/tone-source.js';
import { checkObject, checkOptions, invalidType } from '../validate.js';
import type { VirtualMic } from '../devices/virtual-mics.js';
import { SpeakerSink } from './speaker-sink.js';

// Few adults hear frequencies above 15 kHz, and no one hears them at this level. Devices of 44.1 kHz and more pass them.
const gain = 10 ** (-50 / 20);
const durationMs = 500;
const limitMs = 5000;
const rate = 48000;

/** See `VirtualMicSink.probe()`. */
export async function probeVirtualMic(
  mic: VirtualMic,
  options?: BackendOption,
): Promise<VirtualMic> {
  const { render, candidates: listed } = checkObject(mic, 'mic') as Partial<VirtualMic>;
  if (!render || !Array.isArray(listed)) {
    throw invalidType('mic', 'a VirtualMic of listVirtualMics()', mic);
  }
  const { backend } = checkOptions(options, 'probe', ['backend']);
  openBackend({ backend });
  // A random frequency, so that two programs that probe at once do not detect each other's tone.
  const frequency = 15_000 + 100 * Math.floor(Math.random() * 20);
  const candidates = mic.candidates.length > 0 ? mic.candidates : mic.capture ? [mic.capture] : [];
  const sink = new SpeakerSink({ backend, device: mic.render });
  const ears = candidates.map(
    (device) => new MicSource({ backend, device, channels: 1, chunkMs: 10 }),
  );
  // A device that delivers nothing must not block the probe.
  const limit = setTimeout(() => ears.forEach((ear) => void ear.close()), limitMs);
  try {
    await Promise.all([sink.ready, ...ears.map((ear) => ear.ready)]);
    const heard = ears.map((ear) => listen(ear, frequency));
    new ToneSource({ frequency, gain, durationMs: 2 * durationMs, channels: 1 }).pipe(sink);
    const found = (await Promise.all(heard)).findIndex(Boolean);
    if (found < 0) return mic;
    const { driver, product, render, candidates: all, recognisedBy } = mic;
    const capture = candidates[found];
    return Object.freeze({
      ...{ driver, product, render, candidates: all, recognisedBy, capture },
      ...(mic.bus && capture.id === mic.capture?.id ? { bus: mic.bus } : {}),
      pairedBy: 'probe',
    });
  } finally {
    clearTimeout(limit);
    sink.destroy();
    await Promise.all(ears.map((ear) => ear.close()));
  }
}

// Whether the tone was found in two blocks of 100 ms, 20 dB above the frequencies beside it.
async function listen(ear: MicSource, frequency: number): Promise<boolean> {
  const block = rate / 10;
  const samples = new Float32Array(block);
  let filled = 0;
  let left = (durationMs * 3 * rate) / 1000;
  let heard = 0;
  // A chunk is a tenth of a block, so chunks fill a block exactly.
  for await (const { data, frames } of ear.chunks()) {
    samples.set(new Float32Array(data.buffer, data.byteOffset, frames), filled);
    filled += frames;
    left -= frames;
    if (filled < block) continue;
    filled = 0;
    const level = (hz: number): number => power(samples, hz);
    const around = Math.max(level(frequency - 150), level(frequency + 150));
    const enough = level(frequency) > (gain / 4) ** 2 && level(frequency) > 100 * around;
    if (enough && ++heard === 2) return true;
    if (left <= 0) return false;
  }
  return false;
}

// Goertzel's algorithm (1958) with a Hann window: the squared amplitude at one frequency.
function power(samples: Float32Array, frequency: number): number {
  const omega = (2 * Math.PI * frequency) / rate;
  let before = 0;
  let beforeThat = 0;
  for (let i = 0; i < samples.length; i++) {
    const window = 1 - Math.cos((2 * Math.PI * i) / samples.length);
    const now = samples[i] * window + 2 * Math.cos(omega) * before - beforeThat;
    beforeThat = before;
    before = now;
  }
  const real = before - beforeThat * Math.cos(omega);
  const imaginary = beforeThat * Math.sin(omega);
  return (4 * (real * real + imaginary * imaginary)) / samples.length ** 2;
}
