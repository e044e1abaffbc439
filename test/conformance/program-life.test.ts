// A ProcessSource detects muted and dead programs, and tells the two apart.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ProcessSource } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { openSystem, type System } from './system.js';
import { event, until } from './wait.js';

const name = process.env.PATCHCORD_TEST_BACKEND;

// In Wine: test/windows/mmdevapi-processes.test.ts.
describe.skipIf(name === 'wasapi')('programs that are muted in the system', () => {
  let system: System;
  beforeAll(async () => {
    system = await openSystem();
  });
  afterAll(() => system.close());

  const capture = (...programs: string[]): ProcessSource => {
    const source = new ProcessSource({ backend: system.backend, process: programs });
    source.resume();
    return source;
  };

  it('emit mute, before and while they are captured, and are silent meanwhile', async () => {
    const player = await system.program!(440);
    const source = capture(player.name);
    await event(source, 'attach');
    await until(() => source.level().peakDb > -13, 'its sound');
    expect(source.muted).toBe(false);
    const muted = event(source, 'mute');
    await player.mute(true);
    await muted;
    expect(source.muted).toBe(true);
    await until(() => source.level().peakDb < -90, 'silence');
    const second = capture(player.name);
    await event(second, 'mute');
    await second.close();
    const unmuted = event(source, 'unmute');
    await player.mute(false);
    await unmuted;
    expect(source.stats().deviceVolume).toBe(1);
    await until(() => source.level().peakDb > -13, 'its sound again');
    await source.close();
    await player.exit();
  });

  it('are muted when all of them are', async () => {
    const [one, other] = [await system.program!(440), await system.program!(1000)];
    const source = capture(one.name, other.name);
    await event(source, 'attach');
    const told: string[] = [];
    source.on('mute', () => told.push('mute')).on('unmute', () => told.push('unmute'));
    await one.mute(true);
    await until(() => source.level().peakDb < -11, 'the other alone');
    expect(told).toEqual([]);
    const muted = event(source, 'mute');
    await other.mute(true);
    await muted;
    const unmuted = event(source, 'unmute');
    await one.mute(false);
    await unmuted;
    expect(told).toEqual(['mute', 'unmute']);
    await source.close();
    await Promise.all([one.exit(), other.exit()]);
  });
});

describe('programs whose audio server dies', () => {
  it('are heard again on the next one', async () => {
    const audio = new SimulatedAudio();
    audio.addProcess({ name: 'game.exe' }).play(tone(440), { device: 'speakers' });
    const source = new ProcessSource({ backend: audio, process: 'game' });
    source.resume();
    await until(() => source.level().peakDb > -13, 'the program');
    const left = Promise.all([event(source, 'rebuild'), event(source, 'detach')]);
    audio.serverGone();
    await left;
    await until(() => source.level().peakDb < -90, 'silence');
    const back = Promise.all([event(source, 'recovered'), event(source, 'attach')]);
    audio.serverBack();
    await back;
    await until(() => source.level().peakDb > -13, 'the program again');
    await source.close();
  });
});

describe('a stream without the sound of its program', () => {
  function told(source: ProcessSource): unknown[] {
    const events: unknown[] = [];
    source.on('dead', ({ evidence }) => events.push(evidence));
    for (const what of ['alive', 'mute', 'unmute'] as const) {
      source.on(what, () => events.push(what));
    }
    source.resume();
    return events;
  }

  it('is dead within 2 s, unless the program pauses, is muted or is turned down', async () => {
    const audio = new SimulatedAudio({ clock: 'manual' });
    const seconds = async (count: number): Promise<void> => {
      for (let i = 0; i < count * 10; i++) await audio.advance(100);
    };
    const player = audio
      .addProcess({ name: 'meeting.exe' })
      .play(tone(440), { device: 'speakers' });
    const source = new ProcessSource({ backend: audio, process: player.pid });
    const events = told(source);
    await source.ready;
    await seconds(3);
    expect(source.stats().devicePeakDb).toBeCloseTo(-12.04, 1);
    player.mute().protect();
    await seconds(5);
    player.volume(0).mute(false);
    await seconds(5);
    expect(events).toEqual(['mute', 'unmute']);
    player.volume(0.5);
    await seconds(2);
    expect(events.slice(2)).toEqual(['zeros']);
    expect(source.stats().devicePeakDb).toBeCloseTo(-18.06, 1);
    player.protect(false);
    await seconds(1);
    expect(events.slice(3)).toEqual(['alive']);
    player.stop({ device: 'speakers' });
    await seconds(5);
    expect(events).toHaveLength(4);
    source.destroy();
  });

  it('is not dead while another program is heard, and reports the program that is', async () => {
    const audio = new SimulatedAudio({ clock: 'manual' });
    const game = audio.addProcess({ name: 'game.exe' }).play(tone(440), { device: 'speakers' });
    const meeting = audio
      .addProcess({ name: 'meeting.exe', protected: true })
      .play(tone(440), { device: 'speakers' });
    const source = new ProcessSource({ backend: audio, process: ['game', 'meeting'] });
    const events = told(source);
    const programs: unknown[] = [];
    for (const what of ['processDead', 'processAlive'] as const) {
      source.on(what, ({ process, device, frame }) =>
        programs.push([what, process.name, device, Math.round(frame / 48000)]),
      );
    }
    await source.ready;
    for (let i = 0; i < 50; i++) await audio.advance(100);
    expect(events).toEqual([]);
    expect(programs).toEqual([['processDead', 'meeting.exe', 'speakers', 2]]);
    meeting.protect(false);
    for (let i = 0; i < 5; i++) await audio.advance(100);
    expect(programs.slice(1)).toEqual([['processAlive', 'meeting.exe', 'speakers', 5]]);
    meeting.protect();
    game.exit();
    for (let i = 0; i < 20; i++) await audio.advance(100);
    expect(events).toEqual(['zeros']);
    source.destroy();
  });
});
