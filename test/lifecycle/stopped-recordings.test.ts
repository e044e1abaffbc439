// A process, an audio server or an event loop that stands still while it records: what was recorded is as long as the
// time that passed, and silence that stands for sound is announced and counted.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, it, type TestContext } from 'vitest';

import { startPlainPulseAudio, whyAbsent, type AudioServer } from '../servers.mjs';
import { createOutside } from '../windows/outside.mjs';
import { linuxServers } from './linux-servers.js';
import { runScene, type Outcome } from './run-scene.js';

const rate = 48_000;
type Case = [what: string, who: string, afterMs: number];
const early: Case[] = [
  ['this process', 'self', 1000],
  ['the server', 'server', 1000],
];

interface Recorded {
  name: string;
  file: string;
  stats: { frames: number; lostFrames: number; readerLostFrames: number };
  told: { frame: number; frames: number }[];
  /** The stream's frame that the file begins with. */
  startFrame: number;
  /** How much older its newest frame was than that of a stream that began afterwards. */
  tooLateMs: number;
  tooLongMs: number;
}

/** Frames of a WAV file of two float channels, and how many of them, behind the first sound, are zeros. */
function read(file: string): { frames: number; silent: number } {
  const bytes = readFileSync(file);
  const samples = bytes.indexOf('data', 12, 'latin1') + 8;
  const frames = (bytes.length - samples) / 8;
  let silent = 0;
  let zeros = 0;
  let begun = false;
  for (let at = samples; at < bytes.length; at += 8) {
    if (bytes.readFloatLE(at) === 0) {
      zeros++;
      continue;
    }
    // A tone has no zeros that last for a millisecond.
    if (begun && zeros >= rate / 1000) silent += zeros;
    begun = true;
    zeros = 0;
  }
  return { frames, silent };
}

describe.runIf(process.platform === 'linux').each(linuxServers)(
  '$name',
  ({ server: kind, name, startServer }) => {
    const absent = whyAbsent(kind);

    async function record(
      who: string,
      afterMs: number,
      onTestFinished: TestContext['onTestFinished'],
    ): Promise<Outcome> {
      const server: AudioServer = await startServer();
      const folder = mkdtempSync(join(tmpdir(), 'patchcord-stopped-'));
      const outside = createOutside({ env: server.env, folder });
      onTestFinished(async () => {
        await outside.close();
        await server.stop();
        rmSync(folder, { recursive: true, force: true });
      });
      const player = await outside.play({ device: 'speakers', frequency: 440 });
      await outside.play({ device: 'micfeed', frequency: 331 });
      const { pid } = await outside.identify({ player });
      return runScene('stopped-recordings.mjs', {
        args: [who, String(afterMs), String(server.pid), String(pid), folder],
        env: server.env,
        limitMs: 60_000,
      });
    }

    // Each test has its own server and process, and mostly waits.
    it.concurrent.for<Case>([
      ['this process', 'self', 3500],
      ['the server', 'server', 3500],
      ['the event loop', 'loop', 3500],
      // A plain null sink that nobody listens to is two seconds ahead: nothing has come yet.
      ...(startServer === startPlainPulseAudio ? early : []),
    ])(
      '%s stands still twice (%s, after %d ms)',
      { timeout: 90_000 },
      async ([, who, afterMs], { expect, onTestFinished }) => {
        if (absent) {
          expect(process.env.PATCHCORD_REQUIRE_ALL, absent).toBeFalsy();
          console.log(`absent: ${name} (${absent}): nothing was recorded`);
          return;
        }
        const { stdout, ...outcome } = await record(who, afterMs, onTestFinished);
        expect(outcome).toEqual({ code: 0, signal: null, stderr: '', stuck: false });
        for (const recorded of JSON.parse(stdout) as Recorded[]) {
          const { name, file, stats, told, startFrame, tooLateMs, tooLongMs } = recorded;
          const { frames, silent } = read(file);
          expect([name, 'late', Math.abs(tooLateMs) < 10, tooLateMs]).toContain(true);
          expect([name, 'long', Math.abs(tooLongMs) < 10, tooLongMs]).toContain(true);
          const sum = told.reduce((sum, event) => sum + event.frames, 0);
          expect([name, sum]).toEqual([name, stats.lostFrames + stats.readerLostFrames]);
          for (let i = 1; i < told.length; i++) {
            expect(told[i].frame).toBeGreaterThanOrEqual(told[i - 1].frame + told[i - 1].frames);
          }
          expect([name, frames]).toEqual([name, stats.frames - startFrame]);
          // A server that stands still plays nothing meanwhile: what is silent then was never sound.
          if (who === 'self')
            expect([name, silent <= sum + rate / 10, silent, sum]).toContain(true);
          if (who === 'loop' && kind !== 'pipewire') {
            expect([name, silent, sum]).toEqual([name, 0, 0]);
          }
          // PipeWire leaves a quantum of 5 ms empty when the machine stands still for longer. It does not report each one. A
          // stream that lost something because of the event loop would lack seconds.
          if (who === 'loop')
            expect([name, silent < rate / 20 && sum < rate / 20, silent, sum]).toContain(true);
        }
      },
    );
  },
);
