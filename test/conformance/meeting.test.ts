// captureMeeting(): two sides on one timeline, on the simulated system with a manual clock.
import { describe, expect, it } from 'vitest';

import { captureMeeting, toFloat32, VirtualMicSink, type AudioChunk } from 'patchcord';
import { noise, tone } from 'patchcord/testing';

import { difference, floats, hear, manualWorld, rms, sameSound, toneDb } from './meeting-world.js';

describe('the tracks of a meeting', () => {
  it('have 16 kHz mono s16, and chunks of exactly one size', async () => {
    const heard = hear(sameSound(), { chunkMs: 100 });
    const { meeting } = heard;
    const sizes = new Set<number>();
    meeting.mix.on('data', (chunk) => sizes.add(chunk.length));
    await meeting.ready;
    await heard.pass(2000);
    expect(meeting.format).toEqual({ sampleRate: 16_000, channels: 1, sampleFormat: 's16' });
    expect([...sizes]).toEqual([3200]);
    expect(meeting.mix.live).toBe(true);
    await heard.close();
  });

  it('have any format that is asked for', async () => {
    const format = { sampleRate: 44_100, channels: 2, sampleFormat: 'f32' } as const;
    const heard = hear(sameSound(), { format, chunkFrames: 441 });
    await heard.pass(1000);
    await heard.close();
    const lengths = Object.values(heard.lengths());
    expect(new Set(lengths).size).toBe(1);
    expect(lengths[0]).toBe(44_100);
    expect(heard.meeting.mic?.format).toMatchObject(format);
  });

  it('are equally long at any moment', async () => {
    const heard = hear(sameSound());
    const { meeting } = heard;
    let looks = 0;
    for (const track of Object.values(meeting.tracks)) {
      track.on('data', () => {
        looks++;
        const frames = Object.values(meeting.tracks).map((one) => one.stats().frames);
        expect(new Set([...frames, meeting.position]).size).toBe(1);
      });
    }
    for (let step = 0; step < 40; step++) {
      await heard.audio.advance(37);
      expect(new Set(Object.values(heard.lengths())).size).toBe(1);
    }
    expect(looks).toBeGreaterThan(100);
    await heard.close();
    expect(new Set(Object.values(heard.lengths())).size).toBe(1);
  });

  it('have at frame k what was heard at one instant', async () => {
    const heard = hear(sameSound(), { format: floats });
    await heard.pass(3000);
    await heard.close();
    const [mic, system] = [heard.track('mic'), heard.track('system')];
    expect(rms(mic.subarray(16_000))).toBeGreaterThan(0.05);
    // Behind the first second, in which the clocks are learnt.
    expect(difference(mic.subarray(16_000), system.subarray(16_000))).toBeLessThan(0.001);
    const { meeting, audio } = heard;
    expect(meeting.mic?.timeAt(16_000)).toBe(audio.startTime + 1_000_000_000n);
    expect(meeting.system?.frameAt(audio.startTime + 2_000_000_000n)).toBe(32_000);
  });

  it(
    'stay in step for two hours of clocks that run apart by 300 ppm',
    { timeout: 120_000 },
    async () => {
      const audio = manualWorld();
      audio.device('mic').drift(150);
      audio.device('speakers').drift(-150);
      const heard = hear(audio, { format: { sampleRate: 8000 } });
      const { meeting } = heard;
      meeting.mic?.removeAllListeners('data').resume();
      meeting.system?.removeAllListeners('data').resume();
      meeting.mix.removeAllListeners('data').resume();
      for (let second = 0; second < 7200; second += 10) await audio.advance(10_000);
      const at = BigInt(7198) * 1_000_000_000n;
      expect(meeting.mix.timeAt(7198 * 8000)).toBe(audio.startTime + at);
      expect(meeting.position / 8000).toBeGreaterThan(7199);
      // The same second, by the devices' times.
      const frames = Object.values(meeting.tracks).map((track) => track.frameAt(audio.now()));
      expect(new Set(frames).size).toBe(1);
      audio.device('mic').play(noise({ seed: 5, gain: 0.5 }));
      audio.device('speakers').play(noise({ seed: 5, gain: 0.5 }));
      const peaks: Record<string, number> = {};
      for (const side of ['mic', 'system'] as const) {
        let frame = 0;
        meeting[side]?.on('data', (chunk) => {
          const samples = toFloat32(chunk, meeting.mix.format);
          const first = samples.findIndex((sample) => Math.abs(sample) > 0.01);
          if (first >= 0) peaks[side] ??= frame + first;
          frame += samples.length;
        });
      }
      await audio.advance(500);
      // One period of each device, which began at different instants.
      expect(Math.abs(peaks.mic - peaks.system)).toBeLessThanOrEqual(0.012 * 8000);
      await heard.close();
    },
  );

  it('begin at startTime, with silence until the devices are open', async () => {
    const audio = sameSound();
    const heard = hear(audio, { startTime: audio.startTime - 500_000_000n, format: floats });
    await heard.pass(500);
    await heard.close();
    expect(heard.lengths()).toEqual({ mic: 16_000, system: 16_000, mix: 16_000 });
    expect(rms(heard.track('mix').subarray(0, 7900))).toBe(0);
    expect(rms(heard.track('mix').subarray(9000))).toBeGreaterThan(0.05);
  });

  it('are delivered to each reader separately: a slow one loses only its own, and gets an event', async () => {
    const heard = hear(sameSound(), { bufferMs: 200, format: floats });
    const { meeting } = heard;
    const slow = meeting.mix.chunks();
    const first = slow.next();
    await heard.pass(100);
    await first;
    await heard.pass(1000);
    const chunks: AudioChunk[] = [];
    for (let k = 0; k < 90; k++) chunks.push((await slow.next()).value as AudioChunk);
    const lost = chunks.filter(({ flags }) => flags & 4);
    expect(lost.length).toBeGreaterThanOrEqual(68);
    expect(chunks.slice(0, 19).every(({ flags }) => (flags & 4) === 0)).toBe(true);
    expect(chunks.map(({ frame }) => frame)).toEqual(chunks.map((_, k) => 160 * (k + 1)));
    // The track reports a loss when its reader has read all of it.
    await heard.pass(200);
    for (let k = 0; k < 25; k++) await slow.next();
    const lostFrames = meeting.mix.stats().readerLostFrames;
    expect(lostFrames).toBeGreaterThan(160 * 68);
    expect(heard.gaps.mix).toEqual([
      { frame: expect.any(Number), frames: lostFrames, filled: true, reason: 'overrun' },
    ]);
    expect(heard.gaps.mic).toEqual([]);
    await slow.return?.();
    await heard.close();
  });

  it('can be read late, and closed alone', async () => {
    const heard = hear(sameSound());
    const { meeting } = heard;
    await heard.pass(1000);
    const late = meeting.mic!.chunks();
    const next = late.next();
    await heard.pass(100);
    const { frame, time } = (await next).value as AudioChunk;
    expect(frame).toBeGreaterThan(15_000);
    expect(time).toBe(meeting.mic!.timeAt(frame));
    await meeting.mic!.close();
    const before = heard.lengths().system!;
    await heard.pass(500);
    expect(heard.lengths().system).toBe(before + 8000);
    await heard.close();
  });

  it('have levels', async () => {
    const audio = manualWorld();
    audio.device('mic').play(tone(1000));
    const heard = hear(audio);
    await heard.pass(1000);
    const { mic, system, mix } = heard.meeting;
    expect(mic?.level().peakDb).toBeCloseTo(-12.04, 1);
    expect(mix.level().rmsDb).toBeCloseTo(-15.05, 1);
    expect(system?.level()).toEqual({ peakDb: -Infinity, rmsDb: -Infinity });
    await heard.close();
  });
});

describe('the mix', () => {
  it('is the sum of both sides with their gains, sample by sample', async () => {
    const audio = manualWorld();
    audio.device('mic').play(noise({ seed: 1, gain: 0.2 }));
    audio.device('speakers').play(noise({ seed: 2, gain: 0.2 }));
    const heard = hear(audio, { format: floats, gains: { mic: 0.5 } });
    await heard.pass(1000);
    expect(heard.meeting.gains).toEqual({ mic: 0.5, system: 1 });
    heard.meeting.setGains({ system: 2 }, { rampMs: 0 });
    const from = heard.meeting.mix.frameAt(audio.now());
    await heard.pass(1000);
    await heard.close();
    const [mic, system, mix] = (['mic', 'system', 'mix'] as const).map(heard.track);
    const sum = mic.map((sample, k) => 0.5 * sample + (k < from ? 1 : 2) * system[k]);
    expect(difference(mix, sum)).toBeLessThan(1e-6);
    expect(heard.meeting.stats().limiterGain).toBe(1);
  });

  it('is limited, not clipped', async () => {
    const audio = manualWorld();
    audio.device('mic').play(tone(1000, { gain: 0.8 }));
    audio.device('speakers').play(tone(1000, { gain: 0.8 }));
    const heard = hear(audio, { format: floats });
    await heard.pass(2000);
    await heard.close();
    const mix = heard.track('mix').subarray(16_000);
    expect(Math.max(...mix)).toBeLessThanOrEqual(10 ** (-0.1 / 20) + 1e-6);
    expect(heard.meeting.stats().limiterGain).toBeLessThan(0.7);
    expect(toneDb(mix, 16_000, 1000) - toneDb(mix, 16_000, 3000)).toBeGreaterThan(50);
  });

  it('has each side in its own channel with tracks: stereo', async () => {
    const heard = hear(sameSound(), {
      tracks: 'stereo',
      gains: { system: 0.5 },
      format: { sampleFormat: 'f32' },
    });
    await heard.pass(1000);
    await heard.close();
    const { meeting } = heard;
    expect(meeting.format).toEqual({ sampleRate: 16_000, channels: 2, sampleFormat: 'f32' });
    expect(meeting.mic?.format.channels).toBe(1);
    const mix = heard.track('mix');
    const left = mix.filter((_, k) => k % 2 === 0);
    const right = mix.filter((_, k) => k % 2 === 1);
    expect(difference(left, heard.track('mic'))).toBeLessThan(1e-6);
    expect(
      difference(
        right,
        heard.track('system').map((sample) => sample / 2),
      ),
    ).toBeLessThan(1e-6);
    expect(rms(left)).toBeGreaterThan(0.05);
  });
});

describe('setMode()', () => {
  it('silences a side from that frame on, without a gap, and lets it be heard again', async () => {
    const audio = manualWorld();
    audio.device('mic').play(tone(500));
    audio.device('speakers').play(tone(2000));
    const heard = hear(audio, { format: floats, mode: 'mic' });
    const { meeting } = heard;
    const seconds = [];
    for (const mode of ['system', 'both', 'mic', 'both'] as const) {
      await heard.pass(1000);
      meeting.setMode(mode);
      seconds.push(mode);
    }
    await heard.pass(1000);
    await heard.close();
    expect(meeting.mode).toBe('both');
    const within = (name: 'mic' | 'system' | 'mix', second: number): Float32Array =>
      heard.track(name).subarray(second * 16_000 + 800, second * 16_000 + 15_200);
    const isHeard = ['mic', 'system', 'both', 'mic', 'both'];
    for (const [second, mode] of isHeard.entries()) {
      const [mic, system, mix] = (['mic', 'system', 'mix'] as const).map((name) =>
        within(name, second),
      );
      expect(rms(mic) > 0.1).toBe(mode !== 'system');
      expect(rms(system) > 0.1).toBe(mode !== 'mic');
      if (mode === 'system') expect(rms(mic)).toBe(0);
      expect(toneDb(mix, 16_000, 500) > -30).toBe(mode !== 'system');
      expect(toneDb(mix, 16_000, 2000) > -30).toBe(mode !== 'mic');
    }
    expect(heard.lengths()).toEqual({ mic: 80_000, system: 80_000, mix: 80_000 });
    expect(heard.gaps).toEqual({ mic: [], system: [], mix: [] });
  });
});

describe('echo: true', () => {
  it('takes what the system plays out of the microphone, frame by frame', async () => {
    const audio = manualWorld();
    audio.device('mic').play(noise({ seed: 3, gain: 0.1 }));
    audio.device('speakers').play(noise({ seed: 3 }));
    const heard = hear(audio, { echo: true, format: floats });
    await heard.pass(6000);
    await heard.close();
    expect(heard.lengths()).toEqual({ mic: 96_000, system: 96_000, mix: 96_000 });
    const mic = heard.track('mic').subarray(80_000);
    expect(20 * Math.log10(rms(mic) / (0.1 / Math.sqrt(3)))).toBeLessThan(-25);
    expect(heard.meeting.stats().echo?.converged).toBe(true);
  });

  it('leaves the microphone in its place', async () => {
    const audio = manualWorld();
    audio.device('mic').play(noise({ seed: 3 }));
    const heard = hear(audio, { echo: { suppression: 'off' }, format: floats });
    await heard.pass(3000);
    await heard.close();
    const other = hear(
      (() => {
        const alone = manualWorld();
        alone.device('mic').play(noise({ seed: 3 }));
        return alone;
      })(),
      { format: floats },
    );
    await other.pass(3000);
    await other.close();
    const [mic, plain] = [heard.track('mic'), other.track('mic')];
    expect(difference(mic.subarray(16_000), plain.subarray(16_000))).toBeLessThan(0.001);
  });
});

describe('liveMix', () => {
  it('is heard through a virtual microphone, follows the mode, and is not paused', async () => {
    const audio = manualWorld();
    audio.device('mic').play(tone(500));
    audio.device('speakers').play(tone(2000));
    const heard = hear(audio, { format: { sampleRate: 48_000 } });
    const sink = new VirtualMicSink({ backend: audio, device: 'cable-input' });
    heard.meeting.liveMix.pipe(sink);
    const cable = audio.device('cable-input').record();
    await sink.ready;
    heard.meeting.pause();
    await heard.pass(1000);
    heard.meeting.setMode('system');
    await heard.pass(1000);
    const left = cable.recorded().data.filter((_, k) => k % 2 === 0);
    const [before, after] = [left.subarray(24_000, 43_200), left.subarray(62_400, 91_200)];
    expect(toneDb(before, 48_000, 500)).toBeGreaterThan(-20);
    expect(toneDb(before, 48_000, 2000)).toBeGreaterThan(-20);
    expect(toneDb(after, 48_000, 500)).toBeLessThan(-60);
    expect(toneDb(after, 48_000, 2000)).toBeGreaterThan(-20);
    await heard.close();
    await heard.pass(1000);
    expect(sink.destroyed).toBe(true);
    expect(() => heard.meeting.liveMix).not.toThrow();
  });
});

describe('what captureMeeting() is given', () => {
  it.each<[object, string]>([
    [{ mix: true }, 'ERR_INVALID_ARG_VALUE'],
    [{ mic: 'default' }, 'ERR_INVALID_ARG_TYPE'],
    [{ mic: { sampleRate: 8000 } }, 'ERR_INVALID_ARG_VALUE'],
    [{ mic: { chunkMs: 10 } }, 'ERR_INVALID_ARG_VALUE'],
    [{ mic: { divice: 'a' } }, 'ERR_INVALID_ARG_VALUE'],
    [{ system: 'everything' }, 'ERR_INVALID_ARG_TYPE'],
    [{ system: { process: [], mode: 'exclude' } }, 'ERR_INVALID_ARG_VALUE'],
    [{ mic: false, system: false }, 'ERR_INVALID_ARG_VALUE'],
    [{ mic: false, mode: 'mic' }, 'ERR_INVALID_ARG_VALUE'],
    [{ mode: 'none' }, 'ERR_INVALID_ARG_VALUE'],
    [{ gains: { mic: 17 } }, 'ERR_OUT_OF_RANGE'],
    [{ gains: { microphone: 1 } }, 'ERR_INVALID_ARG_VALUE'],
    [{ format: 's16' }, 'ERR_INVALID_ARG_TYPE'],
    [{ format: { sampleRate: 1 } }, 'ERR_OUT_OF_RANGE'],
    [{ tracks: 'stereo', format: { channels: 1 } }, 'ERR_INVALID_ARG_VALUE'],
    [{ tracks: 'apart' }, 'ERR_INVALID_ARG_VALUE'],
    [{ echo: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ echo: { reference: 1 } }, 'ERR_INVALID_ARG_VALUE'],
    [{ echo: { tailMs: 1 } }, 'ERR_OUT_OF_RANGE'],
    [{ echo: true, system: false }, 'ERR_INVALID_ARG_VALUE'],
    [{ startTime: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ bufferMs: 1 }, 'ERR_OUT_OF_RANGE'],
    [{ chunkMs: 10, chunkFrames: 10 }, 'ERR_INVALID_ARG_VALUE'],
    [{ signal: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ])('%j throws %s, and leaves nothing open', async (options, code) => {
    const backend = manualWorld();
    expect(() => captureMeeting({ backend, ...options })).toThrow(
      expect.objectContaining({ code }),
    );
    // A source that was left open would fail with the end of its world.
    await new Promise((resolve) => setImmediate(resolve));
    await backend[Symbol.asyncDispose]();
  });
});
