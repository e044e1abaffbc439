// The sides of a meeting: their sources, their loss and their states, on the simulated system with a manual clock.
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { captureMeeting, type MeetingOptions } from 'patchcord';
import { noise, tone, type SimulatedAudio } from 'patchcord/testing';

import {
  difference,
  floats,
  folder,
  hear,
  manualWorld,
  rms,
  sameSound,
  toneDb,
  wavSamples,
  type Heard,
} from './meeting-world.js';

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
