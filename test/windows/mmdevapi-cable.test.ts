// Faults of a virtual cable, and the errors for them: several that could be meant, half a cable, the
// wrong end, unplugged or disabled, another program's, formats that it refuses, two sinks on one. On the simulated
// Windows audio engine; runs in Wine (mmdevapi.mjs).
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import {
  MicSource,
  ToneSource,
  VirtualMicSink,
  VirtualSpeakerSource,
  type AudioError,
  type AudioFormat,
  type VirtualMicOptions,
} from 'patchcord';

import { event, until } from '../conformance/wait.js';
import { levelOf } from '../conformance/tone-level.js';
import { toFloat } from '../instruments/index.js';
import { steerThisProcess, type Steering } from './steer-this-process.js';

const backend = 'wasapi';
const stereo = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;
// An installed VB-CABLE, whatever people call its ends.
const vbCable = 'of ROOT\\MEDIA\\0000 "VB-Audio Virtual Cable" VBAudioVACWDM';

let windows: Steering['windows'];
let here: Steering['here'];
let send: Steering['send'];
let mend: Steering['mend'];
beforeAll(async () => {
  ({ windows, here, send, mend } = await steerThisProcess());
});
afterAll(() => windows.close());
beforeEach(() => here.send('remove cable-input'));
afterEach(async () => {
  await mend();
  await here.send('cable cable-input cable-output 48000 2 f32 "CABLE Input" "CABLE Output"');
});

async function failure(options: VirtualMicOptions = {}): Promise<AudioError> {
  const error = await event<AudioError>(new VirtualMicSink({ backend, ...options }), 'error');
  expect(error.remedy).toBeTruthy();
  return error;
}

/** A sink on a cable, with its format settled. */
async function opened(options: VirtualMicOptions = {}): Promise<VirtualMicSink> {
  return new VirtualMicSink({ backend, format: stereo, ...options }).ready;
}

/** So many seconds of a sine at -12 dBFS. */
function sine(frequency: number, seconds: number): Buffer {
  const samples = Float32Array.from(
    { length: seconds * 96000 },
    (_, index) => 0.25 * Math.sin((2 * Math.PI * frequency * (index >> 1)) / 48000),
  );
  return Buffer.from(samples.buffer);
}

/** The levels of tones, dBFS, that a microphone hears. */
async function levels(device: string, ...frequencies: number[]): Promise<number[]> {
  const mic = new MicSource({ backend, device, channels: 1, durationMs: 1500 });
  const chunks: Buffer[] = [];
  for await (const chunk of mic.chunks()) chunks.push(chunk.data);
  const [sound] = toFloat(Buffer.concat(chunks), mic.format);
  return frequencies.map((frequency) => levelOf(sound.subarray(24000), frequency));
}

const notFound = 'ERR_AUDIO_DEVICE_NOT_FOUND';

describe("device: 'auto'", () => {
  it('takes one of several cables, the plain one first', async () => {
    await send(
      'cable a_in a_out 48000 2 f32 "CABLE-A Input (VB-Audio Cable A)" "CABLE-A Output (VB-Audio Cable A)"',
      'cable plain_in plain_out 48000 2 f32 "CABLE Input (VB-Audio)" "CABLE Output (VB-Audio)"',
    );
    const sink = await opened();
    expect(sink.microphone?.name).toBe('CABLE Output (VB-Audio)');
    await sink.close();
  });

  it('is never the cable of a virtual speaker of this process, whichever opens first', async () => {
    await send(
      'cable a_in a_out 48000 2 f32 "CABLE-A Input (VB-Audio Cable A)" "CABLE-A Output (VB-Audio Cable A)"',
    );
    // With one cable the second stream fails, and succeeds when the first one has closed.
    const speaker = await VirtualSpeakerSource.open({ backend });
    const error = await failure();
    expect(error.code).toBe(notFound);
    expect(error.message).toMatch(/'CABLE-A Input .*', which another stream of this process uses/);
    const selected = await opened({ device: 'CABLE-A Input' });
    await Promise.all([speaker.close(), selected.close()]);
    const only = await opened();
    await expect(VirtualSpeakerSource.open({ backend })).rejects.toThrow(/another stream/);
    await only.close();

    await send(
      'cable b_in b_out 48000 2 f32 "CABLE-B Input (VB-Audio Cable B)" "CABLE-B Output (VB-Audio Cable B)"',
    );
    const [ears, sink] = await Promise.all([VirtualSpeakerSource.open({ backend }), opened()]);
    expect(new Set([ears.device.id, sink.device!.id]).size).toBe(2);
    // The speaker hears what a program plays to its cable, and not the sink.
    new ToneSource({ frequency: 700, gain: 0.25, durationMs: 60_000 }).pipe(sink);
    await send(`play ${ears.device.name.startsWith('CABLE-A') ? 'a_in' : 'b_in'} tone 997 0.25`);
    await until(() => ears.level().rmsDb > -20, 'the tone');
    const chunks: Buffer[] = [];
    for await (const { data } of ears.chunks()) {
      chunks.push(data);
      if (chunks.length === 100) break;
    }
    const [sound] = toFloat(Buffer.concat(chunks), ears.format);
    expect(Math.abs(levelOf(sound, 997) + 12.04)).toBeLessThan(0.5);
    expect(levelOf(sound, 700)).toBeLessThan(-100);
    sink.destroy();
    await ears.close();
  });

  it('does not guess which of several microphones hears the only output', async () => {
    await send(
      `device out output 48000 2 f32 Robot ${vbCable}`,
      `device one input 48000 2 f32 One ${vbCable}`,
      `device two input 48000 2 f32 Two ${vbCable}`,
    );
    const error = await failure();
    expect(error.code).toBe(notFound);
    expect(error.message).toMatch(/which of '(One|Two)', '(One|Two)' carries 'Robot'/);
  });

  it('with half a cable says which half is missing', async () => {
    await send(`device out output 48000 2 f32 "CABLE Input" ${vbCable}`);
    const error = await failure();
    expect(error.code).toBe(notFound);
    expect(error.message).toContain("the microphone of 'CABLE Input' does not exist");
  });

  it('with none says what to install', async () => {
    const error = await failure();
    expect(error.code).toBe('ERR_AUDIO_UNSUPPORTED');
    expect(error.remedy).toContain('VB-CABLE');
  });
});

describe('a cable', () => {
  beforeEach(() => send('cable usual_in usual_out 48000 2 f32 "CABLE Input" "CABLE Output"'));

  it('given by its microphone names the other end', async () => {
    const error = await failure({ device: 'CABLE Output' });
    expect(error.code).toBe(notFound);
    expect(error.remedy).toContain("Play to the other end of the cable, 'CABLE Input'");
  });

  it.each(['disabled', 'notpresent', 'unplugged'])(
    'whose ends are %s cannot be opened, and says why',
    async (state) => {
      await send(`state usual_in ${state}`);
      for (const device of ['auto', 'CABLE Input']) {
        const error = await failure({ device });
        expect(error.code).toBe(notFound);
        expect(error.message).toMatch(/disabled|not ?present|unplugged/i);
      }
    },
  );

  it('that is unplugged while a sink plays to it is waited for, and used when it is back', async () => {
    const sink = await opened({ bufferMs: 60_000 });
    sink.write(sine(997, 30));
    const gone = event<{ error: AudioError }>(sink, 'rebuild');
    await send('unplug usual_in');
    expect((await gone).error).toMatchObject({
      code: 'ERR_AUDIO_DEVICE_LOST',
      deviceId: sink.device?.id,
      remedy: expect.any(String),
    });
    const back = event(sink, 'recovered');
    await send('plug usual_in');
    await back;
    const [level] = await levels('CABLE Output', 997);
    expect(level).toBeCloseTo(-12.04, 0);
    sink.destroy();
  });

  it('whose driver is removed for good is an error in the end, and so is a later write', async () => {
    const sink = await opened({ recover: { giveUpAfterMs: 500 } });
    sink.write(sine(997, 0.2));
    const failed = event<AudioError>(sink, 'error');
    await send('remove usual_in');
    expect(await failed).toMatchObject({
      code: 'ERR_AUDIO_DEVICE_LOST',
      message: expect.stringContaining("'CABLE Input' was lost and did not come back within 0.5 s"),
    });
    const refused = new Promise((resolve) => sink.write(Buffer.alloc(8), resolve));
    expect(await refused).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
  });

  it('that another program uses exclusively is busy, and the error says how to end that', async () => {
    await send('fail usual_in IAudioClient::Initialize 0x8889000A times 1');
    const shared = await failure();
    expect(shared).toMatchObject({ code: 'ERR_AUDIO_DEVICE_BUSY', syscall: expect.any(String) });
    expect(shared.remedy).toMatch(/close that program/i);
    await send('exclusive usual_in busy');
    const exclusive = await failure({ shareMode: 'exclusive' });
    expect(exclusive.code).toBe('ERR_AUDIO_DEVICE_BUSY');
  });

  it('that another program takes while a sink plays to it is waited for', async () => {
    const sink = await opened();
    const gone = event(sink, 'rebuild');
    // The results for a stream when another program begins to use the device exclusively, and for a new stream
    // after that.
    await send('fail usual_in IAudioClient::GetCurrentPadding 0x88890004 times 1');
    await send('fail usual_in IAudioClient::Initialize 0x8889000A times 2');
    await gone;
    await event(sink, 'recovered');
    await sink.close();
  });

  it('of two sinks carries both, at their levels', async () => {
    const sinks = await Promise.all([opened({ bufferMs: 9000 }), opened({ bufferMs: 9000 })]);
    sinks[0].write(sine(997, 8));
    sinks[1].write(sine(440, 8));
    for (const level of await levels('CABLE Output', 997, 440)) expect(level).toBeCloseTo(-12, 0);
    sinks.forEach((sink) => sink.destroy());
  });
});

describe('the format of a cable', () => {
  const format: AudioFormat = { sampleRate: 44100, channels: 1, sampleFormat: 's16' };
  beforeEach(() => send('cable odd_in odd_out 44100 1 s16 "CABLE Input" "CABLE Output"'));

  it.each(['shared', 'exclusive'] as const)(
    'that it refuses is an error: %s',
    async (shareMode) => {
      await send('exclusive odd_in allowed');
      for (const deviceFormat of [
        stereo,
        { ...format, sampleRate: 48000 },
        { ...format, channels: 2 },
      ]) {
        const error = await failure({ shareMode, deviceFormat });
        expect(error.code).toBe('ERR_AUDIO_FORMAT_UNSUPPORTED');
        expect(error.remedy).toContain("the device's properties");
      }
    },
  );

  it.each(['shared', 'exclusive'] as const)(
    'that it has may be demanded: %s',
    async (shareMode) => {
      await send('exclusive odd_in allowed');
      const sink = await opened({ shareMode, deviceFormat: format });
      expect(sink.deviceFormat).toEqual(format);
      await expect(sink.setDeviceFormat(stereo)).rejects.toMatchObject({
        code: 'ERR_AUDIO_FORMAT_UNSUPPORTED',
      });
      expect(sink.deviceFormat).toEqual(format);
      await sink.setDeviceFormat(format);
      const from = sink.position;
      await until(() => sink.position > from + 4410, 'more that is played');
      await sink.close();
    },
  );

  it('that the engine does not know is an error', async () => {
    await send('fail odd_in IAudioClient::Initialize 0x88890008');
    expect((await failure()).code).toBe('ERR_AUDIO_FORMAT_UNSUPPORTED');
  });
});
