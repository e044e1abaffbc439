// The report of getCapabilities() on a system agrees with what its streams then do.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  getCapabilities,
  listDevices,
  MicSource,
  ProcessSource,
  type AudioSource,
  type Capability,
} from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

import { openSystem, type System } from './system.js';

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

const works: Capability = { supported: true };
const fails = (reason: RegExp): unknown =>
  expect.objectContaining({ supported: false, reason: expect.stringMatching(reason) as string });

const inWine = process.env.PATCHCORD_TEST_BACKEND === 'wasapi';

describe('getCapabilities()', () => {
  it('reports what works here, and leaves no device and no stream behind', async () => {
    const { backend } = system;
    const before = (await listDevices({ backend })).map(({ id }) => id).sort();
    const found = await getCapabilities({ backend });
    expect((await listDevices({ backend })).map(({ id }) => id).sort()).toEqual(before);

    expect(found.backends.simulated).toEqual(works);
    const [here, other] = inWine ? (['wasapi', 'pulse'] as const) : (['pulse', 'wasapi'] as const);
    expect(found.backends[other]).toEqual(fails(/./));
    if (typeof backend === 'string' && backend !== 'simulated') {
      expect(found.backends[here]).toEqual(works);
    }
    expect(found.micPermission).toEqual(works);
    expect(found.loopback).toEqual(works);
    expect(found.virtualMic.supported).toBe(!inWine || system.cable !== undefined);
    expect(found.exclusive).toEqual(inWine ? works : fails(/only WASAPI/));
    expect(found.processCapture).toEqual(inWine ? fails(/process loopback/) : works);

    const open = async (source: AudioSource): Promise<boolean> => {
      const opened = await source.ready.then(
        () => true,
        () => false,
      );
      if (opened) await source.close();
      return opened;
    };
    const programs = new ProcessSource({ backend, process: 0, recover: false });
    expect(await open(programs)).toBe(found.processCapture.supported);
    const mic = await MicSource.open({ backend, lowLatency: true });
    expect(mic.granted.lowLatency).toBe(found.lowLatency.supported);
    expect(mic.granted.realtime).toBe(found.realtime.supported);
    for (const name of ['lowLatency', 'realtime'] as const) {
      const { supported, reason } = found[name];
      if (!supported) expect(reason).toContain(mic.granted.reasons[name] ?? 'not granted');
    }
    await mic.close();
  });

  it('gives the reason and the remedy of what does not work', async () => {
    const audio = new SimulatedAudio({ devices: [{ id: 'mic', flow: 'input' }] });
    audio.device('mic').deny();
    const found = await getCapabilities({ backend: audio });
    expect(found.micPermission).toMatchObject({ supported: false, remedy: expect.any(String) });
    expect(found.micPermission).toEqual(fails(/denie|access/));
    expect(found.lowLatency).toEqual(found.micPermission);
    expect(found.loopback).toEqual(fails(/output/));
    audio.device('mic').remove();
    expect((await getCapabilities({ backend: audio })).micPermission).toEqual(fails(/find/));
    audio.serverGone();
    const gone = await getCapabilities({ backend: audio });
    for (const name of ['micPermission', 'loopback', 'processCapture', 'virtualMic'] as const) {
      expect(gone[name].supported).toBe(false);
    }
  });

  it('rejects for wrong arguments', async () => {
    await expect(getCapabilities({ backend: 'alsa' as never })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
    await expect(getCapabilities({ bakend: 'pulse' } as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
    await expect(getCapabilities('pulse' as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });
});
