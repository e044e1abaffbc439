// How a device is opened on the simulated Windows audio engine: exclusive mode, short periods, raw
// streams and categories, and how long loopback holds what it hears. Runs in Wine (mmdevapi.mjs).
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import {
  listDevices,
  LoopbackSource,
  MicSource,
  SpeakerSink,
  ToneSource,
  type AudioError,
  type MicOptions,
  type SampleFormat,
} from 'patchcord';

import { event, until } from '../conformance/wait.js';
import { findGaps, measureTone, toFloat } from '../instruments/index.js';
import { steerThisProcess, type Steering } from './steer-this-process.js';

const backend = 'wasapi';

let windows: Steering['windows'];
let here: Steering['here'];
let send: Steering['send'];
let mend: Steering['mend'];
beforeAll(async () => {
  ({ windows, here, send, mend } = await steerThisProcess());
});
afterAll(() => windows.close());
afterEach(async () => {
  await mend();
});

/** So many ms of a tone at 997 Hz and -12 dBFS on every channel, from where it has begun. */
async function expectTone(
  source: MicSource | LoopbackSource,
  ms = 600,
  lost = () => source.stats().lostFrames,
) {
  const { sampleRate } = source.format;
  const chunks: Buffer[] = [];
  let frames = 0;
  await source.ready;
  const headroom = source.granted?.shareMode === 'shared' && !source.granted.lowLatency;
  for await (const chunk of source.chunks()) {
    if (frames === 0 && chunk.data.every((byte) => byte === 0)) continue;
    frames += chunk.frames;
    if (frames > sampleRate / 10) chunks.push(chunk.data);
    if (frames > (sampleRate * ms) / 1000) break;
  }
  const lostFrames = lost();
  source.destroy();
  for (const samples of toFloat(Buffer.concat(chunks), source.format)) {
    const tone = measureTone(samples, sampleRate, 997);
    const gaps = findGaps(samples, { sampleRate, frequency: 997 });
    // Missing frames also change the phase; before and behind it the tone is faded for 3 ms.
    expect(Math.abs(tone.frequency - 997)).toBeLessThan(lostFrames === 0 ? 0.5 : 2);
    const quiet = (lostFrames + gaps.length * 0.006 * sampleRate) / samples.length;
    expect(tone.peakDb + 12.04).toBeLessThan(0.1);
    const missing = 20 * Math.log10(Math.max(1e-9, 1 - quiet));
    expect(tone.peakDb + 12.04).toBeGreaterThan(missing - 0.1);
    // A stream with little headroom has a hole when the machine is busy for longer. It is counted.
    if (headroom) expect(source.stats().lostFrames).toBe(0);
    if (lostFrames === 0) expect(gaps).toEqual([]);
  }
}

describe('exclusive mode', () => {
  it('aligns the buffer as the driver requires, and carries sound', async () => {
    await send('device usb input 44100 2 s16 "Headset (USB Audio)"', 'exclusive usb allowed');
    await send('play usb tone 997 0.25');
    const mic = new MicSource({ backend, device: 'Headset', shareMode: 'exclusive' });
    await mic.ready;
    expect(mic.granted).toMatchObject({ shareMode: 'exclusive', reasons: {} });
    // 441 frames would be 10 ms, and 1764 bytes no whole number of 128.
    expect(mic.periodMs).toBeCloseTo(448 / 44.1, 3);
    await expectTone(mic);
  });

  it('doubles a period that the driver refuses', async () => {
    await send('exclusive mic allowed', 'play mic tone 997 0.25');
    await send('fail mic IAudioClient::Initialize 0x88890020 times 1');
    const mic = new MicSource({ backend, device: 'Microphone', shareMode: 'exclusive' });
    await mic.ready;
    expect(mic.periodMs).toBe(20);
    await expectTone(mic);
    await send('stop mic');
  });

  it('uses the shortest period if low latency is requested', async () => {
    const options = { shareMode: 'exclusive', lowLatency: true } as const;
    const mic = new MicSource({ backend, device: 'Microphone', ...options });
    await mic.ready;
    expect(mic.periodMs).toBe(3);
    expect(mic.granted).toMatchObject({ shareMode: 'exclusive', lowLatency: true });
    mic.destroy();
  });

  it.each([
    ['refused', 'ERR_AUDIO_UNSUPPORTED', '0x8889000E'],
    ['busy', 'ERR_AUDIO_DEVICE_BUSY', '0x8889000A'],
  ])('that is %s fails in words', async (policy, code, osCode) => {
    await send(`exclusive mic ${policy}`);
    for (const lowLatency of [false, true]) {
      const options = { shareMode: 'exclusive', lowLatency } as const;
      const mic = new MicSource({ backend, device: 'Microphone', ...options });
      const error = await event<AudioError>(mic, 'error');
      expect(error).toMatchObject({ code, remedy: expect.stringMatching(/exclusive control/) });
      expect(error.osCode).toContain(osCode);
    }
    await send('exclusive mic refused');
  });

  const formats: [number, number, string][] = [
    [8000, 1, 's16'],
    [48000, 2, 's24'],
    [96000, 6, 's24in32'],
    [192000, 8, 's32'],
    [48000, 2, 'f32'],
  ];
  it.each(formats)(
    'finds the one format of a driver: %i Hz, %i channels, %s',
    async (...format) => {
      const [sampleRate, channels, layout] = format;
      await send(`device odd input ${format.join(' ')} "Odd"`, 'exclusive odd allowed');
      await send('play odd tone 997 0.25');
      const shown = (layout === 's24in32' ? 's24' : layout) as SampleFormat;
      const asked = { sampleRate, channels, sampleFormat: shown };
      const mic = new MicSource({ backend, device: 'Odd', shareMode: 'exclusive', ...asked });
      await mic.ready;
      expect(mic.granted?.shareMode).toBe('exclusive');
      await expectTone(mic, 400);
    },
  );

  it('plays what is written', async () => {
    await send('exclusive cable-input allowed');
    const options = { shareMode: 'exclusive', latencyMs: 200, bufferMs: 4000 } as const;
    const sink = new SpeakerSink({ backend, device: 'CABLE Input', ...options });
    new ToneSource({ frequency: 997, gain: 0.25, durationMs: 1500 }).pipe(sink);
    // One buffer is all that the device has in hand.
    const mic = new MicSource({ backend, device: 'CABLE Output' });
    await expectTone(mic, 1000, () => sink.stats().underrunFrames);
    expect(sink.granted?.shareMode).toBe('exclusive');
    await event(sink, 'finish');
  });
});

describe('a short period', () => {
  it("is the driver's shortest, and is heard", async () => {
    await send('device fast input 48000 2 f32 "Fast" period 128', 'play fast tone 997 0.25');
    const mic = new MicSource({ backend, device: 'Fast', lowLatency: true });
    await mic.ready;
    expect(mic.granted).toMatchObject({ lowLatency: true, reasons: {} });
    expect(mic.periodMs).toBeCloseTo(128 / 48, 3);
    await expectTone(mic);
  });

  it('at which the driver loses audio is given up, and granted says so', async () => {
    await send('device fast input 48000 2 f32 "Fast" period 128', 'play fast tone 997 0.25');
    const mic = await MicSource.open({ backend, device: 'Fast', lowLatency: true });
    mic.resume();
    let losses = 0;
    mic.on('discontinuity', () => losses++);
    for (let i = 1; i <= 5; i++) {
      expect(mic.granted.lowLatency).toBe(true);
      await send('glitch fast 100');
      await until(() => losses >= i, 'a loss');
    }
    await until(() => mic.periodMs === 10, 'the usual period');
    expect(mic.granted).toMatchObject({
      lowLatency: false,
      reasons: { lowLatency: expect.stringContaining('lost audio 5 times') },
    });
    const { frames } = mic.stats();
    await until(() => mic.stats().frames > frames + 4800, 'more sound');
    await mic.close();
  });

  it('that another program has chosen is taken', async () => {
    await send('device fast input 48000 2 f32 "Fast" period 128', 'play fast tone 997 0.25');
    await send('fail fast IAudioClient3::InitializeSharedAudioStream 0x88890028 times 1');
    const mic = new MicSource({ backend, device: 'Fast', lowLatency: true });
    await mic.ready;
    expect(mic.granted?.lowLatency).toBe(true);
    await expectTone(mic);
  });

  it.each([
    ['the driver has none', [], /no period below 10\.0 ms/],
    [
      'the system does not tell',
      ['fail mic IAudioClient3::GetSharedModeEnginePeriod 0x80004001'],
      /GetSharedModeEnginePeriod/,
    ],
  ])('is rejected with a reason, and the microphone is recorded anyway: %s', async (...given) => {
    const [, script, reason] = given;
    await send('play mic tone 997 0.25', ...script);
    const mic = new MicSource({ backend, device: 'Microphone', lowLatency: true });
    await mic.ready;
    expect(mic.granted?.lowLatency).toBe(false);
    expect(mic.granted?.reasons.lowLatency).toMatch(reason);
    expect(mic.periodMs).toBe(10);
    await expectTone(mic);
    await send('stop mic');
  });

  it('is rejected with a reason if the stream cannot be opened so', async () => {
    await send('device fast input 48000 2 f32 "Fast" period 128', 'play fast tone 997 0.25');
    await send('fail fast IAudioClient3::InitializeSharedAudioStream 0x88890020');
    const mic = new MicSource({ backend, device: 'Fast', lowLatency: true });
    await mic.ready;
    expect(mic.granted?.reasons.lowLatency).toMatch(/InitializeSharedAudioStream/);
    await expectTone(mic);
  });

  it('of an output plays what is written', async () => {
    await send('device fast output 48000 2 f32 "Fast" period 128');
    const sink = new SpeakerSink({ backend, device: 'Fast', lowLatency: true });
    await sink.ready;
    expect(sink.granted).toMatchObject({ lowLatency: true, reasons: {} });
    expect(sink.stats().deviceLatencyMs).toBeLessThan(15);
    sink.destroy();
    await event(sink, 'close');
  });
});

describe('raw streams and categories', () => {
  it('are granted where the driver has them', async () => {
    await send('raw mic allowed');
    const wishes = { raw: true, category: 'communications' } as const;
    const mic = new MicSource({ backend, device: 'Microphone', ...wishes });
    await mic.ready;
    expect(mic.granted).toMatchObject({ ...wishes, reasons: {} });
    mic.destroy();
    await send('raw mic refused');
  });

  it('are refused with a reason, each for itself', async () => {
    const wishes = { raw: true, category: 'speech' } as const;
    const mic = new MicSource({ backend, device: 'Microphone', ...wishes });
    await mic.ready;
    expect(mic.granted).toMatchObject({ raw: false, category: 'speech' });
    expect(mic.granted?.reasons).toEqual({ raw: expect.stringContaining('without its effects') });
    mic.destroy();
  });
});

describe('the echo cancellation of the system', () => {
  const open = async (wishes: Partial<MicOptions>) => {
    const mic = new MicSource({ backend, device: 'Microphone', ...wishes });
    await mic.ready;
    const { granted } = mic;
    mic.destroy();
    await event(mic, 'close');
    return granted!;
  };

  it('is that of a stream for calls, if the driver has one', async () => {
    await send('echo mic cancelled');
    expect((await open({})).echoCancellation).toBe(false);
    expect((await open({ category: 'communications' })).echoCancellation).toBe(true);
    await send('raw mic allowed');
    const raw = { category: 'communications', raw: true } as const;
    expect((await open(raw)).echoCancellation).toBe(false);
    await send('raw mic refused');
    await send('echo mic left');
    expect((await open({ category: 'communications' })).echoCancellation).toBe(false);
  });

  it('has the reference that is requested', async () => {
    await send('echo mic cancelled');
    const [output] = await listDevices({ backend, flow: 'output' });
    const call = { category: 'communications' } as const;
    const { echoCancellation, reasons } = await open({ ...call, echoReference: output });
    expect(echoCancellation).toBe(true);
    expect(reasons).toEqual({});
    const reference = await here.send('echo mic reference');
    expect(await here.send(`id ${reference}`)).toBe(output.id);
    const wrong = await open({ ...call, echoReference: 'no such output' });
    expect(wrong.echoCancellation).toBe(true);
    expect(wrong.reasons.echoReference).toContain('SetEchoCancellationRenderEndpoint');
    const none = await open({ echoReference: output.id });
    expect(none.reasons.echoReference).toContain('no echo cancellation');
    await send('fail mic IAudioEffectsManager::GetAudioEffects 0x80004005');
    expect((await open(call)).echoCancellation).toBe(false);
    await mend();
    await send('echo mic left');
  });
});

describe('loopback holds what it hears', () => {
  /** Ages in ms of the oldest frame of each chunk when JavaScript has it, sorted. */
  async function ages(device: string, options: object) {
    const source = new LoopbackSource({ backend, device, ...options });
    await source.ready;
    const found: number[] = [];
    for await (const chunk of source.chunks()) {
      // Sound, not the silence of before.
      if (chunk.data.every((byte) => byte === 0)) continue;
      found.push(Number(process.hrtime.bigint() - chunk.time) / 1e6);
      if (found.length === 200) break;
    }
    const { granted } = source;
    source.destroy();
    found.sort((a, b) => a - b);
    const [median, p95] = [found[100], found[190]];
    console.log(`${device}: median ${median.toFixed(1)} ms, 95 % ${p95.toFixed(1)} ms`);
    return { median, p95, granted };
  }

  it('for at most 30 ms', async () => {
    await send('play speakers tone 997 0.25');
    const { median } = await ages('Speakers', {});
    await send('stop speakers');
    expect(median).toBeLessThan(30);
  });

  it('for at most 10 ms with a short period', async () => {
    await send('device fast output 48000 2 f32 "Fast" period 128', 'play fast tone 997 0.25');
    const { median, granted } = await ages('Fast', { lowLatency: true, chunkFrames: 128 });
    expect(granted).toMatchObject({ lowLatency: true, reasons: {} });
    expect(median).toBeLessThan(10);
  });

  it('and says where its period is the usual one', async () => {
    const source = new LoopbackSource({ backend, device: 'Speakers', lowLatency: true });
    await source.ready;
    expect(source.granted?.reasons.lowLatency).toMatch(/period of the audio engine, 10\.0 ms/);
    source.destroy();
  });
});
