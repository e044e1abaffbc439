// Devices that have the same name.
import { describe, expect, it } from 'vitest';

import { MicSource, SpeakerSink, type AudioError, type DeviceChange } from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

import { event } from '../conformance/wait.js';

const world = () =>
  new SimulatedAudio({
    devices: [
      { id: 'first', name: 'Headset', flow: 'input' },
      { id: 'second', name: 'Headset', flow: 'input' },
      { id: 'out-1', name: 'USB Audio', flow: 'output' },
      { id: 'out-2', name: 'USB Audio', flow: 'output' },
    ],
  });

describe('two devices of one name', () => {
  it.each([
    ['an exact name', 'Headset'],
    ['a part of it', 'head'],
  ])('are an error with their ids, for %s', async (_what, device) => {
    const failure = await MicSource.open({ backend: world(), device }).catch(
      (error: unknown) => error as AudioError,
    );
    expect(failure).toMatchObject({ code: 'ERR_AUDIO_DEVICE_NOT_FOUND' });
    expect((failure as AudioError).message).toContain(
      "'Headset' (id 'first'), 'Headset' (id 'second')",
    );
    await expect(SpeakerSink.open({ backend: world(), device: 'USB Audio' })).rejects.toThrow(
      "(id 'out-1')",
    );
  });

  it('are chosen by id; the loss of one does not lead to the other', async () => {
    await using audio = world();
    const mic = await MicSource.open({ backend: audio, device: 'first' });
    mic.resume();
    const changes: DeviceChange[] = [];
    mic.on('deviceChange', (change) => changes.push(change));
    const gone = event(mic, 'rebuild');
    audio.device('first').unplug();
    await gone;
    // Something happens, and is no reason to go there.
    audio.addDevice({ id: 'third', name: 'Another', flow: 'input' });
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(changes).toEqual([]);
    const back = event(mic, 'recovered');
    audio.device('first').plug();
    await back;
    expect(mic.device?.id).toBe('first');
    expect(changes).toEqual([]);
    await mic.close();
  });

  it('one that comes after the loss is taken for it, until it is back itself', async () => {
    await using audio = world();
    const mic = await MicSource.open({ backend: audio, device: 'first' });
    mic.resume();
    audio.device('first').unplug();
    await event(mic, 'rebuild');
    const moved = event<DeviceChange>(mic, 'deviceChange');
    audio.addDevice({ id: 'replugged', name: 'Headset', flow: 'input' });
    expect((await moved).to?.id).toBe('replugged');
    const returned = event<DeviceChange>(mic, 'deviceChange');
    audio.device('first').plug();
    expect(await returned).toMatchObject({
      from: { id: 'replugged' },
      to: { id: 'first' },
      reason: 'deviceLost',
    });
    await mic.close();
  });
});
