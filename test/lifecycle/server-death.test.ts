// The audio server dies under running streams, and is not there to begin with.
import { afterEach, describe, expect, it } from 'vitest';

import {
  DeviceMonitor,
  listDevices,
  LoopbackSource,
  MicSource,
  Mixer,
  VirtualMicSink,
  type AudioError,
} from 'patchcord';

import { startPipeWire, startPulseAudio, whyAbsent } from '../servers.mjs';
import { event } from '../conformance/wait.js';

const linux = process.platform === 'linux';
const saved = { ...process.env };
afterEach(() => {
  for (const name of ['PULSE_SERVER', 'XDG_RUNTIME_DIR', 'PULSE_RUNTIME_PATH']) {
    if (saved[name] === undefined) delete process.env[name];
    else process.env[name] = saved[name];
  }
});

describe.runIf(linux)('the audio server', () => {
  it.each([
    ['PulseAudio', 'pulse', startPulseAudio],
    ['PipeWire', 'pipewire', startPipeWire],
  ] as const)(
    '%s is killed: every stream says so and closes, and the next server serves',
    async (_title, name, start) => {
      const absent = whyAbsent(name);
      if (absent) {
        expect(process.env.PATCHCORD_REQUIRE_ALL, absent).toBeFalsy();
        console.log(`absent: ${name} (${absent}): its death was not tried`);
        return;
      }
      const server = await start();
      Object.assign(process.env, server.env);
      const backend = 'pulse';
      const mic = new MicSource({ backend });
      const loopback = new LoopbackSource({ backend });
      const mixer = new Mixer();
      const sink = new VirtualMicSink({ backend });
      const monitor = new DeviceMonitor({ backend });
      monitor.on('error', () => {});
      mic.pipe(mixer.createInput());
      loopback.pipe(mixer.createInput());
      mixer.pipe(sink);
      await Promise.all([mic.ready, loopback.ready, sink.ready, monitor.ready]);
      const failures = [mic, loopback, sink].map(async (stream) => {
        const closed = event(stream, 'close');
        const error = await event<AudioError>(stream, 'error');
        await closed;
        return error.code;
      });
      await server.kill();
      for (const code of await Promise.all(failures)) {
        expect(['ERR_AUDIO_DEVICE_LOST', 'ERR_AUDIO_BACKEND_UNAVAILABLE']).toContain(code);
      }
      // The mix itself goes on.
      expect(mixer.destroyed).toBe(false);
      await mixer.close();
      monitor.close();
      await server.stop();

      const next = await start();
      Object.assign(process.env, next.env);
      const again = new MicSource({ backend, durationMs: 200 });
      let bytes = 0;
      for await (const chunk of again) bytes += (chunk as Buffer).length;
      expect(bytes).toBe(200 * 48 * 8);
      await next.stop();
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
