// A server that is held up, or stands still, while it is recorded: what it hands over late is in its place, and the
// stream is as long as the time that passed.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  listDevices,
  LoopbackSource,
  MicSource,
  Mixer,
  ProcessSource,
  VirtualMicSink,
  type AudioReadable,
  type AudioSource,
  type Discontinuity,
} from 'patchcord';

import { whyAbsent } from '../servers.mjs';
import { createOutside } from '../windows/outside.mjs';
import { leaveServer, linuxServers } from './linux-servers.js';

/** Zeros that last for a millisecond: no tone has them. */
const leastHole = 48;
const rate = 48_000;

interface Recording {
  stream: AudioSource | Mixer;
  told: Discontinuity[];
  holes: Holes;
}

/** Finds the silence after the first second of sound in a recording of float samples, two channels. */
class Holes {
  count = 0;
  silent = 0;
  frames = 0;
  #zeros = 0;
  #sounded = 0;

  add(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += 8) {
      this.frames++;
      if (chunk.readFloatLE(at) !== 0) {
        this.#zeros = 0;
        this.#sounded++;
      } else if (this.#sounded > rate) {
        this.silent++;
        if (++this.#zeros === leastHole) this.count++;
      }
    }
  }
}

function record(stream: AudioSource | Mixer): Recording {
  const recording: Recording = { stream, told: [], holes: new Holes() };
  stream.on('data', (chunk: Buffer) => recording.holes.add(chunk));
  const readable: AudioReadable = stream;
  readable.on('discontinuity', (event: Discontinuity) => recording.told.push(event));
  return recording;
}

/** The server's own recorder, which shows what the server itself loses. */
function recordOutside(env: Record<string, string>): { holes: Holes; child: ChildProcess } {
  const holes = new Holes();
  const child = spawn(
    'parec',
    [
      ...['--raw', '--format=float32le', `--rate=${rate}`, '--channels=2', '--latency-msec=20'],
      ...['--device=speakers.monitor'],
    ],
    { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  let rest = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    const all = Buffer.concat([rest, chunk]);
    const whole = all.length - (all.length % 8);
    holes.add(all.subarray(0, whole));
    rest = all.subarray(whole);
  });
  return { holes, child };
}

function inMs(frames: number): number {
  return (frames * 1000) / rate;
}

function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * How old the newest frame is when it comes, and the length of the stream less the time, in ms. Within the time of
 * a packet both are chance, so the best of many looks is taken.
 */
async function agesOf(sources: AudioSource[]): Promise<{ newest: number; length: number }[]> {
  const best = sources.map(() => ({ newest: Infinity, length: -Infinity }));
  for (const end = now() + 300; now() < end; await delay(1)) {
    sources.forEach((source, i) => {
      const { frames } = source.stats();
      const time = now();
      best[i].newest = Math.min(best[i].newest, time - Number(source.timeAt(frames)) / 1e6);
      best[i].length = Math.max(best[i].length, inMs(frames) - time);
    });
  }
  return best;
}

const saved = { ...process.env };

describe.runIf(process.platform === 'linux').each(linuxServers)(
  '$name',
  ({ server: kind, name, startServer }) => {
    const absent = whyAbsent(kind);
    let server: Awaited<ReturnType<typeof startServer>>;
    let outside: ReturnType<typeof createOutside>;
    let pid: number;

    beforeEach(async () => {
      if (absent) return;
      server = await startServer();
      Object.assign(process.env, server.env);
      const folder = mkdtempSync(join(tmpdir(), 'patchcord-stalls-'));
      outside = createOutside({ env: server.env, folder });
      const player = await outside.play({ device: 'speakers', frequency: 440 });
      await outside.play({ device: 'micfeed', frequency: 331 });
      ({ pid } = await outside.identify({ player }));
    }, 30_000);
    afterEach(async () => {
      if (absent) return;
      await outside.close();
      await leaveServer(server, saved);
    });

    /** All processes of the server stand still. */
    async function stand(ms: number, pause: number): Promise<void> {
      process.kill(-server.pid, 'SIGSTOP');
      await delay(ms);
      process.kill(-server.pid, 'SIGCONT');
      await delay(pause);
    }

    function isAbsent(): boolean {
      if (!absent) return false;
      expect(process.env.PATCHCORD_REQUIRE_ALL, absent).toBeFalsy();
      console.log(`absent: ${name} (${absent}): it was not held up`);
      return true;
    }

    it('is held up for 45 and 80 ms seven times each: no recording loses what the server has kept', async () => {
      if (isAbsent()) return;
      const loopback = new LoopbackSource({ backend: 'pulse' });
      const program = new ProcessSource({ backend: 'pulse', process: pid });
      const mixed = new LoopbackSource({ backend: 'pulse' });
      const mixer = new Mixer();
      mixed.pipe(mixer.createInput());
      const recordings = [loopback, program, mixer].map(record);
      await Promise.all([loopback.ready, program.ready, mixed.ready]);
      const { holes, child } = recordOutside(server.env);
      await delay(2000);
      const [before] = await agesOf([loopback]);
      const outsideBefore = inMs(holes.frames) - now();
      for (let i = 0; i < 7; i++) {
        await stand(45, 700);
        await stand(80, 700);
      }
      // A drop of less than 100 ms is detected within two seconds.
      await delay(2000);
      const [after] = await agesOf([loopback]);
      const missing = outsideBefore - (inMs(holes.frames) - now());
      child.kill();
      if (kind === 'pulse') {
        for (const { stream, told, holes } of recordings) {
          const name = stream.constructor.name;
          expect([name, holes.count, told]).toEqual([name, 0, []]);
        }
      } else {
        // PipeWire loses some by itself, in each of its streams: it is silent or left out.
        const lostOutside = inMs(holes.silent) + Math.max(0, missing);
        for (const { holes } of recordings) {
          expect(inMs(holes.silent)).toBeLessThan(1.5 * lostOutside + 50);
        }
      }
      expect(Math.abs(after.newest - before.newest)).toBeLessThan(10);
      expect(Math.abs(after.length - before.length)).toBeLessThan(10);
      for (const one of [loopback, program, mixed, mixer]) one.destroy();
    }, 60_000);

    it('stands still for 3 s twice: streams are as long as the time, by the clock of the device and of the host', async () => {
      if (isAbsent()) return;
      const sources = (['device', 'host'] as const).flatMap((clock) => [
        new MicSource({ backend: 'pulse', clock }),
        new LoopbackSource({ backend: 'pulse', clock }),
      ]);
      const recordings = sources.map(record);
      await Promise.all(sources.map(({ ready }) => ready));
      await delay(3000);
      const before = await agesOf(sources);
      for (let i = 0; i < 2; i++) {
        await stand(3000, 1000);
        (await agesOf(sources)).forEach(({ newest, length }, i) => {
          expect(Math.abs(newest - before[i].newest)).toBeLessThan(10);
          expect(Math.abs(length - before[i].length)).toBeLessThan(10);
        });
        await delay(1500);
      }
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
    }, 60_000);

    it('stands still for 3 s: the mix of a recording has what its tracks have', async () => {
      if (isAbsent()) return;
      // As files read them.
      const options = { backend: 'pulse', bufferMs: 30_000 } as const;
      const sources = [new MicSource(options), new LoopbackSource(options)];
      const mixer = new Mixer({ bufferMs: 30_000 });
      for (const source of sources) source.pipe(mixer.createInput());
      const recordings = [...sources, mixer].map(record);
      await Promise.all(sources.map(({ ready }) => ready));
      await delay(3000);
      const before = recordings.map(({ stream }) => stream.stats().lostFrames);
      await stand(3000, 3000);
      const lost = recordings.map(({ stream }, i) => stream.stats().lostFrames - before[i]);
      if (kind === 'pulse') {
        expect(lost).toEqual([0, 0, 0]);
        // The players may have had too little to play when the server continued.
        const [mic, loopback, mix] = recordings.map(({ holes }) => inMs(holes.silent));
        expect(mix).toBeLessThan(Math.min(mic, loopback) + 50);
      } else {
        // PipeWire itself keeps nothing while it stands still. The mix loses no more than the tracks.
        expect(inMs(lost[2])).toBeLessThan(inMs(Math.max(lost[0], lost[1])) + 100);
      }
      for (const one of [...sources, mixer]) one.destroy();
    }, 60_000);

    it('stands still: it does not hold up the destroy() of a virtual microphone', async () => {
      if (isAbsent()) return;
      const sink = await VirtualMicSink.open({ backend: 'pulse', name: 'Held Up' });
      const closed = new Promise((resolve) => sink.once('close', resolve));
      process.kill(-server.pid, 'SIGSTOP');
      const from = now();
      sink.destroy();
      await closed;
      expect(now() - from).toBeLessThan(3000);
      process.kill(-server.pid, 'SIGCONT');
      // The server removes it when it continues.
      const isLeft = async (): Promise<boolean> =>
        (await listDevices({ backend: 'pulse' })).some((device) => device.name.includes('Held Up'));
      for (let i = 0; i < 50 && (await isLeft()); i++) await delay(100);
      expect(await isLeft()).toBe(false);
    }, 60_000);
  },
);
