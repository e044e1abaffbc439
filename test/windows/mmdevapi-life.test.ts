// The state of a source's endpoint, on the simulated Windows audio engine: volume, mute and meter, and whether it
// is dead. Runs in Wine (mmdevapi.mjs).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { LoopbackSource, MicSource, type AudioSource } from 'patchcord';

import { event } from '../conformance/wait.js';
import { steerThisProcess, type Steering } from './steer-this-process.js';

const backend = 'wasapi';

let windows: Steering['windows'];
let here: Steering['here'];
let send: Steering['send'];
beforeAll(async () => {
  ({ windows, here, send } = await steerThisProcess());
});
afterAll(() => windows.close());

async function open(source: AudioSource) {
  const told: string[] = [];
  for (const name of ['mute', 'unmute', 'dead', 'alive'] as const) {
    source.on(name as 'mute', () => told.push(name));
  }
  source.resume();
  await source.ready;
  return told;
}

/** Until the source has that many more frames. */
async function seconds(source: AudioSource, count: number) {
  const until = source.stats().frames + count * source.format.sampleRate;
  while (source.stats().frames < until) await event(source, 'data');
}

describe('a microphone', () => {
  it('shows the volume, the mute and the meter of its endpoint', async () => {
    await send('play mic tone 997 0.25', 'volume mic 0.5');
    const mic = new MicSource({ backend, device: 'Microphone' });
    const told = await open(mic);
    while (mic.stats().deviceVolume !== 0.5) await event(mic, 'data');
    // Its meter begins when it does.
    while (!((mic.stats().devicePeakDb ?? -Infinity) > -18.2)) await event(mic, 'data');
    expect(mic.stats().devicePeakDb).toBeCloseTo(-18.06, 1);
    expect(mic.muted).toBe(false);
    const muted = event(mic, 'mute');
    await send('mute mic');
    await muted;
    expect(mic.muted).toBe(true);
    // Muted, its zeros are no evidence.
    await send('meter mic 0.25');
    await seconds(mic, 2.5);
    const unmuted = event(mic, 'unmute');
    await send('unmute mic', 'volume mic 1', 'meter mic heard');
    await unmuted;
    expect(mic.muted).toBe(false);
    expect(told).toEqual(['mute', 'unmute']);
    mic.destroy();
    await event(mic, 'close');
    expect(await here.send('objects')).toBe('1'); // the enumerator
  });

  it('is dead while it delivers zeros and its meter moves', async () => {
    const mic = new MicSource({ backend, device: 'Microphone' });
    await open(mic);
    const dead = event<{ evidence: string }>(mic, 'dead');
    await send('die mic', 'meter mic 0.25');
    expect((await dead).evidence).toBe('zeros');
    const alive = event(mic, 'alive');
    await send('revive mic', 'meter mic heard');
    await alive;
    mic.destroy();
  });

  it('works without values that its endpoint does not report, and asks again', async () => {
    await send('fail mic IAudioEndpointVolume::GetMute 0x88890004 times 3', 'mute mic');
    const mic = new MicSource({ backend, device: 'Microphone' });
    const told = await open(mic);
    await event(mic, 'mute');
    await send('fail mic IAudioMeterInformation::GetPeakValue 0x80004005', 'unmute mic');
    await event(mic, 'unmute');
    expect(mic.stats().devicePeakDb).toBeUndefined();
    await send('mend');
    expect(told).toEqual(['mute', 'unmute']);
    mic.destroy();
  });
});

describe('a loopback', () => {
  it('is dead while its output plays and it hears nothing; one of a silent output is idle', async () => {
    const loopback = new LoopbackSource({ backend, device: 'Speakers' });
    const told = await open(loopback);
    await seconds(loopback, 2.5);
    expect(told).toEqual([]);
    const dead = event<{ evidence: string }>(loopback, 'dead');
    await send('meter speakers 0.25');
    expect((await dead).evidence).toBe('zeros');
    await send('meter speakers heard');
    loopback.destroy();
  });
});
