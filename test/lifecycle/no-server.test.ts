// A machine on which no audio server runs, or none for this user: the error says what to do, and that works.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { listDevices, VirtualSpeakerSource, type AudioError } from 'patchcord';

import { startPulseAudio } from '../servers.mjs';
import { isAbsent } from './linux-servers.js';

const run = promisify(execFile);
const backend = 'pulse';
const failure = () =>
  listDevices({ backend }).then(
    () => expect.unreachable('there is a server'),
    (error: AudioError) => error,
  );

describe.skipIf(isAbsent('pulse', 'errors without a server were not tried'))(
  'without a server, or without the right to use it,',
  () => {
    let folder: string;
    const saved = { ...process.env };
    beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'patchcord-no-server-'))));
    afterEach(() => {
      for (const key of ['HOME', 'XDG_RUNTIME_DIR', 'PULSE_SERVER', 'PULSE_COOKIE']) {
        if (saved[key] === undefined) delete process.env[key];
        else process.env[key] = saved[key];
      }
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    });

    it('the error names the command that starts a server, and the command does', async () => {
      const runtime = join(folder, 'run');
      mkdirSync(runtime, { mode: 0o700 });
      delete process.env.PULSE_SERVER;
      delete process.env.PULSE_COOKIE;
      Object.assign(process.env, { HOME: folder, XDG_RUNTIME_DIR: runtime });
      const { code, remedy } = await failure();
      expect(code).toBe('ERR_AUDIO_BACKEND_UNAVAILABLE');
      const command = /with `([^`]+)`/.exec(remedy!)![1];
      if (existsSync('/run/systemd/system')) {
        expect(command).toBe('systemctl --user start pipewire-pulse');
        return;
      }
      try {
        await run('sh', ['-c', command], { timeout: 20_000 });
        const speaker = await VirtualSpeakerSource.open({ backend });
        await speaker.close();
      } finally {
        await run('pulseaudio', ['--kill']).catch(() => {});
      }
    });

    it('a server that refuses the cookie is an error that says so', async () => {
      const reserved = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => reserved.once('listening', resolve));
      const { port } = reserved.address() as AddressInfo;
      await new Promise((resolve) => reserved.close(resolve));
      const server = await startPulseAudio({
        modules: [`module-native-protocol-tcp port=${port} listen=127.0.0.1 auth-anonymous=0`],
      });
      const cookie = join(folder, 'cookie');
      writeFileSync(cookie, Buffer.alloc(256, 7));
      Object.assign(process.env, { PULSE_SERVER: `tcp:127.0.0.1:${port}`, PULSE_COOKIE: cookie });
      try {
        const { code, message, remedy } = await failure();
        expect(code, message).toBe('ERR_AUDIO_PERMISSION_DENIED');
        expect(remedy).toMatch(/cookie/);
      } finally {
        await server.stop();
      }
    });
  },
);
