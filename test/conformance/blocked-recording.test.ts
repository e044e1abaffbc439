// A recording survives a blocked event loop: a file waits, so no audio of a live stream is dropped for it.
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { LoopbackSource, MicSource, Mixer, WavWriter, type AudioSource } from 'patchcord';

import { findGaps } from '../instruments/index.js';
import { openSystem, type System } from './system.js';
import { block, event, until } from './wait.js';

let system: System;
let folder: string;
beforeAll(async () => {
  system = await openSystem();
  folder = mkdtempSync(join(tmpdir(), 'patchcord-blocked-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await system.close();
});

const blockedMs = 4000;
const rate = 48_000;

function audioOf(path: string): Buffer {
  const file = readFileSync(path);
  return file.subarray(file.indexOf('data') + 8);
}

/** The left channel of float samples, two channels, from where the tone begins. */
function leftOf(bytes: Buffer): Float32Array {
  const left: number[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 8) left.push(bytes.readFloatLE(at));
  const first = left.findIndex((sample) => Math.abs(sample) > 0.1);
  return Float32Array.from(left.slice(first + 4800, -960));
}

it('four seconds of a blocked event loop are in a microphone, a loopback and their mix', async () => {
  const { backend } = system;
  await system.play('microphone', 997);
  const mic = new MicSource({ backend, device: system.microphone });
  const loopback = new LoopbackSource({ backend, device: system.speakers });
  const mixer = new Mixer();
  for (const source of [mic, loopback]) source.pipe(mixer.createInput());
  const path = (name: string): string => join(folder, `${name}.wav`);
  const streams = { mic, loopback, mix: mixer };
  for (const [name, stream] of Object.entries(streams)) stream.pipe(new WavWriter(path(name)));
  const raw = createWriteStream(join(folder, 'mic.raw'));
  mic.pipe(raw);
  await Promise.all([mic.ready, loopback.ready]);
  await until(() => mic.level().peakDb > -14, 'the tone in the microphone');
  await new Promise((resolve) => setTimeout(resolve, 300));

  block(blockedMs);
  // At once: what the engine has kept is stored, though its stream ends before it was read.
  const closed = Promise.all([event(mixer, 'close'), event(raw, 'close')]);
  await Promise.all([mic.close(), loopback.close()]);
  await closed;

  for (const [name, stream] of Object.entries(streams)) {
    const { link } = stream.stats();
    const toFile = link.filter(({ linked }) => !linked);
    expect(toFile.length, name).toBe(name === 'mic' ? 2 : 1);
    for (const one of toFile) expect(one, name).toMatchObject({ lostFrames: 0, ended: true });
    const frames = audioOf(path(name)).length / 8;
    expect(frames, name).toBeGreaterThan(((blockedMs + 200) * rate) / 1000);
  }
  const sound = leftOf(audioOf(path('mic')));
  const breaks = findGaps(sound, { sampleRate: rate, frequency: 997, tolerance: 5e-5 });
  expect(breaks.length).toBeLessThanOrEqual(mic.stats().discontinuities);
  // Both destinations of the microphone have the same frames, of which one may begin earlier.
  const wav = audioOf(path('mic'));
  const bytes = readFileSync(join(folder, 'mic.raw'));
  const common = Math.min(wav.length, bytes.length) - 8 * rate;
  expect(wav.subarray(-common).equals(bytes.subarray(-common))).toBe(true);
});

it('a file that is unpiped or closed behind a blocked event loop has what was heard until then', async () => {
  const { backend } = system;
  const mic: AudioSource = new MicSource({ backend, device: system.microphone });
  const unpiped = new WavWriter(join(folder, 'unpiped.wav'));
  const closed = new WavWriter(join(folder, 'closed.wav'));
  mic.pipe(unpiped);
  mic.pipe(closed);
  await mic.ready;

  await new Promise((resolve) => setTimeout(resolve, 300));
  block(2000);
  mic.unpipe(unpiped);
  unpiped.end();
  await Promise.all([closed.close(), event(unpiped, 'close')]);
  for (const { framesWritten } of [unpiped, closed])
    expect(framesWritten).toBeGreaterThan(2 * rate);
  await mic.close();
});
