// A server that is held up, or stands still, while it is recorded: what it hands over late is in its place, and the
// stream is as long as the time that passed.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  LoopbackSource,
  MicSource,
  Mixer,
  ProcessSource,
  type AudioSource,
  type Discontinuity,
} from 'patchcord';

import { startPulseAudio, whyAbsent } from '../servers.mjs';
import { createOutside } from '../windows/outside.mjs';

/** Zeros that last for a millisecond: no tone has them. */
const leastHole = 48;
const rate = 48_000;

interface Recording {
  stream: AudioSource | Mixer;
  told: Discontinuity[];
  holes: number;
}

function record(stream: AudioSource | Mixer): Recording {
  const recording: Recording = { stream, told: [], holes: 0 };
  let zeros = 0;
  let sounded = 0;
  stream.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; at += 8) {
      const silent = chunk.readFloatLE(at) === 0;
      zeros = silent ? zeros + 1 : 0;
      if (!silent) sounded++;
      if (sounded > rate && zeros === leastHole) recording.holes++;
    }
  });
  stream.on('discontinuity', (event: Discontinuity) => recording.told.push(event));
  return recording;
}

const saved = { ...process.env };

describe.runIf(process.platform === 'linux')('PulseAudio', () => {
  const absent = whyAbsent('pulse');
  let server: Awaited<ReturnType<typeof startPulseAudio>>;
  let outside: ReturnType<typeof createOutside>;
  let pid: number;

  beforeEach(async () => {
    if (absent) return;
    server = await startPulseAudio();
    Object.assign(process.env, server.env);
    const folder = mkdtempSync(join(tmpdir(), 'patchcord-stalls-'));
    outside = createOutside({ env: server.env, folder });
    const player = await outside.play({ device: 'speakers', frequency: 440 });
    await outside.play({ device: 'micfeed', frequency: 331 });
    ({ pid } = await outside.identify({ player }));
  });
  afterEach(async () => {
    if (absent) return;
    await outside.close();
    await server.stop();
    for (const key of ['PULSE_SERVER', 'XDG_RUNTIME_DIR', 'PULSE_RUNTIME_PATH']) {
      if (saved[key] === undefined) delete process.env[key];
      else process.env[key] = saved[key];
    }
  });

  async function stand(ms: number, pause: number): Promise<void> {
    process.kill(-server.pid, 'SIGSTOP');
    await delay(ms);
    process.kill(-server.pid, 'SIGCONT');
    await delay(pause);
  }

  function isAbsent(): boolean {
    if (!absent) return false;
    expect(process.env.PATCHCORD_REQUIRE_ALL, absent).toBeFalsy();
    console.log(`absent: PulseAudio (${absent}): it was not held up`);
    return true;
  }

  it.each([45, 80])(
    'is held up for %d ms seven times: no recording has a hole',
    { timeout: 60_000 },
    async (ms) => {
      if (isAbsent()) return;
      const loopback = new LoopbackSource({ backend: 'pulse' });
      const program = new ProcessSource({ backend: 'pulse', process: pid });
      const mixed = new LoopbackSource({ backend: 'pulse' });
      const mixer = new Mixer();
      mixed.pipe(mixer.createInput());
      const recordings = [loopback, program, mixer].map(record);
      await Promise.all([loopback.ready, program.ready, mixed.ready]);
      await delay(2000);
      for (let i = 0; i < 7; i++) await stand(ms, 1000);
      for (const { stream, told, holes } of recordings) {
        expect([stream.constructor.name, holes, told]).toEqual([stream.constructor.name, 0, []]);
      }
      for (const one of [loopback, program, mixed, mixer]) one.destroy();
    },
  );

  it.each(['device', 'host'] as const)(
    'stands still for 3 s twice: streams are as long as the time, by the clock of the %s',
    { timeout: 60_000 },
    async (clock) => {
      if (isAbsent()) return;
      const sources = [
        new MicSource({ backend: 'pulse', clock }),
        new LoopbackSource({ backend: 'pulse', clock }),
      ];
      const recordings = sources.map(record);
      await Promise.all(sources.map(({ ready }) => ready));
      await delay(3000);
      /** How long ago the newest frame was heard, and the length of the stream less the time, in ms. */
      const ages = () =>
        sources.map((source) => {
          const { frames } = source.stats();
          const now = process.hrtime.bigint();
          return {
            newest: Number(now - source.timeAt(frames)) / 1e6,
            length: (frames * 1000) / rate - Number(now) / 1e6,
          };
        });
      const before = ages();
      for (let i = 0; i < 2; i++) await stand(3000, 4000);
      // 10 ms, and as much as a packet is long: so much of both is chance.
      ages().forEach(({ newest, length }, i) => {
        expect(Math.abs(newest - before[i].newest)).toBeLessThan(20);
        expect(Math.abs(length - before[i].length)).toBeLessThan(20);
      });
      for (const { stream, told } of recordings) {
        const counted = told.filter(({ reason }) => reason === 'device');
        const lost = counted.reduce((sum, { frames }) => sum + frames, 0);
        const { lostFrames } = (stream as AudioSource).stats();
        expect(lost).toBe(lostFrames);
        for (let i = 1; i < counted.length; i++) {
          expect(counted[i].frame).toBeGreaterThan(counted[i - 1].frame + counted[i - 1].frames);
        }
      }
      for (const source of sources) source.destroy();
    },
  );
});
