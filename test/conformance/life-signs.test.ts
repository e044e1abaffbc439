// A source detects a muted and a dead device, and tells the two apart.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { LoopbackSource, MicSource, type AudioSource } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { openSystem, type System } from './system.js';
import { event } from './wait.js';

describe('a microphone that is muted in the system', () => {
  let system: System;
  beforeAll(async () => {
    system = await openSystem();
  });
  afterAll(() => system.close());

  it('emits mute and unmute, and the stream continues', async ({ skip }) => {
    const { muteMicrophone } = system;
    if (!muteMicrophone) return skip('a mute outside does not reach Wine');
    const mic = new MicSource({ backend: system.backend, device: system.microphone });
    mic.resume();
    await mic.ready;
    expect(mic.muted).toBe(false);
    const muted = event(mic, 'mute');
    await muteMicrophone(true);
    await muted;
    expect(mic.muted).toBe(true);
    const second = new MicSource({ backend: system.backend, device: system.microphone });
    await event(second, 'mute');
    second.destroy();
    const { frames } = mic.stats();
    const unmuted = event(mic, 'unmute');
    await muteMicrophone(false);
    await unmuted;
    expect(mic.muted).toBe(false);
    expect(mic.stats().frames).toBeGreaterThan(frames);
    expect(mic.stats().deviceVolume).toBe(1);
    mic.destroy();
  });
});

describe('a stream without the sound of its device', () => {
  let audio: SimulatedAudio;
  beforeEach(() => {
    audio = new SimulatedAudio({ clock: 'manual' });
  });

  /** Everything told of its life, with the second in which it was. */
  function told(source: AudioSource): unknown[][] {
    const events: unknown[][] = [];
    const at = (frame: number): number => frame / source.format.sampleRate;
    source.on('dead', ({ evidence, frame }) => events.push(['dead', evidence, at(frame)]));
    for (const name of ['alive', 'mute', 'unmute'] as const) {
      source.on(name, () => events.push([name]));
    }
    source.resume();
    return events;
  }

  async function seconds(count: number): Promise<void> {
    for (let i = 0; i < count * 10; i++) await audio.advance(100);
  }

  it('is dead within 2 s of zeros while the meter moves, and alive with the first sound', async () => {
    audio.device('mic').play(tone(440));
    const mic = new MicSource({ backend: audio });
    const events = told(mic);
    await mic.ready;
    await seconds(3);
    expect(mic.stats().devicePeakDb).toBeCloseTo(-12.04, 1);
    audio.device('mic').die();
    await seconds(3);
    expect(events).toEqual([['dead', 'zeros', expect.any(Number)]]);
    const [, , second] = events[0] as [string, string, number];
    expect(second).toBeGreaterThan(4);
    expect(second).toBeLessThan(5);
    audio.device('mic').die(false);
    await seconds(1);
    expect(events.slice(1)).toEqual([['alive']]);
    mic.destroy();
  });

  it('may be a loopback whose output plays; an output that plays nothing is only idle', async () => {
    const loopback = new LoopbackSource({ backend: audio });
    const events = told(loopback);
    await loopback.ready;
    await seconds(10);
    expect(events).toEqual([]);
    audio.device('speakers').play(tone(440)).die();
    await seconds(3);
    expect(events).toEqual([['dead', 'zeros', expect.any(Number)]]);
    loopback.destroy();
  });

  it('stalls within half a second of its last packet, and flows again', async () => {
    const mic = new MicSource({ backend: audio });
    const loopback = new LoopbackSource({ backend: audio });
    const seen: [string, string, number][] = [];
    const sources: Record<string, AudioSource> = { mic, loopback };
    for (const [name, source] of Object.entries(sources)) {
      for (const type of ['stall', 'flow'] as const) {
        source.on(type, ({ frame }) => seen.push([name, type, frame / 48000]));
      }
      source.resume();
    }
    await Promise.all([mic.ready, loopback.ready]);
    await seconds(2);
    // Nothing has played yet.
    expect(seen.splice(0)).toEqual([['loopback', 'stall', expect.any(Number)]]);
    audio.device('speakers').play(tone(440));
    audio.device('mic').stall();
    await seconds(1);
    const [flow, stall] = seen.splice(0).sort();
    expect(flow.slice(0, 2)).toEqual(['loopback', 'flow']);
    expect(stall.slice(0, 2)).toEqual(['mic', 'stall']);
    expect(flow[2]).toBeGreaterThan(2);
    expect(flow[2]).toBeLessThan(2.5);
    expect(stall[2]).toBeCloseTo(2, 1);
    audio.device('mic').resume();
    await seconds(1);
    expect(seen).toEqual([['mic', 'flow', expect.any(Number)]]);
    await Promise.all([mic.close(), loopback.close()]);
  });

  it('emits level while there is a listener', async () => {
    audio.device('mic').play(tone(440));
    const mic = new MicSource({ backend: audio });
    mic.resume();
    const levels: number[] = [];
    const look = ({ peakDb }: { peakDb: number }): void => void levels.push(peakDb);
    mic.on('level', look);
    await seconds(1);
    expect(levels.length).toBeGreaterThanOrEqual(9);
    expect(levels.length).toBeLessThanOrEqual(10);
    expect(levels.at(-1)).toBeCloseTo(-12.04, 1);
    mic.off('level', look);
    await seconds(1);
    expect(levels.length).toBeLessThanOrEqual(10);
    await mic.close();
  });

  it('is not dead if it is muted, turned down, or in a quiet room', async () => {
    const mic = new MicSource({ backend: audio });
    const events = told(mic);
    await mic.ready;
    await seconds(5);
    audio.device('mic').play(tone(440)).mute();
    await seconds(5);
    audio.device('mic').volume(0).mute(false);
    await seconds(5);
    expect(events).toEqual([['mute'], ['unmute']]);
    expect(mic.stats().deviceVolume).toBe(0);
    mic.destroy();
  });

  it('is dead if it is a microphone that delivers nothing', async () => {
    const mic = new MicSource({ backend: audio });
    const events = told(mic);
    await mic.ready;
    await seconds(1);
    audio.device('mic').stall();
    await seconds(3);
    expect(events).toEqual([['dead', 'no-packets', expect.any(Number)]]);
    audio.device('mic').resume();
    await seconds(1);
    expect(events.slice(1)).toEqual([['alive']]);
    mic.destroy();
  });
});
