// A loopback of all outputs: the sum of what programs play at any of them, on one timeline.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { LoopbackSource, type AudioChunk, type DeviceChange } from 'patchcord';

import { toFloat } from '../instruments/index.js';
import { openSystem, type System } from './system.js';
import { levelOf } from './tone-level.js';
import { event } from './wait.js';

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

const inWine = process.env.PATCHCORD_TEST_BACKEND === 'wasapi';
// A child process has no access to a simulation of this process.
const simulatedOnly = (process.env.PATCHCORD_TEST_BACKEND ?? 'simulated') === 'simulated';
const frequencies = [440, 1000];

/** Whether each of the tones is heard at its level; false only if it is not heard at all. */
async function heard(loopback: LoopbackSource): Promise<(boolean | number)[]> {
  const chunks: AudioChunk[] = [];
  // Half a second until both programs are captured, half a second to measure.
  const until = loopback.stats().frames + 48_000;
  for await (const chunk of loopback.chunks()) {
    if (chunk.frame + chunk.frames > until - 24_000) chunks.push(chunk);
    if (chunk.frame + chunk.frames >= until) break;
  }
  const data = Buffer.concat(chunks.map((chunk) => chunk.data));
  const sound = toFloat(data, loopback.format)[0];
  return frequencies.map((frequency) => {
    const db = levelOf(sound, frequency);
    if (Math.abs(db + 12) < 0.5) return true;
    return db < -90 ? false : db;
  });
}

describe("device 'all'", () => {
  it.skipIf(inWine)('is the sum of all outputs, and changes to one output and back', async () => {
    const [near, far] = [await system.program!(440), await system.program!(1000)];
    await far.move('headset');
    const { backend, speakers } = system;
    const loopback = await LoopbackSource.open({ backend, device: 'all' });
    expect(loopback.device).toMatchObject({ id: 'all', name: 'All outputs', flow: 'output' });
    const elsewhere: unknown[] = [];
    loopback.on('elsewhere', (one) => elsewhere.push(one));
    const changes: (string | undefined)[][] = [];
    loopback.on('deviceChange', ({ from, to, reason }: DeviceChange) =>
      changes.push([from?.id, to?.id, reason]),
    );
    const frames = (): number => loopback.stats().frames;
    const [start, startTime] = [frames(), loopback.timeAt(frames())];
    expect(await heard(loopback)).toEqual([true, true]);
    expect(elsewhere).toEqual([]);

    await loopback.setDevice(speakers);
    expect(await heard(loopback)).toEqual([true, false]);
    await loopback.setDevice('all');
    expect(await heard(loopback)).toEqual([true, true]);
    expect(changes).toEqual([
      ['all', expect.any(String), 'setDevice'],
      [changes[0][1], 'all', 'setDevice'],
    ]);
    // The timeline has gone on through both changes.
    const passed = Number(loopback.timeAt(frames()) - startTime) / 1e9;
    expect(Math.abs(passed - (frames() - start) / 48_000)).toBeLessThan(0.01);
    // A device that a stream shows selects the same for another stream.
    const other = await LoopbackSource.open({ backend, device: loopback.device });
    expect(other.device.id).toBe('all');
    await Promise.all([loopback.close(), other.close()]);
    await Promise.all([near.exit(), far.exit()]);
  });

  it.skipIf(inWine || simulatedOnly)('can be held by a child process', async () => {
    const player = await system.program!(440);
    const { backend } = system;
    const loopback = await LoopbackSource.open({ backend, device: 'all', isolation: 'process' });
    expect(await heard(loopback)).toEqual([true, false]);
    await loopback.close();
    await player.exit();
  });

  it.runIf(inWine)('is not available in Wine, which has no process loopback', async () => {
    const loopback = new LoopbackSource({ backend: system.backend, device: 'all' });
    const error = await event<Error & { code: string }>(loopback, 'error');
    expect(error.code).toBe('ERR_AUDIO_UNSUPPORTED');
    expect(error.message).toContain('has no process loopback');
  });

  it('refuses options that only one device has', () => {
    const device = 'all';
    expect(() => new LoopbackSource({ device, channelMap: [0] })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
    expect(() => new LoopbackSource({ device, shareMode: 'exclusive' })).toThrow(
      expect.objectContaining({ code: 'ERR_AUDIO_UNSUPPORTED' }),
    );
  });
});
