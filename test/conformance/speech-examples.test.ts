// The examples that give recorded sound to other programs: a voice detector, a recogniser, FFmpeg.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { convert, SpeakerSink, WavReader } from 'patchcord';

import { toFloat } from '../instruments/index.js';
import { runExample } from './run-example.js';
import { openSystem, type System } from './system.js';
import { typicalTone } from './typical-tone.js';
import { until } from './wait.js';

const name = process.env.PATCHCORD_TEST_BACKEND;
const onServer = name === 'pulse' || name === 'pipewire';
const rate = 48_000;

function has(program: string): boolean {
  if (!onServer) return false;
  if (!spawnSync(program, ['--version']).error) return true;
  const absent = `absent: ${program} (not in PATH): the example that uses it did not run`;
  console.log(absent);
  if (process.env.PATCHCORD_REQUIRE_ALL) throw new Error(absent);
  return false;
}

describe.runIf(onServer)('an example', { timeout: 60_000 }, () => {
  let system: System;
  let folder: string;
  beforeAll(async () => {
    system = await openSystem();
    folder = mkdtempSync(join(tmpdir(), 'patchcord-speech-'));
  });
  afterAll(async () => {
    await system.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.runIf(has('espeak-ng'))('finds what is said, within 200 ms of its times', async () => {
    const texts = ['The quick brown fox jumps over the lazy dog.', 'Please open the window.'];
    const { samples, spans } = await speech(folder, texts);
    const run = runExample(
      folder,
      'transcribe.mjs',
      ...['--from', 'system', '--command', 'cat > heard.raw'],
      ...['--seconds', String(Math.ceil(samples.length / rate) + 2)],
    );
    await until(() => /listening/.test(run.output), `it to listen: ${run.output}`);
    const sink = await SpeakerSink.open({
      format: { sampleRate: rate, channels: 1, sampleFormat: 'f32' },
    });
    sink.write(Buffer.from(samples.buffer));
    await until(() => sink.position > rate / 2, 'half a second');
    const begin = sink.timeAt(0);
    expect(await run.ended, run.output).toBe(0);
    sink.destroy();
    const found = run.output.split('\n').flatMap((line) => {
      if (!line.startsWith('{')) return [];
      const { startTime, seconds } = JSON.parse(line) as { startTime: string; seconds: number };
      const start = Number(BigInt(startTime) - begin) / 1e9;
      return [{ start, end: start + seconds }];
    });
    expect(found).toHaveLength(texts.length);
    for (const [k, { start, end }] of found.entries()) {
      expect(Math.abs(start - spans[k].start)).toBeLessThan(0.2);
      expect(Math.abs(end - spans[k].end)).toBeLessThan(0.2);
    }
    // The command got everything: 16 kHz mono in 16 bits.
    expect(statSync(join(folder, 'heard.raw')).size).toBeGreaterThan(samples.length / 3);
  });

  it.runIf(has('ffmpeg'))('records into compressed files, which follow each other', async () => {
    const stop = await system.play('speakers', 1000);
    for (const codec of ['flac', 'opus']) {
      const out = join(folder, codec);
      const run = runExample(
        folder,
        'record-compressed.mjs',
        ...['--codec', codec, '--segment', '2', '--from', 'system', '--seconds', '3', '--out', out],
      );
      expect(await run.ended, run.output).toBe(0);
      const files = readdirSync(out).filter((file) => !file.endsWith('.csv'));
      expect(files).toHaveLength(2);
      // Decoded one after the other they are the recording: no frame is missing where one ends.
      const parts = files
        .sort()
        .map((file) =>
          execFileSync('ffmpeg', [
            ...['-v', 'error', '-i', join(out, file), '-f', 'f32le', '-ac', '2', '-ar', '48000'],
            'pipe:1',
          ]),
        );
      const bytes = Buffer.concat(parts);
      const [sound] = toFloat(bytes, { sampleRate: rate, channels: 2, sampleFormat: 'f32' });
      const recorded = Number(/([\d.]+) s in 2 files/.exec(run.output)?.[1]);
      expect(Math.abs(sound.length / rate - recorded)).toBeLessThan(0.15);
      const { frequency, peakDb } = typicalTone(sound.subarray(rate, 3 * rate), rate, 1000);
      expect(frequency).toBeCloseTo(1000, 0);
      expect(Math.abs(peakDb + 12)).toBeLessThan(1.5);
    }
    await stop();
    const absent = runExample(folder, 'record-compressed.mjs', '--ffmpeg', '/nonexistent');
    expect(await absent.ended).toBe(1);
    expect(absent.output).toMatch(/FFmpeg was not found as \/nonexistent: install it/);
  });
});

/** Sentences with a second of silence between them, and when each sounds, in seconds. */
async function speech(folder: string, texts: string[]) {
  const parts = [new Float32Array(rate)];
  const spans: { start: number; end: number }[] = [];
  for (const text of texts) {
    const file = join(folder, 'sentence.wav');
    writeFileSync(file, execFileSync('espeak-ng', ['--stdout', '-a', '120', text]));
    const reader = WavReader.fromFile(file);
    const chunks: Buffer[] = [];
    for await (const chunk of reader) chunks.push(chunk);
    const to = { sampleRate: rate, channels: 1, sampleFormat: 'f32' } as const;
    const [said] = toFloat(convert(Buffer.concat(chunks), { from: reader.format, to }), to);
    const at = parts.reduce((sum, { length }) => sum + length, 0);
    const isSound = (sample: number): boolean => Math.abs(sample) > 0.02;
    const start = (at + said.findIndex(isSound)) / rate;
    spans.push({ start, end: (at + said.findLastIndex(isSound)) / rate });
    parts.push(Float32Array.from(said), new Float32Array(rate));
  }
  const samples = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    samples.set(part, at);
    at += part.length;
  }
  return { samples, spans };
}
