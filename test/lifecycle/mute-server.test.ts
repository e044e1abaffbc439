// An audio server that takes connections and never answers.
import type { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  listDevices,
  LoopbackSource,
  MicSource,
  ProcessSource,
  SpeakerSink,
  VirtualMicSink,
} from 'patchcord';

import { whyAbsent } from '../servers.mjs';

describe.runIf(process.platform === 'linux')('a server that does not answer', () => {
  const absent = whyAbsent('pulse');
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-mute-'));
  const before = process.env.PULSE_SERVER;
  let server: Server;
  beforeAll(() => {
    server = createServer(() => {}).listen(join(folder, 'native'));
    process.env.PULSE_SERVER = `unix:${folder}/native`;
  });
  afterAll(() => {
    server.close();
    if (before === undefined) delete process.env.PULSE_SERVER;
    else process.env.PULSE_SERVER = before;
    rmSync(folder, { recursive: true, force: true });
  });

  function isAbsent(): boolean {
    if (absent) expect(process.env.PATCHCORD_REQUIRE_ALL, absent).toBeFalsy();
    return Boolean(absent);
  }

  it.each([
    ['MicSource', () => new MicSource({ backend: 'pulse' })],
    ['LoopbackSource', () => new LoopbackSource({ backend: 'pulse' })],
    ['ProcessSource', () => new ProcessSource({ backend: 'pulse', process: 0 })],
    ['SpeakerSink', () => new SpeakerSink({ backend: 'pulse' })],
    ['VirtualMicSink', () => new VirtualMicSink({ backend: 'pulse' })],
  ])('holds up the destroy() of a %s for a moment only', async (_name, make) => {
    if (isAbsent()) return;
    const stream = make();
    const ready = expect(stream.ready).rejects.toMatchObject({
      code: 'ERR_STREAM_PREMATURE_CLOSE',
    });
    await delay(200);
    const from = performance.now();
    const closed = new Promise((resolve) => (stream as EventEmitter).once('close', resolve));
    stream.destroy();
    await closed;
    // Connecting takes 5 s.
    expect(performance.now() - from).toBeLessThan(2000);
    await ready;
  });

  // Connecting takes 5 s. One after the other, they would take 20 s.
  it('fails all calls together that wait for it', { timeout: 30_000 }, async () => {
    if (isAbsent()) return;
    const from = performance.now();
    const unavailable = { code: 'ERR_AUDIO_BACKEND_UNAVAILABLE' };
    const mic = new MicSource({ backend: 'pulse' });
    mic.on('error', () => {});
    await Promise.all([
      ...[1, 2, 3].map(() =>
        expect(listDevices({ backend: 'pulse' })).rejects.toMatchObject(unavailable),
      ),
      expect(mic.ready).rejects.toMatchObject(unavailable),
    ]);
    expect(performance.now() - from).toBeLessThan(9000);
    // A later call tries again.
    server.close();
    await expect(listDevices({ backend: 'pulse' })).rejects.toThrow(/could be reached/);
  });
});
