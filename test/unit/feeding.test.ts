// Writes to a sink: formats, the queue, live producers, loudness, switching. Judged by the sound of a simulated
// cable, on a manual clock. That clock does not wait for JavaScript to write more: what is
// written fits into `bufferMs`.
import { describe, expect, it, vi } from 'vitest';

import {
  MicSource,
  VirtualMicSink,
  type AudioFormat,
  type SampleFormat,
  type VirtualMicOptions,
} from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { findGaps, measureTone, seededRandom } from '../instruments/index.js';

// Work, not waiting; yet a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

const stereo = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;

function world(format: AudioFormat = stereo): SimulatedAudio {
  return new SimulatedAudio({
    clock: 'manual',
    devices: [{ id: 'mic', flow: 'input', format: stereo }],
    cables: [
      { renderId: 'cable-input', captureId: 'cable-output', format },
      { renderId: 'second-input', captureId: 'second-output', format },
    ],
  });
}

async function opened(backend: SimulatedAudio, options: VirtualMicOptions = {}) {
  const sink = new VirtualMicSink({ backend, device: 'cable-input', ...options });
  backend.device('cable-input').record();
  await backend.advance(100);
  return sink;
}

/** One channel of what the cable carried, from the first sound to the last. */
function carried(backend: SimulatedAudio, id = 'cable-input', channel = 0): Float32Array {
  const { data, format } = backend.device(id).recorded();
  const one = data.filter((_, index) => index % format.channels === channel);
  const first = one.findIndex((sample) => sample !== 0);
  return one.subarray(first, one.findLastIndex((sample) => sample !== 0) + 1);
}

/** A tone from frame `from` on, in a format. */
function sine(
  { sampleRate, channels, sampleFormat }: AudioFormat,
  { frequency = 997, gain = 0.25, seconds = 1, from = 0 },
): Buffer {
  const frames = Math.round(seconds * sampleRate);
  const samples = Float64Array.from({ length: frames * channels }, (_, index) => {
    const time = from + Math.floor(index / channels) / sampleRate;
    return gain * Math.sin(2 * Math.PI * frequency * time);
  });
  return encode(samples, sampleFormat);
}

function encode(samples: ArrayLike<number>, format: SampleFormat): Buffer {
  const size = { s16: 2, s24: 3, s32: 4, f32: 4 }[format];
  const bytes = Buffer.alloc(samples.length * size);
  for (let i = 0; i < samples.length; i++) {
    if (format === 'f32') bytes.writeFloatLE(samples[i], i * size);
    else bytes.writeIntLE(Math.round(samples[i] * (2 ** (8 * size - 1) - 1)), i * size, size);
  }
  return bytes;
}

describe('bytes through a cable with the same format', () => {
  const formats: AudioFormat[] = (['s16', 's24', 's32', 'f32'] as const).flatMap((sampleFormat) => [
    ...[44100, 48000, 96000].map((sampleRate) => ({ sampleRate, channels: 2, sampleFormat })),
    ...[1, 3, 6, 8].map((channels) => ({ sampleRate: 48000, channels, sampleFormat })),
  ]);

  it.each(formats)(
    'arrive bit for bit: $sampleRate Hz, $channels channels, $sampleFormat',
    async (format) => {
      const backend = world(format);
      const random = seededRandom(7);
      // A float holds 24 of the 32 bits, and the engine works in f32.
      const bits = format.sampleFormat === 's16' ? 15 : 23;
      const count = (format.sampleRate / 10) * format.channels;
      const written = Float32Array.from({ length: count }, () => {
        const value = (Math.floor(random() * (2 ** bits - 2)) + 1) / 2 ** bits;
        return random() < 0.5 ? -value : value;
      });
      const sink = await opened(backend, { format });
      const size = { s16: 2, s24: 3, s32: 4, f32: 4 }[format.sampleFormat];
      const bytes = Buffer.alloc(count * size);
      written.forEach((value, index) => {
        if (format.sampleFormat === 'f32') bytes.writeFloatLE(value, index * size);
        else bytes.writeIntLE(value * 2 ** (8 * size - 1), index * size, size);
      });
      sink.end(bytes);
      await backend.advance(500);
      const { data } = backend.device('cable-input').recorded();
      const first = data.findIndex((sample) => sample !== 0);
      expect(first % format.channels).toBe(0);
      expect(data.subarray(first, first + count)).toEqual(written);
      expect(data.subarray(first + count).every((sample) => sample === 0)).toBe(true);
    },
  );
});

describe('setFormat()', () => {
  it('changes the format of later writes, and loses nothing of the queue', async () => {
    const backend = world();
    const formats: AudioFormat[] = [
      { sampleRate: 44100, channels: 2, sampleFormat: 's16' },
      { sampleRate: 48000, channels: 1, sampleFormat: 'f32' },
      { sampleRate: 96000, channels: 2, sampleFormat: 's24' },
      { sampleRate: 16000, channels: 1, sampleFormat: 's32' },
    ];
    const sink = await opened(backend, { format: formats[0], bufferMs: 1000 });
    // All at once: more than is taken ahead, so that much of it waits in Node when the format changes.
    for (const [index, format] of formats.entries()) {
      if (index > 0) await sink.setFormat(format);
      sink.write(sine(format, { from: index }));
    }
    let idle = 0;
    sink.on('idle', () => idle++);
    await backend.advance(6000);
    const heard = carried(backend);
    // To the frame, but for a first sample of 0.
    expect(Math.abs(heard.length - 4 * 48000)).toBeLessThan(4);
    const { frequency, peakDb } = measureTone(heard, 48000, 997);
    expect(frequency).toBeCloseTo(997, 1);
    expect(peakDb).toBeCloseTo(-12.04, 1);
    const gaps = findGaps(heard, { sampleRate: 48000, frequency: 997, tolerance: 0.002 });
    expect(gaps.filter(({ kind }) => kind !== 'glitch')).toEqual([]);
    expect(idle).toBe(1);
    expect(sink.stats()).toMatchObject({ underruns: 0, queuedFrames: 0 });
    expect(sink.stats().writtenFrames).toBe(44100 + 48000 + 96000 + 16000);
    expect(sink.format).toEqual(formats[3]);
    await sink.setFormat(stereo);
    sink.destroy();
  });

  it('after a part of a frame is an error', async () => {
    const backend = world();
    const sink = await opened(backend, { format: stereo });
    sink.write(Buffer.alloc(9));
    await backend.advance(50);
    await sink.setFormat({ ...stereo, channels: 1 });
    const failed = new Promise<{ code: string }>((resolve) => sink.once('error', resolve as never));
    sink.write(Buffer.alloc(8));
    await backend.advance(50);
    expect((await failed).code).toBe('ERR_AUDIO_PARTIAL_FRAME');
    await expect(sink.setFormat(stereo)).rejects.toBeInstanceOf(Error);
  });
});

describe('clear()', () => {
  it('fades the sound out, discards the queue, and continues with the next write', async () => {
    const backend = world();
    const sink = await opened(backend, { format: stereo, bufferMs: 4000 });
    sink.write(sine(stereo, { seconds: 3 }));
    await backend.advance(1000);
    const played = sink.played();
    sink.clear({ rampMs: 10 });
    await backend.advance(300);
    await played;
    sink.write(sine(stereo, { seconds: 0.5, frequency: 440 }));
    await backend.advance(1000);
    const heard = carried(backend);
    const silence = findSilence(heard);
    expect(silence.from).toBeLessThan(1.1 * 48000);
    const before = heard.subarray(0, silence.from);
    const after = heard.subarray(silence.to);
    expect(measureTone(before.subarray(0, -480), 48000, 997).snrDb).toBeGreaterThan(90);
    expect(Math.max(...before.subarray(-100).map(Math.abs))).toBeLessThan(0.06);
    expect(measureTone(after.subarray(480), 48000, 440).frequency).toBeCloseTo(440, 0);
    expect(after.length).toBeGreaterThan(0.49 * 48000);
    // Nowhere a step that a sine of this level does not make.
    for (let i = 1; i < heard.length; i++) {
      expect(Math.abs(heard[i] - heard[i - 1])).toBeLessThan(0.04);
    }
    expect(sink.stats().underruns).toBe(0);
    sink.destroy();
  });

  it("also discards bytes in Node's buffer, and works before anything is played", async () => {
    const backend = world();
    const sink = await opened(backend, { format: stereo, bufferMs: 100 });
    for (let i = 0; i < 20; i++) sink.write(sine(stereo, { seconds: 0.1 }));
    sink.clear();
    const played = sink.played();
    await backend.advance(300);
    await played;
    expect(
      backend
        .device('cable-input')
        .recorded()
        .data.every((sample) => sample === 0),
    ).toBe(true);
    sink.write(sine(stereo, { seconds: 0.1 }));
    await backend.advance(500);
    expect(Math.abs(carried(backend).length - 4800)).toBeLessThan(10);
    sink.destroy();
  });
});

describe('utterances', () => {
  it('are played to their ends, with silence between them, and each end is reported', async () => {
    const backend = world();
    const format = { sampleRate: 16000, channels: 1, sampleFormat: 's16' } as const;
    const sink = await opened(backend, { format });
    let idle = 0;
    sink.on('idle', () => idle++);
    for (let utterance = 1; utterance <= 3; utterance++) {
      backend.device('cable-input').record();
      await backend.advance(20);
      sink.write(sine(format, { seconds: 0.1, from: 0.0001 }));
      const played = sink.played();
      await backend.advance(300);
      await played;
      expect(idle).toBe(utterance);
      const heard = carried(backend);
      // Where a filter begins and ends is a matter of a few samples.
      expect(Math.abs(heard.length - 4800)).toBeLessThan(100);
      expect(measureTone(heard.subarray(300, -300), 48000, 997).snrDb).toBeGreaterThan(60);
    }
    expect(sink.stats().underruns).toBe(0);
    sink.destroy();
  });
});

describe('played()', () => {
  const ms = 1e6;

  /** When the cable carried the last sound before each silence, in ms of its recording. */
  function endsOfSound(backend: SimulatedAudio): number[] {
    const { data } = backend.device('cable-input').recorded();
    const ends: number[] = [];
    let last = -1;
    for (let i = 0; i < data.length; i += 2) {
      if (Math.abs(data[i]) < 0.01) continue; // silence, or what a filter rings after the end
      if (last >= 0 && i / 2 - last > 200) ends.push(last);
      last = i / 2;
    }
    return [...ends, last].map((frame) => (frame + 1) / 48);
  }

  /** Notes when the promise resolves, in ms after `from`. */
  function noteWhen(backend: SimulatedAudio, from: bigint, promise: Promise<void>): number[] {
    const at: number[] = [];
    void promise.then(() => at.push(Number(backend.now() - from) / ms));
    return at;
  }

  it.each([
    ['as it is', {}],
    ['resampled', { format: { sampleRate: 16000, channels: 1, sampleFormat: 's16' } as const }],
    ['limited', { limiter: true }],
  ])('resolves when what was written before it was heard, not before: %s', async (_, options) => {
    const backend = world();
    const { format = stereo } = options as VirtualMicOptions;
    const sink = new VirtualMicSink({
      backend,
      device: 'cable-input',
      format,
      bufferMs: 4000,
      ...options,
    });
    await backend.advance(100);
    expect(sink.stats().frames).toBeGreaterThan(0);
    backend.device('cable-input').record();
    const from = backend.now();
    sink.write(sine(format, { seconds: 0.3, from: 0.0001 }));
    const first = noteWhen(backend, from, sink.played());
    sink.write(Buffer.alloc(sine(format, { seconds: 0.1 }).length));
    sink.write(sine(format, { seconds: 0.2, from: 0.0001 }));
    const second = noteWhen(backend, from, sink.played());
    sink.write(Buffer.alloc(sine(format, { seconds: 0.5 }).length));
    await backend.advance(1500);
    const ends = endsOfSound(backend);
    expect(ends).toHaveLength(2);
    for (const [at, end] of [
      [first, ends[0]],
      [second, ends[1]],
    ] as const) {
      expect(at).toHaveLength(1);
      expect(Math.abs(at[0] - end)).toBeLessThan(1);
    }
    sink.destroy();
  });

  it('resolves for bytes that were written before the sink was ready, and for bytes that clear() discards', async () => {
    const backend = world();
    const sink = new VirtualMicSink({ backend, device: 'cable-input', format: stereo });
    const from = backend.now();
    sink.write(sine(stereo, { seconds: 0.2 }));
    const before = noteWhen(backend, from, sink.played());
    await backend.advance(190);
    expect(before).toEqual([]);
    await backend.advance(200);
    expect(before).toHaveLength(1);
    for (let i = 0; i < 5; i++) sink.write(sine(stereo, { seconds: 0.2 }));
    const cleared = noteWhen(backend, from, sink.played());
    await backend.advance(50);
    const clearedAt = Number(backend.now() - from) / ms;
    sink.clear({ rampMs: 20 });
    for (let i = 0; i < 5; i++) sink.write(sine(stereo, { seconds: 0.1 }));
    await backend.advance(100);
    // The device has taken 10 to 20 ms, then comes the ramp.
    expect(cleared[0] - clearedAt).toBeGreaterThanOrEqual(20);
    expect(cleared[0] - clearedAt).toBeLessThanOrEqual(40);
    sink.destroy();
    expect(await sink.played()).toBe(undefined);
  });

  it.each([0, 3])('resolves when nothing but %d bytes were written', async (bytes) => {
    const backend = world();
    const sink = await opened(backend, { format: stereo });
    const errors: Error[] = [];
    sink.on('error', (error) => errors.push(error));
    sink.write(Buffer.alloc(bytes));
    const played = noteWhen(backend, backend.now(), sink.played());
    await backend.advance(100);
    expect(played).toHaveLength(1);
    const closed = new Promise((resolve) => sink.on('close', resolve));
    sink.end();
    await closed;
    expect(sink.writableFinished).toBe(bytes === 0);
    const partial = { code: 'ERR_AUDIO_PARTIAL_FRAME' };
    expect(errors).toMatchObject(bytes === 0 ? [] : [partial]);
    sink.destroy();
  });

  it('rejects when the sink is destroyed, and raises no unhandled rejection', async () => {
    const backend = world();
    const sink = await opened(backend, { format: stereo });
    sink.write(sine(stereo, { seconds: 0.2 }));
    const played = sink.played();
    void sink.played();
    sink.destroy();
    await expect(played).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });
});

describe('a live producer', () => {
  it('that runs at another pace is followed', { timeout: 60_000 }, async () => {
    const backend = world();
    const sink = await opened(backend, { format: stereo, live: true });
    // Each 10 ms of its clock take 10.002 of ours: -200 ppm.
    const levels: (number | undefined)[] = [];
    for (let chunk = 0; chunk < 3000; chunk++) {
      sink.write(sine(stereo, { seconds: 0.01, from: chunk / 100 }));
      await backend.advance(10.002);
      if (chunk > 500 && chunk % 100 === 0) levels.push(sink.stats().latencyMs);
    }
    const numbers = levels.map(Number);
    expect(Math.max(...numbers) - Math.min(...numbers)).toBeLessThan(2);
    expect(sink.stats()).toMatchObject({ underruns: 0, overrunFrames: 0, starvations: 0 });
    expect(Math.abs((sink.stats().linkDriftPpm ?? 0) + 200)).toBeLessThan(20);
    const heard = carried(backend).subarray(10 * 48000);
    expect(findGaps(heard, { sampleRate: 48000, frequency: 997, tolerance: 1e-3 })).toEqual([]);
    sink.destroy();
  });

  it('that writes more than there is room for loses it, and gets an event', async () => {
    const backend = world();
    const sink = await opened(backend, { format: stereo, live: true, bufferMs: 100 });
    let lost = 0;
    sink.on('overrun', ({ frames }) => (lost += frames));
    sink.write(sine(stereo, { seconds: 2 }));
    await backend.advance(100);
    expect(lost).toBeGreaterThan(48000);
    expect(sink.stats().overrunFrames).toBe(lost);
    sink.destroy();
  });
});

describe('loudness', () => {
  it('does not clip with a limiter, and audio below the ceiling does not change', async () => {
    const backend = world();
    const sink = await opened(backend, { format: stereo, limiter: true, bufferMs: 2000 });
    sink.write(sine(stereo, { seconds: 0.5 }));
    sink.end(sine(stereo, { seconds: 0.5, gain: 3 }));
    await backend.advance(2000);
    const heard = carried(backend);
    expect(Math.max(...heard.map(Math.abs))).toBeLessThanOrEqual(0.98856);
    const quiet = heard.subarray(0, 0.49 * 48000);
    expect(measureTone(quiet, 48000, 997).peakDb).toBeCloseTo(-12.04, 2);
    // Also the last frames, which the limiter still held when all had been written.
    expect(heard.length).toBeGreaterThan(48000 - 10);
  });

  it('of a faint voice is raised by normalize', async () => {
    const backend = world();
    const sink = await opened(backend, { format: stereo, normalize: true, bufferMs: 12_000 });
    sink.end(sine(stereo, { seconds: 10, gain: 0.02 }));
    await backend.advance(12_000);
    const late = carried(backend).subarray(6 * 48000, 9 * 48000);
    expect(measureTone(late, 48000, 997).peakDb).toBeGreaterThan(-34 + 12);
  });
});

describe('a linked source', () => {
  it.each([
    [200, 60],
    [-200, 10],
  ])(
    '%s ppm off is held within 2 ms for %s minutes',
    { timeout: 120_000 },
    async (ppm, minutes) => {
      const backend = world();
      backend.device('mic').drift(ppm).play(tone(997));
      const sink = await opened(backend);
      const mic = new MicSource({ backend, device: 'mic' });
      mic.pipe(sink);
      await backend.advance(10_000);
      const latencies: number[] = [];
      for (let minute = 0; minute < minutes; minute++) {
        await backend.advance(60_000);
        latencies.push(sink.stats().latencyMs as number);
      }
      expect(Math.max(...latencies) - Math.min(...latencies)).toBeLessThan(2);
      expect(sink.stats()).toMatchObject({
        underruns: 0,
        starvations: 0,
        resyncs: 0,
        lostFrames: 0,
      });
      expect(Math.abs((sink.stats().linkDriftPpm ?? 0) - ppm)).toBeLessThan(1);
      await Promise.all([mic.close(), sink.close(), backend.advance(1000)]);
    },
  );
});

describe('switching between two devices', () => {
  it('500 times, each is heard within 200 ms', { timeout: 120_000 }, async () => {
    const backend = world();
    backend.device('mic').play(tone(997));
    const sink = await opened(backend);
    const mic = new MicSource({ backend, device: 'mic' });
    mic.pipe(sink);
    await backend.advance(1000);
    for (let i = 0; i < 500; i++) {
      const id = i % 2 === 0 ? 'second-input' : 'cable-input';
      backend.device(id).record({ maxMs: 200 });
      const changed = sink.setDevice(id);
      await backend.advance(200);
      await changed;
      const { data } = backend.device(id).recorded();
      expect(Math.max(...data.map(Math.abs))).toBeGreaterThan(0.2);
    }
    expect(sink.stats().underruns).toBe(0);
    await Promise.all([mic.close(), sink.close(), backend.advance(1000)]);
  });
});

/** The longest run of zeros. */
function findSilence(samples: Float32Array): { from: number; to: number } {
  let best = { from: 0, to: 0 };
  let from = -1;
  samples.forEach((sample, index) => {
    if (sample !== 0) from = -1;
    else if (from < 0) from = index;
    if (from >= 0 && index + 1 - from > best.to - best.from) best = { from, to: index + 1 };
  });
  return best;
}
