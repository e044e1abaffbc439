// The examples that speak into a virtual microphone, run as a user runs them, and heard by another program.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { listDevices } from 'patchcord';

import { openSystem, type System } from './system.js';
import { typicalTone } from './typical-tone.js';
import { until } from './wait.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const name = process.env.PATCHCORD_TEST_BACKEND;
const onServer = name === 'pulse' || name === 'pipewire';

function needs(program: string): boolean {
  if (!spawnSync(program, ['--version']).error) return true;
  const absent = `absent: ${program} (not in PATH): the example that uses it did not run`;
  console.log(absent);
  if (process.env.PATCHCORD_REQUIRE_ALL) throw new Error(absent);
  return false;
}

describe.runIf(onServer)('an example', () => {
  let system: System;
  let folder: string;
  beforeAll(async () => {
    system = await openSystem();
    folder = mkdtempSync(join(tmpdir(), 'patchcord-examples-'));
  });
  afterAll(async () => {
    await system.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts it, and records what it says once it has named its microphone. */
  async function hear(seconds: number, example: string, ...args: string[]) {
    const child = spawn(process.execPath, [join(root, 'examples', example), ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (text) => (output += String(text)));
    child.stderr.on('data', (text) => (output += String(text)));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    onTestFinished(() => void child.kill());
    const named = /select the microphone "(.*)"/;
    await until(() => named.test(output) || child.exitCode !== null, `a name in: ${output}`);
    const label = named.exec(output)?.[1] ?? output;
    const mic = (await listDevices({ flow: 'input' })).find((device) => device.name === label);
    if (!mic) throw new Error(`no microphone "${label}"`);
    const stereo = await system.record(mic, seconds);
    return {
      left: stereo.filter((_, index) => index % 2 === 0),
      ended,
      child,
      output: () => output,
    };
  }

  it('speaks a tone', async () => {
    const { left } = await hear(2, 'tone.mjs', '--frequency', '997', '--seconds', '20');
    const { frequency, peakDb } = typicalTone(left.subarray(24000), 48000, 997);
    expect(Math.abs(frequency - 997)).toBeLessThan(1);
    expect(Math.abs(peakDb + 12)).toBeLessThan(0.2);
  });

  it('plays a WAV file of another rate at its right speed, to its end', async () => {
    const file = join(folder, 'tone.wav');
    writeFileSync(file, wav(44100, 1500, 3));
    const { left, ended } = await hear(2, 'play-file.mjs', file);
    const { frequency, peakDb } = typicalTone(left.subarray(24000), 48000, 1500);
    expect(Math.abs(frequency - 1500)).toBeLessThan(1);
    expect(Math.abs(peakDb + 12.04)).toBeLessThan(0.2);
    expect(await ended).toBe(0);
  });

  it.runIf(onServer && needs('ffmpeg'))('plays anything else through ffmpeg', async () => {
    const file = join(folder, 'tone.flac');
    writeFileSync(join(folder, 'source.wav'), wav(44100, 800, 3));
    spawnSync('ffmpeg', ['-loglevel', 'error', '-i', join(folder, 'source.wav'), file]);
    const { left, ended } = await hear(2, 'play-file.mjs', file);
    const { frequency, peakDb } = typicalTone(left.subarray(24000), 48000, 800);
    expect(Math.abs(frequency - 800)).toBeLessThan(1);
    expect(Math.abs(peakDb + 12.04)).toBeLessThan(0.2);
    expect(await ended).toBe(0);
  });

  it.runIf(onServer && needs('espeak-ng'))('says something, and ends when it is said', async () => {
    const { left, ended } = await hear(2, 'say.mjs', 'one two three four five six seven');
    const loud = left.filter((sample) => Math.abs(sample) > 0.03).length;
    expect(loud).toBeGreaterThan(2000);
    expect(await ended).toBe(0);
  });

  it('changes the voice of a microphone', async () => {
    await system.play('microphone', 1000);
    const { left } = await hear(3, 'voice-changer.mjs', '--frequency', '100', '--seconds', '20');
    // A tone of 1000 Hz times a sine of 100 Hz: two tones, at half the level, and nothing at 1000 Hz.
    const sound = left.subarray(24000, 24000 + 96000);
    for (const near of [900, 1100]) {
      expect(Math.abs(typicalTone(sound, 48000, near).peakDb + 18)).toBeLessThan(1);
    }
  });

  it('leaves a hands-free microphone as it is while the loudspeakers are silent', async () => {
    await system.play('microphone', 700);
    const { left } = await hear(3, 'hands-free.mjs', '--seconds', '20');
    const sound = left.subarray(24000, 24000 + 96000);
    expect(Math.abs(typicalTone(sound, 48000, 700).peakDb + 12)).toBeLessThan(1.5);
  });

  it('says what to do without an audio system', async () => {
    const child = spawn(process.execPath, [join(root, 'examples/tone.mjs')], {
      cwd: root,
      env: { ...process.env, PULSE_SERVER: `unix:${folder}/none` },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (text) => (errors += String(text)));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code).toBe(1);
    expect(errors).toMatch(/Start the sound server/);
    expect(errors).not.toContain('    at ');
  });
});

/** A tone of -12.04 dBFS in 16 bits, one channel. */
function wav(rate: number, frequency: number, seconds: number): Buffer {
  const data = Buffer.alloc(rate * seconds * 2);
  for (let i = 0; i < rate * seconds; i++) {
    data.writeInt16LE(Math.round(8192 * Math.sin((2 * Math.PI * frequency * i) / rate)), 2 * i);
  }
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + data.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}
