// The format of the device that a sink plays to: demanded when it is opened, and while it plays.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  SpeakerSink,
  ToneSource,
  VirtualMicSink,
  type AudioError,
  type AudioFormat,
} from 'patchcord';

import { openSystem, type System } from './system.js';
import { typicalTone } from './typical-tone.js';
import { event, until } from './wait.js';

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

const options = () => ({ backend: system.backend, device: system.speakers });
const odd = { sampleRate: 22050, channels: 3, sampleFormat: 'f32' } as const;

// Wine's sound server converts for each stream: there a device has every format.
const inWine = process.env.PATCHCORD_TEST_BACKEND === 'wasapi';

it.runIf(inWine)('every format can be requested in Wine', async () => {
  const sink = await new SpeakerSink({ ...options(), deviceFormat: odd }).ready;
  expect(sink.deviceFormat).toEqual(odd);
  await sink.setDeviceFormat({ ...odd, sampleRate: 32000 });
  expect(sink.deviceFormat).toEqual({ ...odd, sampleRate: 32000 });
  await until(() => sink.position > 4800, 'what is played');
  await sink.close();
});

describe.skipIf(inWine)('a device of another format', () => {
  it('than the requested one is an error that says what to do', async () => {
    const error = await event<AudioError>(
      new SpeakerSink({ ...options(), deviceFormat: odd }),
      'error',
    );
    expect(error.code).toBe('ERR_AUDIO_FORMAT_UNSUPPORTED');
    expect(error.remedy).toBeTruthy();
    expect(error.deviceId).toBeTruthy();
  });

  it('is an error later too, and the sink continues', async () => {
    const sink = await new SpeakerSink(options()).ready;
    const before = sink.deviceFormat;
    await expect(sink.setDeviceFormat(odd)).rejects.toMatchObject({
      code: 'ERR_AUDIO_FORMAT_UNSUPPORTED',
    });
    expect(sink.deviceFormat).toEqual(before);
    const played = sink.position;
    await until(() => sink.position > played + 4800, 'more that is played');
    await sink.close();
  });
});

it('may be opened with its own format as deviceFormat, before and while it plays', async () => {
  const first = await new SpeakerSink(options()).ready;
  const deviceFormat = first.deviceFormat as AudioFormat;
  await first.close();
  const sink = await new SpeakerSink({ ...options(), deviceFormat }).ready;
  expect(sink.deviceFormat).toEqual(deviceFormat);
  const rebuilt: unknown[] = [];
  sink.on('rebuild', (what) => rebuilt.push(what));
  await Promise.all([sink.setDeviceFormat(deviceFormat), sink.setDeviceFormat(deviceFormat)]);
  expect(sink.deviceFormat).toEqual(deviceFormat);
  expect(rebuilt).toEqual([]);
  await sink.close();
  await expect(sink.setDeviceFormat(deviceFormat)).rejects.toBeInstanceOf(Error);
});

describe('a created microphone', () => {
  const made = process.platform === 'linux' && process.env.PATCHCORD_TEST_BACKEND !== 'simulated';

  it.runIf(made)('has the requested format, and another one after setDeviceFormat()', async () => {
    const wide = { sampleRate: 96000, channels: 1, sampleFormat: 's16' } as const;
    const sink = await new VirtualMicSink({ name: 'Wide', deviceFormat: wide }).ready;
    // A recording in PipeWire runs at the rate of its graph.
    const sampleRate = process.env.PATCHCORD_TEST_BACKEND === 'pipewire' ? 48000 : 96000;
    expect(sink.microphone?.format).toMatchObject({ sampleRate, channels: 1 });
    expect(sink.deviceFormat).toEqual(wide);
    new ToneSource({ frequency: 997, gain: 0.25, durationMs: 60_000 }).pipe(sink);
    const narrow = { ...wide, sampleRate: 44100, channels: 2 };
    await sink.setDeviceFormat(narrow);
    expect(sink.deviceFormat).toEqual(narrow);
    expect(sink.microphone).toMatchObject({ name: 'Wide', format: { channels: 2 } });
    const heard = await system.record(sink.microphone, 2);
    const left = heard.filter((_, index) => index % 2 === 0).subarray(24000);
    expect(Math.abs(typicalTone(left, 48000, 997).frequency - 997)).toBeLessThan(1);
    sink.destroy();
  });
});
