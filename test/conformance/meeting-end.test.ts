// Pausing and ending a meeting, and its files, on the simulated system with a manual clock.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { captureMeeting } from 'patchcord';
import { tone } from 'patchcord/testing';

import {
  difference,
  floats,
  folder,
  hear,
  manualWorld,
  rms,
  sameSound,
  wavSamples,
} from './meeting-world.js';

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
