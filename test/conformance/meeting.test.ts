// captureMeeting(): two sides on one timeline, on the simulated system with a manual clock.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it, onTestFinished } from 'vitest';

import {
  captureMeeting,
  toFloat32,
  VirtualMicSink,
  type AudioChunk,
  type MeetingOptions,
} from 'patchcord';
import { noise, tone, type SimulatedAudio } from 'patchcord/testing';

import { difference, hear, manualWorld, rms, toneDb, type Heard } from './meeting-world.js';

const floats = { sampleRate: 16_000, channels: 1, sampleFormat: 'f32' } as const;

/** Both devices record the same sound at the same time. */
function sameSound(): SimulatedAudio {
  const audio = manualWorld();
  audio.device('mic').play(noise({ seed: 3 }));
  audio.device('speakers').play(noise({ seed: 3 }));
  return audio;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'patchcord-meeting-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The samples of a WAV file of 16-bit mono. */
function wavSamples(path: string): Float32Array {
  const wav = readFileSync(path);
  return toFloat32(wav.subarray(wav.indexOf('data') + 8), { sampleFormat: 's16' });
}

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

describe('pause() and resume()', () => {
  it('take the same frames out of all tracks, and keep the times of the others', async () => {
    const heard = hear(sameSound(), { format: floats });
    const { meeting, audio } = heard;
    await heard.pass(2000);
    meeting.pause();
    expect(meeting.paused).toBe(true);
    const pausedAt = audio.now();
    await heard.pass(1234);
    meeting.resume();
    expect(meeting.paused).toBe(false);
    const resumedAt = audio.now();
    await heard.pass(2000);
    await heard.close();
    const left = Math.round(1.234 * 16_000);
    expect(heard.lengths()).toEqual({ mic: 64_000, system: 64_000, mix: 64_000 });
    const gap = { frame: 32_000, frames: left, filled: false, reason: 'pause' };
    expect(heard.gaps).toEqual({ mic: [gap], system: [gap], mix: [gap] });
    const [mic, system] = [heard.track('mic'), heard.track('system')];
    expect(difference(mic.subarray(16_000), system.subarray(16_000))).toBeLessThan(0.001);
    for (const track of Object.values(meeting.tracks)) {
      expect(track.timeAt(31_999)).toBe(pausedAt - 62_500n);
      expect(track.timeAt(32_000)).toBe(resumedAt);
      expect(track.frameAt(pausedAt + 500_000_000n)).toBe(32_000);
      expect(track.frameAt(resumedAt + 1_000_000_000n)).toBe(48_000);
    }
    // The rest was recorded at those times: a meeting that was not paused has the same sound there.
    const other = hear(sameSound(), { format: floats });
    await other.pass(5234);
    await other.close();
    const whole = other.track('mic');
    const fade = 48;
    expect(
      difference(mic.subarray(16_000, 32_000 - fade), whole.subarray(16_000, 32_000 - fade)),
    ).toBeLessThan(0.001);
    expect(
      difference(mic.subarray(32_000 + fade), whole.subarray(32_000 + left + fade)),
    ).toBeLessThan(0.001);
  });

  it('do not click', async () => {
    const audio = manualWorld();
    audio.device('mic').play(tone(500));
    const heard = hear(audio, { format: floats });
    await heard.pass(1000);
    heard.meeting.pause();
    await heard.pass(333);
    heard.meeting.resume();
    await heard.pass(500);
    await heard.close();
    const mic = heard.track('mic').subarray(8000);
    const steps = mic.subarray(1).map((sample, k) => Math.abs(sample - mic[k]));
    // A sine of this frequency and gain has steps of 0.049; the fades add their own.
    expect(Math.max(...steps)).toBeLessThan(0.06);
  });

  it('do nothing when they are called twice, or without the other', async () => {
    const heard = hear(sameSound());
    const { meeting } = heard;
    meeting.resume();
    await heard.pass(1000);
    meeting.pause();
    await heard.pass(100);
    meeting.pause();
    await heard.pass(100);
    meeting.resume();
    meeting.resume();
    await heard.pass(1000);
    await heard.close();
    expect(heard.gaps.mic).toHaveLength(1);
    expect(heard.lengths()).toEqual({ mic: 32_000, system: 32_000, mix: 32_000 });
  });

  it('of the same instant take nothing out', async () => {
    const heard = hear(sameSound());
    await heard.pass(1000);
    heard.meeting.pause();
    heard.meeting.resume();
    await heard.pass(1000);
    await heard.close();
    expect(heard.gaps.mix).toEqual([]);
    expect(heard.lengths().mix).toBe(32_000);
  });

  it('a meeting that is closed while it is paused ends where the pause began', async () => {
    const heard = hear(sameSound());
    await heard.pass(1000);
    heard.meeting.pause();
    await heard.pass(1000);
    await heard.close();
    expect(heard.lengths()).toEqual({ mic: 16_000, system: 16_000, mix: 16_000 });
  });

  it('are not those of the streams, which hold data back', async () => {
    const heard = hear(sameSound());
    const { mix } = heard.meeting;
    await heard.pass(500);
    mix.pause();
    await heard.pass(300);
    mix.resume();
    await heard.pass(500);
    await heard.close();
    expect(heard.lengths()).toEqual({ mic: 20_800, system: 20_800, mix: 20_800 });
    expect(heard.gaps.mix).toEqual([]);
  });
});

describe('the end of a meeting', () => {
  it('is at one frame of all tracks, and releases the devices', async () => {
    const heard = hear(sameSound());
    const { meeting } = heard;
    const ended: string[] = [];
    for (const [name, track] of Object.entries(meeting.tracks)) {
      track.on('end', () => ended.push(name));
    }
    meeting.on('close', () => ended.push('meeting'));
    await heard.pass(1000);
    await heard.close();
    expect(heard.lengths()).toEqual({ mic: 16_000, system: 16_000, mix: 16_000 });
    expect(ended.sort()).toEqual(['meeting', 'mic', 'mix', 'system']);
    await meeting.close();
    meeting.pause();
    meeting.destroy();
  });

  it('can be at an instant to come', async () => {
    const heard = hear(sameSound());
    // Before the devices are open.
    heard.meeting.stopAt(heard.audio.startTime + 1_500_000_000n);
    await heard.pass(3000);
    await heard.meeting.close();
    expect(heard.lengths()).toEqual({ mic: 24_000, system: 24_000, mix: 24_000 });
    expect(rms(heard.track('mix').subarray(1000))).toBeGreaterThan(0.05);
  });

  it('that was to come is brought forward by close()', async () => {
    const heard = hear(sameSound());
    heard.meeting.stopAt(heard.audio.startTime + 3_600_000_000_000n);
    await heard.pass(1000);
    await heard.close();
    expect(heard.lengths()).toEqual({ mic: 16_000, system: 16_000, mix: 16_000 });
  });

  it('comes with await using', async () => {
    const audio = sameSound();
    let disposing: Promise<void>;
    {
      const meeting = captureMeeting({ backend: audio });
      await meeting.ready;
      disposing = meeting[Symbol.asyncDispose]();
    }
    await audio.advance(1000);
    await disposing;
  });

  it('comes before the devices are open, too', async () => {
    const meeting = captureMeeting({ backend: sameSound() });
    const ready = expect(meeting.ready).rejects.toMatchObject({
      code: 'ERR_STREAM_PREMATURE_CLOSE',
    });
    await meeting.close();
    await ready;
    expect(meeting.position).toBe(0);
  });

  it('by a signal is an AbortError', async () => {
    const controller = new AbortController();
    const heard = hear(sameSound(), { signal: controller.signal });
    await heard.pass(500);
    const failed = new Promise((resolve) => heard.meeting.once('error', resolve));
    controller.abort();
    expect(await failed).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
    await expect(heard.meeting.close()).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('toFiles()', () => {
  it('writes files of one length that belong together', async () => {
    const heard = hear(sameSound(), { bufferMs: 5000 });
    const path = folder();
    const [mic, system, mix] = ['me.wav', 'others.wav', 'call.wav'].map((name) => join(path, name));
    const written = heard.meeting.toFiles({ mic, system, mix });
    await heard.pass(1000);
    heard.meeting.pause();
    await heard.pass(1000);
    heard.meeting.resume();
    await heard.pass(1000);
    await heard.close();
    await written;
    for (const [name, file] of Object.entries({ mic, system, mix })) {
      expect(difference(wavSamples(file), heard.track(name as 'mic'))).toBe(0);
    }
    expect(wavSamples(mix)).toHaveLength(32_000);
  });

  it('that is called later begins all files at one frame', async () => {
    const heard = hear(sameSound());
    const path = folder();
    await heard.pass(1000);
    const files = { mic: join(path, 'a.wav'), system: join(path, 'b.wav') };
    const written = heard.meeting.toFiles(files, { timeReference: true });
    await heard.pass(1000);
    await heard.close();
    await written;
    const [a, b] = [wavSamples(files.mic), wavSamples(files.system)];
    expect(a.length).toBeGreaterThan(15_900);
    expect(b).toHaveLength(a.length);
    expect(difference(a, heard.track('mic').slice(-a.length))).toBe(0);
    expect(readFileSync(files.mic).indexOf('bext')).toBeGreaterThan(0);
  });

  it('rejects for a file that cannot be written; the others and the meeting continue', async () => {
    const heard = hear(sameSound());
    const path = folder();
    const mix = join(path, 'call.wav');
    const written = heard.meeting.toFiles({ mic: join(path, 'no', 'me.wav'), mix });
    await expect(written).rejects.toMatchObject({ code: 'ENOENT' });
    await heard.pass(1000);
    await heard.close();
    expect(wavSamples(mix)).toHaveLength(16_000);
  });

  it('cannot be called after the end', async () => {
    const heard = hear(sameSound());
    await heard.pass(500);
    await heard.close();
    expect(() => heard.meeting.toFiles({ mix: join(folder(), 'a.wav') })).toThrow(
      expect.objectContaining({ code: 'ERR_STREAM_DESTROYED' }),
    );
  });

  it('names tracks that there are', () => {
    const { meeting } = hear(sameSound(), { system: false });
    const code = 'ERR_INVALID_ARG_VALUE';
    const path = join(folder(), 'a.wav');
    const bad = expect.objectContaining({ code });
    expect(() => meeting.toFiles({ system: path })).toThrow(bad);
    expect(() => meeting.toFiles({})).toThrow(bad);
    expect(() => meeting.toFiles({ mixed: path } as never)).toThrow(bad);
    expect(() => meeting.toFiles({ mic: 5 } as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    expect(existsSync(path)).toBe(false);
  });
});

describe('the system side', () => {
  /** The levels of a program at 600 Hz, and of another at 1500 Hz on a second output. */
  async function heardOf(
    system: MeetingOptions['system'],
  ): Promise<{ first: boolean; second: boolean }> {
    const audio = manualWorld();
    audio.addDevice({ id: 'headset', flow: 'output' });
    const first = audio.addProcess({ name: 'Call.exe', pid: 501 });
    const second = audio.addProcess({ name: 'Music.exe', pid: 502 });
    first.play(tone(600), { device: 'speakers' });
    second.play(tone(1500), { device: 'headset' });
    const heard: Heard = hear(audio, { system, format: floats });
    await heard.meeting.ready;
    await heard.pass(2000);
    await heard.close();
    expect(new Set(Object.values(heard.lengths()))).toEqual(new Set([32_000]));
    const samples = heard.track('system').subarray(16_000);
    return {
      first: toneDb(samples, 16_000, 600) > -30,
      second: toneDb(samples, 16_000, 1500) > -30,
    };
  }

  it.each<[string, MeetingOptions['system'], boolean, boolean]>([
    ['the default output', undefined, true, false],
    ['another output', { device: 'headset' }, false, true],
    ['all outputs', 'all', true, true],
    ['a program', { process: 'Call.exe' }, true, false],
    ['several programs', { process: [501, 'music'] }, true, true],
    ['all programs but one', { process: 'Music.exe', mode: 'exclude' }, true, false],
  ])('is %s', async (_name, system, first, second) => {
    expect(await heardOf(system)).toEqual({ first, second });
  });

  it('continues with silence when the program has ended', async () => {
    const audio = manualWorld();
    const call = audio.addProcess({ name: 'Call.exe' });
    call.play(tone(600), { device: 'speakers' });
    audio.device('mic').play(tone(1000));
    const heard = hear(audio, { system: { process: 'Call.exe' }, format: floats });
    await heard.pass(1000);
    call.exit();
    await heard.pass(1000);
    await heard.close();
    expect(heard.states.at(-1)).toBe('system: absent');
    expect(heard.lengths()).toEqual({ mic: 32_000, system: 32_000, mix: 32_000 });
    expect(rms(heard.track('mic').subarray(17_000))).toBeGreaterThan(0.1);
    expect(rms(heard.track('system').subarray(17_000))).toBe(0);
  });
});

describe('a meeting with one side', () => {
  it.each(['mic', 'system'] as const)('has no %s', async (absent) => {
    const heard = hear(sameSound(), { [absent]: false, format: floats });
    await heard.pass(1000);
    await heard.close();
    const present = absent === 'mic' ? 'system' : 'mic';
    expect(heard.meeting[absent]).toBeUndefined();
    expect(heard.lengths()).toEqual({ [present]: 16_000, mix: 16_000 });
    expect(difference(heard.track('mix'), heard.track(present))).toBeLessThan(1e-6);
    expect(() => heard.meeting.setMode(absent)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
});

describe('a side that cannot be opened', () => {
  it.each<[string, (audio: SimulatedAudio) => void, string]>([
    ['denied', (audio) => audio.device('mic').deny(), 'ERR_AUDIO_PERMISSION_DENIED'],
    ['absent', (audio) => audio.device('speakers').remove(), 'ERR_AUDIO_DEVICE_NOT_FOUND'],
  ])('because it is %s rejects ready, and leaves nothing open', async (_name, script, code) => {
    const audio = manualWorld({
      devices: [
        { id: 'mic', flow: 'input', defaultConsole: true },
        { id: 'speakers', flow: 'output', defaultConsole: true },
      ],
    });
    script(audio);
    const meeting = captureMeeting({ backend: audio });
    const closed = new Promise((resolve) => meeting.once('close', () => resolve(true)));
    await expect(meeting.ready).rejects.toMatchObject({ code });
    expect(await closed).toBe(true);
    await expect(meeting.close()).rejects.toMatchObject({ code });
    expect(meeting.mix.destroyed).toBe(true);
  });

  it('is an error event if ready is not awaited', async () => {
    const audio = manualWorld();
    audio.device('mic').deny();
    const meeting = captureMeeting({ backend: audio });
    const failed = new Promise((resolve) => meeting.once('error', resolve));
    expect(await failed).toMatchObject({ code: 'ERR_AUDIO_PERMISSION_DENIED' });
  });
});

describe('a side that is lost', () => {
  it('is silence of the same length until it is back; the other side misses nothing', async () => {
    const audio = manualWorld();
    audio.device('mic').play(tone(500));
    audio.device('speakers').play(noise({ seed: 3 }));
    const heard = hear(audio, { mic: { device: 'mic' }, format: floats });
    const seen: string[] = [];
    for (const name of ['rebuild', 'recovered'] as const) {
      heard.meeting.mic?.on(name, () => seen.push(name));
    }
    await heard.pass(2000);
    audio.device('mic').unplug();
    await heard.pass(3000);
    expect(heard.meeting.mic?.state).toBe('absent');
    audio.device('mic').plug();
    await heard.pass(2000);
    await heard.close();
    expect(seen).toEqual(['rebuild', 'recovered']);
    expect(heard.states.filter((state) => state.startsWith('mic'))).toEqual([
      'mic: listening',
      'mic: sound',
      'mic: absent',
      'mic: listening',
      'mic: sound',
    ]);
    expect(heard.lengths()).toEqual({ mic: 112_000, system: 112_000, mix: 112_000 });
    const mic = heard.track('mic');
    expect(rms(mic.subarray(33_000, 79_000))).toBe(0);
    expect(rms(mic.subarray(84_000))).toBeGreaterThan(0.1);
    const [gap] = heard.gaps.mic;
    expect(gap).toMatchObject({ filled: true, reason: 'deviceLost' });
    expect(Math.abs(gap.frames - 48_000)).toBeLessThan(4800);
    expect(heard.gaps.system).toEqual([]);
    const other = hear(
      (() => {
        const alone = manualWorld();
        alone.device('speakers').play(noise({ seed: 3 }));
        return alone;
      })(),
      { format: floats },
    );
    await other.pass(7000);
    await other.close();
    const system = heard.track('system').subarray(16_000);
    expect(difference(system, other.track('system').subarray(16_000))).toBeLessThan(0.001);
  });

  it('for good is denied, or absent, and the other side continues', async () => {
    const heard = hear(sameSound(), { mic: { device: 'mic' } });
    const changes: unknown[] = [];
    heard.meeting.mic?.on('state', (change) => changes.push(change));
    await heard.pass(1000);
    heard.audio.device('mic').deny().unplug().plug();
    await heard.pass(2000);
    await heard.close();
    expect(changes.at(-1)).toMatchObject({
      state: 'denied',
      error: { code: 'ERR_AUDIO_PERMISSION_DENIED' },
    });
    expect(heard.lengths()).toEqual({ mic: 48_000, system: 48_000, mix: 48_000 });
    expect(rms(heard.track('system').subarray(30_000))).toBeGreaterThan(0.05);
  });

  it('is the end of the meeting if it was the last', async () => {
    const heard = hear(sameSound(), { system: false, mic: { device: 'mic' } });
    const path = join(folder(), 'me.wav');
    const written = heard.meeting.toFiles({ mic: path });
    const failed = new Promise((resolve) => heard.meeting.once('error', resolve));
    await heard.pass(1000);
    heard.audio.device('mic').deny().unplug().plug();
    await heard.pass(2000);
    const code = 'ERR_AUDIO_PERMISSION_DENIED';
    expect(await failed).toMatchObject({ code });
    await expect(written).rejects.toMatchObject({ code });
    await expect(heard.meeting.close()).rejects.toMatchObject({ code });
    // The sound until then is stored.
    expect(wavSamples(path).length).toBeGreaterThan(15_000);
  });

  it('with its server costs silence of that length, three times', async () => {
    const audio = sameSound();
    const heard = hear(audio, { format: floats });
    await heard.pass(2000);
    for (let k = 0; k < 3; k++) {
      audio.serverGone();
      await heard.pass(3000);
      audio.serverBack();
      await heard.pass(3000);
    }
    await heard.close();
    expect(heard.lengths()).toEqual({ mic: 320_000, system: 320_000, mix: 320_000 });
    for (const name of ['mic', 'system'] as const) {
      const lost = heard.gaps[name].reduce((sum, { frames }) => sum + frames, 0);
      expect(Math.abs(lost - 3 * 48_000)).toBeLessThan(3 * 8000);
    }
    const [mic, system] = [heard.track('mic'), heard.track('system')];
    expect(difference(mic.slice(-16_000), system.slice(-16_000))).toBeLessThan(0.005);
  });

  it('with the whole machine asleep is left out of all tracks alike', async () => {
    const heard = hear(sameSound(), { format: floats });
    await heard.pass(2000);
    await heard.audio.sleep(3_600_000);
    await heard.pass(4000);
    await heard.close();
    const { mic, system, mix } = heard.lengths();
    expect(system).toBe(mic);
    expect(mix).toBe(mic);
    expect(mic).toBeLessThan(80 * 16_000);
    const slept = heard.gaps.mix.filter(({ reason }) => reason === 'sleep');
    expect(slept).toHaveLength(1);
    const { meeting, audio } = heard;
    expect(Number(audio.now() - meeting.mix.timeAt(mic!)) / 1e9).toBeCloseTo(1.5, 1);
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

describe('the words for what a side hears', () => {
  it('tell muted, quiet and silent from sound', async () => {
    const audio = manualWorld();
    const mic = audio.device('mic').play(tone(440));
    const heard = hear(audio, { system: false });
    await heard.pass(6000);
    mic.mute();
    await heard.pass(6000);
    mic.mute(false);
    await heard.pass(1000);
    // An analogue mute.
    mic.play(tone(440, { gain: 0.0005 }));
    await heard.pass(6000);
    mic.play(tone(440));
    await heard.pass(1000);
    mic.stop();
    await heard.pass(6000);
    await heard.close();
    expect(heard.states).toEqual([
      'mic: listening',
      'mic: sound',
      'mic: muted',
      'mic: listening',
      'mic: sound',
      'mic: quiet',
      'mic: sound',
      'mic: silent',
    ]);
  });

  it('setDevice() changes to another microphone; the track continues', async () => {
    const audio = manualWorld();
    audio.addDevice({ id: 'headset-mic', flow: 'input' }).play(tone(2000));
    audio.device('mic').play(tone(500));
    const heard = hear(audio, { format: floats });
    const { mic } = heard.meeting;
    const changes: unknown[] = [];
    mic?.on('deviceChange', ({ to, reason }) => changes.push([to?.id, reason]));
    await heard.pass(1000);
    await mic?.setDevice('headset-mic');
    await heard.pass(1000);
    await heard.close();
    expect(changes).toEqual([['headset-mic', 'setDevice']]);
    expect(mic?.device?.id).toBe('headset-mic');
    expect(heard.lengths().mic).toBe(32_000);
    const samples = heard.track('mic');
    expect(toneDb(samples.subarray(8000, 15_000), 16_000, 500)).toBeGreaterThan(-20);
    expect(toneDb(samples.subarray(20_000), 16_000, 2000)).toBeGreaterThan(-20);
    await expect(mic?.setDevice('none')).rejects.toThrow();
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
