// Traces of streams (src/backend/wasapi/trace.h): what they tell, and that the simulated engine replays them as a
// device. Runs in Wine (mmdevapi.mjs).
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { LoopbackSource, MicSource, SpeakerSink, ToneSource, type AudioError } from 'patchcord';

import { event, until } from '../conformance/wait.js';
import { findGaps, measureTone, toFloat } from '../instruments/index.js';
import { steerThisProcess, type Steering } from './steer-this-process.js';

const backend = 'wasapi';
const rate = 48000;

let windows: Steering['windows'];
let send: Steering['send'];
let mend: Steering['mend'];
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trace-'));
  ({ windows, send, mend } = await steerThisProcess());
});
afterAll(async () => {
  await windows.close();
  rmSync(folder, { recursive: true });
});
afterEach(async () => {
  delete process.env.PATCHCORD_TRACE;
  delete process.env.PATCHCORD_TRACE_NAMES;
  await mend();
});

/** Records to the end of the stream, which may be its loss. */
async function record(source: MicSource, until = Infinity) {
  const losses: number[] = [];
  source.on('discontinuity', ({ frames }) => losses.push(frames));
  const chunks: Buffer[] = [];
  let code: string | undefined;
  try {
    for await (const { data, frame } of source.chunks()) {
      if (chunks.length > 0 || data.some((byte) => byte !== 0)) chunks.push(data);
      if (frame > until) break;
    }
  } catch (error) {
    code = (error as AudioError).code;
  }
  await source.close();
  const [left] = toFloat(Buffer.concat(chunks), source.format);
  return { losses, left: left.subarray(rate / 10), code };
}

describe('a trace', () => {
  it('tells of a microphone what Windows answered; replayed, it has the same loss and the same end', async () => {
    const file = join(folder, 'mic.txt');
    process.env.PATCHCORD_TRACE = file;
    await send('device usb input 48000 2 f32 "Secret name"', 'play usb tone 997 0.25');
    const mic = new MicSource({ backend, device: 'Secret name', recover: false });
    const recording = record(mic);
    await until(() => mic.stats().frames > rate, 'a second');
    await send('glitch usb 1500');
    await until(() => mic.stats().frames > 2 * rate, 'another second');
    await send('unplug usb');
    const told = await recording;
    expect(told.code).toBe('ERR_AUDIO_DEVICE_LOST');
    expect(told.losses).toContain(1500);

    const text = readFileSync(file, 'utf8');
    expect(text).toMatch(/^patchcord-trace 1\nwindows \d+\.\d+\.\d+\nwine /);
    expect(text).not.toContain('Secret');
    for (const line of [
      /^1 stream input opening the device$/,
      /^1 mix 0x00000000 48000 2 32 32 3 0x3$/,
      /^1 periods 0x00000000 100000 30000$/,
      /^1 engine 0x00000000 480 \d+ \d+ 480$/,
      /^1 device 48000 2 32 /,
      /^1 property \{[-0-9A-F]{36}\} \d+$/,
      /^1 open 0x00000000 /,
      /^1 format 48000 2$/,
      /^1 buffered \d+ 480$/,
      /^1 start \d+ 0x00000000$/,
      /^1 wake \d+ 1$/,
      /^1 buffer 0x00000000 480 0x1 0 \d+$/,
      /^1 buffer 0x08890001 0 /,
      /^1 lost 0x88890004$/,
    ]) {
      expect(
        text.split('\n').some((one) => line.test(one)),
        String(line),
      ).toBe(true);
    }

    delete process.env.PATCHCORD_TRACE;
    await send(`replay again "${file}"`);
    const again = await record(new MicSource({ backend, device: 'again', recover: false }));
    expect(again.code).toBe(told.code);
    expect(again.losses).toContain(1500);
    const gaps = findGaps(again.left, { sampleRate: rate, frequency: 997 });
    if (again.losses.length === 1) {
      expect(gaps).toHaveLength(1);
      expect(gaps[0]).toMatchObject({ kind: 'silence', frames: 1500 });
    }
  });

  it('of a sink and a loopback has positions and paddings, and names on request', async () => {
    const file = join(folder, 'output.txt');
    process.env.PATCHCORD_TRACE = file;
    process.env.PATCHCORD_TRACE_NAMES = '1';
    const loopback = new LoopbackSource({ backend, device: 'Speakers' });
    loopback.resume();
    await loopback.ready;
    const sink = new SpeakerSink({ backend, device: 'Speakers' });
    new ToneSource({ durationMs: 300 }).pipe(sink);
    await event(sink, 'close');
    await loopback.close();
    const text = readFileSync(file, 'utf8');
    for (const line of [
      /^1 buffer 0x00000000 /,
      /^\d+ name .*Speakers/,
      /^2 padding 0x00000000 \d+$/,
      /^2 position 0x00000000 \d+ \d+$/,
      /^2 written 0x00000000 \d+$/,
    ]) {
      expect(
        text.split('\n').some((one) => line.test(one)),
        String(line),
      ).toBe(true);
    }
  });

  it('that was made in Wine is replayed, with no break that is not told', async () => {
    await send(`replay wine "${join(process.cwd(), 'test/windows/traces/wine-microphone.txt')}"`);
    const { left, losses } = await record(new MicSource({ backend, device: 'wine' }), rate);
    // A machine that is busy may fetch packets too late.
    const told = losses.reduce((sum, frames) => sum + frames, 0);
    const gaps = findGaps(left, { sampleRate: rate, frequency: 997 });
    expect(gaps.filter(({ kind }) => kind !== 'silence')).toEqual([]);
    expect(Math.abs(gaps.reduce((sum, { frames }) => sum + frames, 0) - told)).toBeLessThan(8);
    expect(told).toBeLessThan(rate / 10);
    expect(measureTone(left, rate, 997).frequency).toBeCloseTo(997, 0);
  });

  it('that is none is refused', async () => {
    await expect(send(`replay other "${join(folder, 'absent.txt')}"`)).rejects.toThrow(
      'cannot read',
    );
    await expect(send(`replay other "${join(process.cwd(), 'package.json')}"`)).rejects.toThrow(
      'line 1',
    );
  });
});
