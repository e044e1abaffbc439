// Unusual behaviour of a Windows machine, or of the program around the package: a JavaScript thread that is a
// single-threaded apartment, two copies of the addon, endpoints in every state, with names in any script, or
// with none. On the simulated Windows audio engine; runs in Wine (mmdevapi.mjs).
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type * as Patchcord from 'patchcord';
import { listDevices, LoopbackSource, MicSource, SpeakerSink, type AudioError } from 'patchcord';

import { event } from '../conformance/wait.js';
import { steerThisProcess, type SteeredProcess, type Windows } from './steer-this-process.js';

const backend = 'wasapi';
const project = fileURLToPath(new URL('../..', import.meta.url));

let windows: Windows;
let here: SteeredProcess;
beforeAll(async () => {
  // All of this file runs on such a thread.
  process.dlopen({ exports: {} }, process.env.PATCHCORD_STA_THREAD as string);
  ({ windows, here } = await steerThisProcess());
});
afterAll(() => windows.close());
afterEach(async () => {
  await here.send('mend');
  await here.send('remove usb').catch(() => {}); // where there is one
});

async function heard(source: MicSource | LoopbackSource) {
  await event(source, 'data');
  source.destroy();
  await event(source, 'close');
}

describe('a JavaScript thread that is a single-threaded apartment', () => {
  it('does not affect the addon, which has its own threads', async () => {
    expect(process.env.PATCHCORD_STA).toBe('0x00000000');
    await heard(new MicSource({ backend }));
    await heard(new LoopbackSource({ backend }));
    const sink = new SpeakerSink({ backend });
    await sink.ready;
    sink.destroy();
  });
});

describe('a second copy of the package', () => {
  it('streams beside the first, and in a worker', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copy-'));
    const require = createRequire(import.meta.url);
    for (const name of ['dist', 'prebuilds', 'package.json']) {
      cpSync(join(project, name), join(folder, 'patchcord', name), { recursive: true });
    }
    const entry = join(folder, 'patchcord/dist/index.js');
    const copy = require(entry) as typeof Patchcord;
    expect(copy.MicSource).not.toBe(MicSource);
    const first = new MicSource({ backend });
    const second = new copy.MicSource({ backend });
    await Promise.all([event(first, 'data'), event(second, 'data')]);
    await Promise.all([first.close(), second.close()]);
    const addons = Object.keys(require.cache).filter((path) => path.endsWith('.node'));
    expect(addons.some((path) => path.startsWith(folder))).toBe(true);
    const script = `const { MicSource } = require(${JSON.stringify(entry)});
      new MicSource({ backend: '${backend}', durationMs: 100 }).resume();`;
    const worker = new Worker(script, { eval: true });
    expect(await event<number>(worker as never, 'exit')).toBe(0);
    await heard(new MicSource({ backend }));
    // The loaded addon cannot be deleted before this process ends.
    rmSync(join(folder, 'patchcord/dist'), { recursive: true });
  });
});

describe('endpoints', () => {
  it.each(['disabled', 'notpresent', 'unplugged'])(
    'that are %s are listed so, and cannot be opened',
    async (state) => {
      await here.send('device usb input 48000 2 f32 "Headset (USB Audio)"');
      await here.send(`state usb ${state}`);
      const devices = await listDevices({ backend, state: 'all' });
      const found = devices.find(({ name }) => name.startsWith('Headset'));
      expect(found?.state.toLowerCase()).toBe(state);
      const mic = new MicSource({ backend, device: found, recover: false });
      const error = await event<AudioError>(mic, 'error');
      expect(error.code).toBe('ERR_AUDIO_DEVICE_NOT_FOUND');
      expect(error.message).toMatch(/disabled|not ?present|unplugged/i);
    },
  );

  it('that no longer exist, or never did, are not found', async () => {
    await here.send('device usb input 48000 2 f32 "Headset (USB Audio)"');
    const [usb] = (await listDevices({ backend })).filter(({ name }) => name.startsWith('Headset'));
    await here.send('remove usb');
    const ids = [usb.id, '{0.0.1.00000000}.{no-guid}', '\ud800', '麦克风', 'x'.repeat(10_000)];
    for (const device of [usb, ...ids]) {
      const mic = new MicSource({ backend, device, recover: false });
      const error = await event<AudioError>(mic, 'error');
      expect(error.code).toBe('ERR_AUDIO_DEVICE_NOT_FOUND');
    }
  });

  it.each(['Микрофон (Наушники)', 'مايكروفون', '麦克风 (Realtek®)', '🎤 Emoji', 'I\u0307 ı ß'])(
    'are found by a name in any script: %s',
    async (name) => {
      await here.send(`device usb input 48000 2 f32 "${name}"`);
      const mic = new MicSource({ backend, device: name });
      await mic.ready;
      expect(mic.device?.name).toBe(name);
      await heard(mic);
    },
  );

  it('without any property are called by their id, have the format of their mix, and stream', async () => {
    // Success, and a value of no type, as of a property that nobody set.
    await here.send('fail * IPropertyStore::GetValue 0x00000000');
    const devices = await listDevices({ backend });
    expect(devices).toHaveLength(4);
    for (const { id, name, format } of devices) {
      expect(name).toBe(id);
      expect(format).toEqual({ sampleRate: 48000, channels: 2, sampleFormat: 'f32' });
    }
    const [mic] = devices;
    await heard(new MicSource({ backend, device: mic.id }));
  });
});
