// Capturing programs through process loopback, on the simulated Windows audio engine. Its programs are
// numbers that no process of this Windows has, as those of other users are.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import {
  listAudioProcesses,
  listDevices,
  ProcessMonitor,
  ProcessSource,
  type AudioChunk,
  type AudioError,
  type AudioProcess,
  type ProcessOptions,
} from 'patchcord';

import { levelOf } from '../conformance/tone-level.js';
import { event, until } from '../conformance/wait.js';
import { toFloat } from '../instruments/index.js';
import { steerMmdevapi, type SteeredProcess } from './mmdevapi-control.mjs';

const backend = 'wasapi';
const rate = 48000;
let windows: Awaited<ReturnType<typeof steerMmdevapi>>;
let here: SteeredProcess;
beforeAll(async () => {
  windows = await steerMmdevapi();
  Object.assign(process.env, windows.env);
  await listDevices({ backend });
  here = await windows.process(process.pid);
});
afterEach(async () => {
  await here.send('mend');
  await here.send('stop speakers');
});
afterAll(() => windows.close());

const capture = (options: Omit<ProcessOptions, 'backend'>): ProcessSource =>
  new ProcessSource({ ...options, backend });

/** A second from the first frame that is not silence on, without its first 100 ms. */
async function hear(source: ProcessSource): Promise<Float32Array> {
  const chunks: AudioChunk[] = [];
  for await (const chunk of source.chunks()) {
    if (chunks.length === 0 && chunk.data.every((byte) => byte === 0)) continue;
    chunks.push(chunk);
    if (chunks.length === 110) break;
  }
  return toFloat(Buffer.concat(chunks.map(({ data }) => data)), source.format)[0].subarray(4800);
}

describe('programs on Windows', () => {
  it('are the sessions of every endpoint, with level, volume and mute', async () => {
    await here.send('play speakers tone 440 0.25 by 1001');
    await here.send('session speakers 1001 name "The Game"');
    await here.send('session speakers 1001 volume 0.5');
    const [game] = await listAudioProcesses({ backend });
    expect(game).toMatchObject({
      pid: 1001,
      startTime: 0n,
      displayName: 'The Game',
      state: 'active',
      volume: 0.5,
      muted: false,
    });
    expect(game.devices).toEqual([(await here.send('id speakers')).trim()]);
    expect(Math.abs(game.levelDb + 18)).toBeLessThan(1);
    const monitor = new ProcessMonitor({ backend });
    await monitor.ready;
    const muted = event<AudioProcess>(monitor, 'mute');
    await here.send('session speakers 1001 mute');
    expect((await muted).pid).toBe(1001);
    monitor.close();
    await here.send('session speakers 1001 unmute');
    await here.send('session speakers 1001 volume 1');
  });

  it('are told apart, summed, and left out', async () => {
    await here.send('play speakers tone 440 0.25 by 1001');
    await here.send('play speakers tone 1000 0.25 by 1002');
    await here.send('play speakers tone 3000 0.25 by 1003');
    const expectOnly = async (options: Omit<ProcessOptions, 'backend'>, loud: boolean[]) => {
      const tap = capture(options);
      const sound = await hear(tap);
      await tap.close();
      [440, 1000, 3000].forEach((frequency, k) => {
        if (loud[k]) expect(Math.abs(levelOf(sound, frequency) + 12.04)).toBeLessThan(0.5);
        else expect(levelOf(sound, frequency)).toBeLessThan(-90);
      });
    };
    await expectOnly({ process: 1001 }, [true, false, false]);
    await expectOnly({ process: [1002, 1003] }, [false, true, true]);
    await expectOnly({ process: 1002, mode: 'exclude' }, [true, false, true]);
    await expectOnly({ process: 0 }, [true, true, true]);
    await expectOnly({ process: [1001, 1002], mode: 'exclude' }, [false, false, true]);
    await expectOnly({ process: /1003/, mode: 'exclude' }, [true, true, false]);
  });

  it.each(['none', 'packets'])('are silence by the clock while they rest: %s', async (silence) => {
    await here.send(`process-silence ${silence}`);
    await here.send('play speakers tone 440 0.25 by 1001');
    const tap = capture({ process: 1001, durationMs: 1500 });
    const chunks: AudioChunk[] = [];
    for await (const chunk of tap.chunks()) {
      chunks.push(chunk);
      if (chunks.length === 60) await here.send('stop speakers by 1001');
      if (chunks.length === 100) await here.send('play speakers tone 440 0.25 by 1001');
    }
    expect(chunks.reduce((frames, chunk) => frames + chunk.frames, 0)).toBe(1.5 * rate);
    const sounds = chunks.map(({ data }) => data.some((byte) => byte !== 0));
    expect(sounds.slice(75, 95)).not.toContain(true);
    expect(sounds.slice(120).filter(Boolean).length).toBeGreaterThan(15);
    await here.send('process-silence none');
  });

  it('are captured when an activation failed twice, or was late', async () => {
    await here.send('play speakers tone 440 0.25 by 1001');
    for (const call of [
      'ActivateAudioInterfaceAsync',
      'IActivateAudioInterfaceAsyncOperation::GetActivateResult',
      'ActivateAudioInterface',
      'IAudioClient::Initialize',
    ]) {
      await here.send(`fail process-loopback ${call} 0x88890008 times 2`);
      const tap = capture({ process: 1001 });
      expect(levelOf(await hear(tap), 440)).toBeGreaterThan(-13);
      await tap.close();
      await here.send('mend');
    }
    await here.send('hang process-loopback ActivateAudioInterface');
    const late = capture({ process: 1001 });
    await until(async () => (await here.send('hanging')).trim() === '1', 'the activation');
    await here.send('mend');
    expect(levelOf(await hear(late), 440)).toBeGreaterThan(-13);
    await late.close();
  });

  it.each([
    ['0x80070005', 'ERR_AUDIO_PERMISSION_DENIED', 'access to it is denied'],
    ['0x80070002', 'ERR_AUDIO_UNSUPPORTED', 'has no process loopback'],
    ['0x80004001', 'ERR_AUDIO_UNSUPPORTED', 'has no process loopback'],
    ['0x88890008', 'ERR_AUDIO_FORMAT_UNSUPPORTED', 'process 1001'],
    ['0x88890010', 'ERR_AUDIO_BACKEND_UNAVAILABLE', 'process 1001'],
  ])('that cannot be captured (%s) are %s', async (result, code, words) => {
    await here.send('play speakers tone 440 0.25 by 1001');
    await here.send(`fail process-loopback ActivateAudioInterface ${result}`);
    const tap = capture({ process: 1001, recover: false });
    const error = await event<AudioError>(tap, 'error');
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });

  it('leave nothing behind, whether capturing them fails or not', async () => {
    await here.send('play speakers tone 440 0.25 by 1001');
    const objects = async () => Number(await here.send('objects'));
    const once = async () => {
      const tap = capture({ process: 1001 });
      tap.on('error', () => {}); // `ready` tells
      await tap.ready;
      await tap.close();
    };
    await once();
    const before = await objects();
    for (let i = 0; i < 5; i++) await once();
    await here.send('fail process-loopback ActivateAudioInterface 0x80070005');
    for (let i = 0; i < 5; i++) await expect(once()).rejects.toThrow('denied');
    await until(async () => (await objects()) <= before, 'their objects to go');
  });

  it('end the stream when they are gone, or are waited for', async () => {
    await here.send('play speakers tone 440 0.25 by 1001');
    const tap = capture({ process: 1001 });
    const ended = event(tap, 'end');
    await hear(tap);
    tap.resume();
    await here.send('process-ended 1001');
    await ended;
    const waiting = capture({ process: /^process 1002$/, waitForProcess: true });
    const attached = event<{ process: AudioProcess }>(waiting, 'attach');
    await waiting.ready;
    await here.send('play speakers tone 1000 0.25 by 1002');
    expect((await attached).process.pid).toBe(1002);
    await waiting.close();
  });
});
