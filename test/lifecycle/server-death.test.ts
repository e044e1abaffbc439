// The audio server dies under running streams, and is not there to begin with.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import {
  DeviceMonitor,
  listDevices,
  LoopbackSource,
  MicSource,
  Mixer,
  ProcessSource,
  VirtualMicSink,
  type AudioError,
} from 'patchcord';

import { startPipeWire, startPulseAudio, whyAbsent } from '../servers.mjs';
import { event, until } from '../conformance/wait.js';
import { createOutside } from '../windows/outside.mjs';

const linux = process.platform === 'linux';
const saved = { ...process.env };
afterEach(() => {
  for (const name of ['PULSE_SERVER', 'XDG_RUNTIME_DIR', 'PULSE_RUNTIME_PATH']) {
    if (saved[name] === undefined) delete process.env[name];
    else process.env[name] = saved[name];
  }
});

function isAbsent(name: 'pulse' | 'pipewire'): boolean {
  const absent = whyAbsent(name);
  if (!absent) return false;
  expect(process.env.PATCHCORD_REQUIRE_ALL, absent).toBeFalsy();
  console.log(`absent: ${name} (${absent}): its death was not tried`);
  return true;
}

describe.runIf(linux)('the audio server', () => {
  it.each([
    ['PulseAudio', 'pulse', startPulseAudio],
    ['PipeWire', 'pipewire', startPipeWire],
  ] as const)(
    '%s is killed: programs are captured again on the next one',
    { timeout: 60_000 },
    async (_title, name, start) => {
      if (isAbsent(name)) return;
      const folder = mkdtempSync(join(tmpdir(), 'patchcord-death-'));
      const play = async (env: Record<string, string>) => {
        const outside = createOutside({ env, folder });
        await outside.play({ device: 'speakers', frequency: 440 });
        return outside;
      };
      const server = await start();
      Object.assign(process.env, server.env);
      const first = await play(server.env);
      const source = new ProcessSource({
        backend: 'pulse',
        process: /^outside-/,
        waitForProcess: true,
      });
      source.resume();
      await until(() => source.level().peakDb > -13, 'the program');
      const left = Promise.all([event(source, 'rebuild'), event(source, 'detach')]);
      await server.kill();
      await left;
      await first.close();
      await server.stop();
      await until(() => source.level().peakDb < -90, 'silence');
      expect(source.processes).toEqual([]);

      const back = Promise.all([event(source, 'recovered'), event(source, 'attach')]);
      const next = await start();
      Object.assign(process.env, next.env);
      const second = await play(next.env);
      await back;
      await until(() => source.level().peakDb > -13, 'the program again');
      await source.close();
      await second.close();
      await next.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  );

  it.each([
    ['PulseAudio', 'pulse', startPulseAudio],
    ['PipeWire', 'pipewire', startPipeWire],
  ] as const)(
    '%s is killed: streams wait for the next one and go on, or say so and close',
    async (_title, name, start) => {
      if (isAbsent(name)) return;
      const server = await start();
      Object.assign(process.env, server.env);
      const backend = 'pulse';
      const mic = new MicSource({ backend });
      const loopback = new LoopbackSource({ backend, recover: false });
      const mixer = new Mixer();
      const sink = new VirtualMicSink({ backend });
      const monitor = new DeviceMonitor({ backend });
      monitor.on('error', () => {});
      mic.pipe(mixer.createInput());
      loopback.pipe(mixer.createInput());
      mixer.pipe(sink);
      await Promise.all([mic.ready, loopback.ready, sink.ready, monitor.ready]);
      const gone = Promise.all([event(mic, 'rebuild'), event(sink, 'rebuild')]);
      const closed = event(loopback, 'close');
      const failed = event<AudioError>(loopback, 'error');
      await server.kill();
      await gone;
      expect(['ERR_AUDIO_DEVICE_LOST', 'ERR_AUDIO_BACKEND_UNAVAILABLE']).toContain(
        (await failed).code,
      );
      await closed;
      // The mix itself continues, in time.
      const before = mixer.stats().frames;
      await until(() => mixer.stats().frames > before + 24000, 'half a second of the mix');
      await server.stop();

      const back = Promise.all([event(mic, 'recovered'), event(sink, 'recovered')]);
      const next = await start();
      Object.assign(process.env, next.env);
      await back;
      const packets = mic.stats().packets;
      await until(() => mic.stats().packets > packets + 20, 'the microphone again');
      // The virtual microphone was made again, on the next server.
      const listener = new MicSource({ backend, device: sink.microphone, durationMs: 200 });
      let bytes = 0;
      for await (const chunk of listener) bytes += chunk.length;
      expect(bytes).toBe(200 * 48 * 8);
      expect(mic.stats().lostFrames).toBeGreaterThan(0);
      await Promise.all([mic.close(), sink.close()]);
      await mixer.close();
      monitor.close();
      await next.stop();
    },
  );

  it.each([
    ['PulseAudio', 'pulse', startPulseAudio],
    ['PipeWire', 'pipewire', startPipeWire],
  ] as const)(
    '%s opens the streams of the devices that it has listed, whatever PULSE_SERVER says later',
    { timeout: 60_000 },
    async (_title, name, start) => {
      if (isAbsent(name)) return;
      const server = await start();
      Object.assign(process.env, server.env);
      const monitor = new DeviceMonitor({ backend: 'pulse' });
      await monitor.ready;
      process.env.PULSE_SERVER = 'unix:/nonexistent/patchcord/native';
      const mic = new MicSource({ backend: 'pulse', durationMs: 200 });
      let bytes = 0;
      for await (const chunk of mic) bytes += chunk.length;
      expect(bytes).toBe(200 * 48 * 8);
      monitor.close();
      await server.stop();
    },
  );

  it('is not there: the error says what to start', async () => {
    process.env.PULSE_SERVER = 'unix:/nonexistent/patchcord/native';
    await expect(listDevices({ backend: 'pulse' })).rejects.toMatchObject({
      code: 'ERR_AUDIO_BACKEND_UNAVAILABLE',
      remedy: expect.stringMatching(/pipewire|pulseaudio/) as string,
    });
    const mic = new MicSource({ backend: 'pulse' });
    const error = await event<AudioError>(mic, 'error');
    expect(error.code).toBe('ERR_AUDIO_BACKEND_UNAVAILABLE');
  });
});
