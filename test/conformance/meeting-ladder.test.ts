// A side of a meeting that is dead is detected, reported, and brought back by one way after the other.
import { describe, expect, it } from 'vitest';

import { captureMeeting, type MeetingOptions, type Strategy, type StrategyChange } from 'patchcord';
import { noise, tone, type SimulatedAudio } from 'patchcord/testing';

import { difference, hear, manualWorld, rms, toneDb, type Heard } from './meeting-world.js';

const floats = { sampleRate: 16_000, channels: 1, sampleFormat: 'f32' } as const;

interface Climb extends Heard {
  /** `side: strategy`, with the frame at which it was tried. */
  tried: { what: string; frame: number; change: StrategyChange }[];
  errors: { side: string; error: Error }[];
  /** The frame at which each state was reported. */
  at: Record<string, number>;
}

/** A meeting whose microphone hears 500 Hz; `cure` is called with each strategy before it is opened. */
function climb(
  audio: SimulatedAudio,
  cure: (to: Strategy, change: StrategyChange) => void,
  options: MeetingOptions = {},
): Climb {
  const heard = hear(audio, { format: floats, ...options });
  const { meeting } = heard;
  const climbed: Climb = { ...heard, tried: [], errors: [], at: {} };
  const now = (): number => Math.round(Number(audio.now() - audio.startTime) * 16e-6);
  meeting.on('strategy', (change) => {
    climbed.tried.push({ what: `${change.side}: ${change.to}`, frame: now(), change });
    cure(change.to, change);
  });
  meeting.on('unrecovered', (event) => climbed.errors.push(event));
  meeting.on('state', ({ side, state }) => (climbed.at[`${side}: ${state}`] = now()));
  return climbed;
}

function room(): SimulatedAudio {
  const audio = manualWorld();
  audio.device('mic').play(tone(500));
  audio.device('speakers').play(noise({ seed: 3 }));
  return audio;
}

const fineSteps = async ({ audio }: Heard, ms: number): Promise<void> => {
  for (let done = 0; done < ms; done += 50) await audio.advance(50);
};

describe('a microphone that is dead', () => {
  it.each<[Strategy, string[]]>([
    ['reverse-order', ['mic: reverse-order']],
    ['raw', ['mic: reverse-order', 'mic: raw']],
    ['other-device', ['mic: reverse-order', 'mic: raw', 'mic: other-device']],
  ])('is found within 3 s and brought back within 2 s by %s', async (helps, tried) => {
    const audio = room();
    audio.addDevice({ id: 'headset', name: 'Headset', flow: 'input' }).play(tone(800));
    const heard = climb(audio, (to) => {
      if (to === helps && to !== 'other-device') audio.device('mic').die(false);
    });
    await fineSteps(heard, 3000);
    audio.device('mic').die();
    const died = 3 * 16_000;
    await fineSteps(heard, 7000);
    await heard.close();
    expect(heard.tried.map(({ what }) => what)).toEqual(tried);
    expect(heard.tried[0].change).toMatchObject({ from: 'shared', evidence: 'zeros' });
    expect(heard.errors).toEqual([]);
    const found = heard.at['mic: dead'];
    expect((found - died) / 16_000).toBeLessThan(3);
    const mic = heard.track('mic');
    const back = mic.findIndex((sample, k) => k > found && sample !== 0);
    expect((back - found) / 16_000).toBeLessThan(2);
    expect(heard.meeting.mic?.strategy).toBe(helps);
    expect(heard.meeting.mic?.state).toBe('sound');
    // The timeline continues, the right microphone is recorded, and the other side misses nothing.
    expect(new Set(Object.values(heard.lengths()))).toEqual(new Set([160_000]));
    const pitch = helps === 'other-device' ? 800 : 500;
    expect(toneDb(mic.slice(-16_000), 16_000, pitch)).toBeGreaterThan(-14);
    const alone = hear(room(), { format: floats });
    await alone.pass(10_000);
    await alone.close();
    const [system, whole] = [heard.track('system'), alone.track('system')];
    expect(difference(system.subarray(16_000), whole.subarray(16_000))).toBeLessThan(0.001);
  });

  it('is in its place again, to the millisecond', async () => {
    const audio = manualWorld();
    audio.device('mic').play(noise({ seed: 3 }));
    audio.device('speakers').play(noise({ seed: 3 }));
    const heard = climb(audio, (to) => to === 'raw' && audio.device('mic').die(false));
    await fineSteps(heard, 3000);
    audio.device('mic').die();
    await fineSteps(heard, 8000);
    await heard.close();
    const [mic, system] = [heard.track('mic').slice(-16_000), heard.track('system').slice(-16_000)];
    expect(rms(mic)).toBeGreaterThan(0.05);
    expect(difference(mic, system)).toBeLessThan(0.005);
  });

  it('may deliver nothing at all, also from the beginning', async () => {
    const audio = manualWorld();
    const device = audio.device('mic').stall();
    const heard = climb(audio, (to) => to === 'raw' && device.resume().play(tone(500)));
    await heard.meeting.ready;
    await fineSteps(heard, 8000);
    await heard.close();
    expect(heard.states).toContain('mic: dead');
    expect(heard.tried.at(-1)).toMatchObject({
      what: 'mic: raw',
      change: { evidence: 'no-packets' },
    });
    expect(heard.at['mic: dead'] / 16_000).toBeLessThan(3);
    expect(toneDb(heard.track('mic').slice(-16_000), 16_000, 500)).toBeGreaterThan(-14);
    expect(new Set(Object.values(heard.lengths()))).toEqual(new Set([128_000]));
  });

  it('without a strategy that helps is one error that lists the strategies; the meeting continues', async () => {
    const audio = room();
    audio.addDevice({ id: 'headset', name: 'Headset', flow: 'input' }).deny();
    const heard = climb(audio, () => {});
    await fineSteps(heard, 1000);
    audio.device('mic').die();
    await fineSteps(heard, 12_000);
    expect(heard.errors).toHaveLength(1);
    const [{ side, error }] = heard.errors;
    expect(side).toBe('mic');
    expect(error).toMatchObject({ code: 'ERR_AUDIO_DEVICE_LOST' });
    for (const part of [
      /shared: zeros/,
      /reverse-order: zeros/,
      /raw: zeros/,
      /mic-process: a child process has no access/,
      /ffmpeg: FFmpeg has no access to a simulation/,
      /other-device \(Headset\): .*denied/i,
    ]) {
      expect(error.message).toMatch(part);
    }
    expect(heard.meeting.mic?.state).toBe('dead');
    expect(heard.meeting.mic?.strategy).toBe('shared');
    expect(heard.tried.at(-1)?.change).toMatchObject({ to: 'shared' });
    // It comes to life by itself.
    audio.device('mic').die(false);
    await fineSteps(heard, 1000);
    expect(heard.meeting.mic?.state).toBe('sound');
    await heard.close();
    expect(new Set(Object.values(heard.lengths()))).toEqual(new Set([14 * 16_000]));
    expect(rms(heard.track('system').slice(-16_000))).toBeGreaterThan(0.05);
  });

  it('is climbed for with an echo canceller, too', async () => {
    const audio = room();
    const heard = climb(audio, (to) => to === 'raw' && audio.device('mic').die(false), {
      echo: true,
    });
    await fineSteps(heard, 2000);
    audio.device('mic').die();
    await fineSteps(heard, 7000);
    await heard.close();
    expect(heard.tried.map(({ what }) => what)).toEqual(['mic: reverse-order', 'mic: raw']);
    expect(heard.meeting.stats().echo?.framesOut).toBeGreaterThan(0);
    expect(toneDb(heard.track('mic').slice(-16_000), 16_000, 500)).toBeGreaterThan(-18);
    expect(new Set(Object.values(heard.lengths()))).toEqual(new Set([144_000]));
  });

  it('can be unplugged while it is climbed for, and the meeting can be closed', async () => {
    const audio = room();
    const heard = climb(audio, () => audio.device('mic').unplug(), { mic: { device: 'mic' } });
    await fineSteps(heard, 1000);
    audio.device('mic').die();
    await fineSteps(heard, 6000);
    audio.device('mic').die(false).plug();
    await fineSteps(heard, 1000);
    await heard.close();
    expect(new Set(Object.values(heard.lengths()))).toEqual(new Set([128_000]));
    const other = climb(room(), () => {});
    await fineSteps(other, 1000);
    other.audio.device('mic').die();
    await fineSteps(other, 2300);
    expect(other.tried.length).toBeGreaterThan(0);
    await other.close();
    expect(new Set(Object.values(other.lengths())).size).toBe(1);
  });

  it('is climbed for as the app says: from raw on, only this, or not at all', async () => {
    for (const [strategy, tried] of [
      [['raw', 'shared'], ['mic: shared']],
      [['reverse-order', 'raw'], ['mic: raw']],
      [[], []],
    ] as [Strategy[], string[]][]) {
      const audio = room();
      const heard = climb(audio, () => audio.device('mic').die(false), { strategy });
      await heard.meeting.ready;
      expect(heard.meeting.mic?.strategy).toBe(strategy[0] ?? 'shared');
      await fineSteps(heard, 2000);
      audio.device('mic').die();
      await fineSteps(heard, 4000);
      await heard.close();
      expect(heard.tried.map(({ what }) => what)).toEqual(tried);
      expect(heard.states).toContain('mic: dead');
      const alone = hear(room(), { format: floats });
      await alone.pass(6000);
      await alone.close();
      // Also where the system's side was opened again.
      const [system, whole] = [heard.track('system'), alone.track('system')];
      expect(difference(system.subarray(16_000), whole.subarray(16_000))).toBeLessThan(0.005);
    }
  });
});

describe("the system's side that is dead", () => {
  it('because the program is protected is the output that it plays to, and says so', async () => {
    const audio = manualWorld();
    audio.addDevice({ id: 'headset', name: 'Headset', flow: 'output' });
    const call = audio.addProcess({ name: 'Call.exe' });
    call.play(tone(600), { device: 'headset' });
    const heard = climb(audio, () => {}, { system: { process: 'Call.exe' } });
    await fineSteps(heard, 2000);
    call.protect();
    await fineSteps(heard, 6000);
    await heard.close();
    expect(heard.tried.map(({ change }) => change)).toEqual([
      { side: 'system', from: 'shared', to: 'endpoint', evidence: 'zeros', device: 'Headset' },
    ]);
    expect(toneDb(heard.track('system').slice(-16_000), 16_000, 600)).toBeGreaterThan(-14);
    expect(heard.meeting.system?.device?.id).toBe('headset');
    expect(new Set(Object.values(heard.lengths()))).toEqual(new Set([128_000]));
  });

  it('is not widened to an output if programs are to be left out', async () => {
    const audio = manualWorld();
    const call = audio.addProcess({ name: 'Call.exe', protected: true });
    call.play(tone(600), { device: 'speakers' });
    const music = { process: 'Music.exe', mode: 'exclude' } as const;
    const heard = climb(audio, () => {}, { system: music });
    await fineSteps(heard, 6000);
    await heard.close();
    expect(heard.tried).toEqual([]);
    expect(heard.errors[0]?.error.message).toMatch(/endpoint: programs are excluded/);
  });
});

describe('no alarm', () => {
  // LifeSigns, which decides, has its own tests; here nothing else must raise one.
  it.each<[string, (audio: SimulatedAudio) => void]>([
    ['a quiet microphone', (audio) => audio.device('mic').play(noise({ gain: 0.0005 }))],
    ['a muted microphone', (audio) => audio.device('mic').play(tone(440)).mute()],
    ['a call in which nobody speaks', () => {}],
  ])('in a quarter of an hour of %s', { timeout: 120_000 }, async (_name, script) => {
    const audio = manualWorld();
    script(audio);
    const meeting = captureMeeting({ backend: audio, format: { sampleRate: 8000 } });
    const alarms: unknown[] = [];
    meeting.on('strategy', (change) => alarms.push(change));
    meeting.on('state', (change) => change.state === 'dead' && alarms.push(change));
    await meeting.ready;
    for (let second = 0; second < 900; second += 10) await audio.advance(10_000);
    expect(alarms).toEqual([]);
    meeting.destroy();
  });
});

describe('the option strategy', () => {
  it.each<[unknown, string]>([
    ['raw', 'ERR_INVALID_ARG_TYPE'],
    [['asio'], 'ERR_INVALID_ARG_VALUE'],
    [['endpoint'], 'ERR_INVALID_ARG_VALUE'],
  ])('of %j throws %s', (strategy, code) => {
    const backend = manualWorld();
    expect(() => captureMeeting({ backend, strategy: strategy as never })).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
