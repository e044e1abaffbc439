// DeviceMonitor, on the simulated system with a manual clock: every change of devices, and a system that has none.
import { describe, expect, it } from 'vitest';

import {
  DeviceMonitor,
  getDefaultDevice,
  listDevices,
  MicSource,
  type AudioError,
} from 'patchcord';
import { SimulatedAudio, type SimulatedAudioOptions } from 'patchcord/testing';

import { event } from './wait.js';

async function watch(options: SimulatedAudioOptions) {
  const audio = new SimulatedAudio({ clock: 'manual', ...options });
  const monitor = new DeviceMonitor({ backend: audio });
  const told: string[] = [];
  monitor.on('add', ({ id }) => told.push(`add ${id}`));
  monitor.on('remove', ({ id }) => told.push(`remove ${id}`));
  monitor.on('change', ({ id, state, name, format }, before) => {
    if (state !== before.state) told.push(`${id} ${state}`);
    if (name !== before.name) told.push(`${id} is called ${name}`);
    if (format.sampleRate !== before.format.sampleRate) told.push(`${id} ${format.sampleRate} Hz`);
  });
  monitor.on('defaultChange', ({ flow, role, device }) => {
    told.push(`${flow} ${role} ${device?.id ?? 'none'}`);
  });
  monitor.on('error', (error) => told.push((error as AudioError).code));
  await monitor.ready;
  /** The events that it emits for these. */
  const of = async (...acts: (() => unknown)[]) => {
    told.length = 0;
    for (const act of acts) act();
    await audio.advance(20);
    return [...told];
  };
  return { audio, monitor, of };
}

const format = { sampleRate: 16000, channels: 1, sampleFormat: 's16' } as const;

describe('DeviceMonitor', () => {
  it('reports devices that are added, removed and changed, and every role', async () => {
    const { audio, monitor, of } = await watch({
      devices: [
        { id: 'mic', flow: 'input', defaultConsole: true, defaultCommunications: true },
        { id: 'speakers', flow: 'output', defaultConsole: true, defaultCommunications: true },
      ],
    });
    expect(monitor.devices.map(({ id }) => id)).toEqual(['mic', 'speakers']);
    expect(await of(() => audio.addDevice({ id: 'usb', flow: 'input' }))).toEqual(['add usb']);
    expect(await of(() => audio.device('usb').setDefault('communications'))).toEqual([
      'input communications usb',
    ]);
    expect(await of(() => audio.device('usb').setDefault())).toEqual(['input console usb']);
    expect(await of(() => audio.device('usb').setFormat(format))).toEqual(['usb 16000 Hz']);
    // The device that takes its place is reported with it.
    expect(await of(() => audio.device('usb').unplug())).toEqual([
      'usb unplugged',
      'input console mic',
      'input communications mic',
    ]);
    expect(await of(() => audio.device('usb').setState('disabled'))).toEqual(['usb disabled']);
    expect(await of(() => audio.device('usb').setState('notPresent'))).toEqual(['usb notPresent']);
    expect(await of(() => audio.device('usb').remove())).toEqual(['remove usb']);
    monitor.close();
    expect(await of(() => audio.addDevice({ id: 'late', flow: 'input' }))).toEqual([]);
  });

  it('does not report a device that is added and removed at once', async () => {
    const { audio, monitor, of } = await watch({ devices: [{ id: 'mic', flow: 'input' }] });
    const told = await of(
      () => audio.device('mic').unplug(),
      () => audio.device('mic').plug(),
    );
    expect(told.filter((one) => one.startsWith('mic'))).toEqual([]);
    monitor.close();
  });

  it('works on a system without devices', async () => {
    const { audio, monitor, of } = await watch({ devices: [], cables: [] });
    expect(monitor.devices).toEqual([]);
    expect(await listDevices({ backend: audio })).toEqual([]);
    expect(await getDefaultDevice('input', 'console', { backend: audio })).toBe(null);
    const failed = event<AudioError>(new MicSource({ backend: audio }), 'error');
    await audio.advance(10);
    expect(await failed).toMatchObject({ code: 'ERR_AUDIO_DEVICE_NOT_FOUND' });
    expect((await failed).message).toContain('no input device at all');
    expect(await of(() => audio.addDevice({ id: 'usb', flow: 'input' }))).toEqual([
      'add usb',
      'input console usb',
      'input communications usb',
    ]);
    expect(await of(() => audio.device('usb').remove())).toEqual([
      'remove usb',
      'input console none',
      'input communications none',
    ]);
    monitor.close();
  });

  it('reports once that the system is gone, and continues when it is back', async () => {
    const { audio, monitor, of } = await watch({ devices: [{ id: 'mic', flow: 'input' }] });
    expect(await of(() => audio.serverGone())).toEqual(['ERR_AUDIO_BACKEND_UNAVAILABLE']);
    await audio.advance(5000);
    expect(await of(() => audio.addDevice({ id: 'usb', flow: 'input' }))).toEqual([]);
    expect(
      await of(
        () => audio.serverBack(),
        () => void audio.advance(1000),
      ),
    ).toEqual(['add usb']);
    expect(await of(() => audio.device('usb').unplug())).toContain('usb unplugged');
    monitor.close();
  });
});
