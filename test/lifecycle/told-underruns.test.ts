// A virtual microphone whose process was late: its `underrun` events count every frame of silence that a program records.
import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { describe, expect, it, onTestFinished } from 'vitest';

import { until } from '../conformance/wait.js';
import { isAbsent, makingServers } from './linux-servers.js';

const stops = 6;
// A fade of 3 ms around a silence has a few samples that are almost zero.
const nearZero = 8;

/** The runs of zeros between sound, in frames, of mono f32 that arrives in any portions. */
class Silences {
  readonly frames: number[] = [];
  heard = 0;
  #zeros = 0;
  #rest: Buffer = Buffer.alloc(0);

  add(bytes: Buffer): void {
    const all = Buffer.concat([this.#rest, bytes]);
    const whole = all.length & ~3;
    this.#rest = all.subarray(whole);
    for (let at = 0; at < whole; at += 4) {
      if (Math.abs(all.readFloatLE(at)) < 1e-4) {
        this.#zeros++;
        continue;
      }
      if (this.#zeros > 48 && this.heard > 0) this.frames.push(this.#zeros);
      this.#zeros = 0;
      this.heard++;
    }
  }
}

const sum = (all: readonly number[]): number => all.reduce((total, one) => total + one, 0);

for (const [title, name, start] of makingServers) {
  describe.skipIf(isAbsent(name, 'underruns were not counted'))(`on ${title}`, () => {
    it('a sink reports as much silence as a program records', { timeout: 60_000 }, async () => {
      const server = await start();
      onTestFinished(() => server.stop());
      const scene = fileURLToPath(new URL('scenes/tells-underruns.mjs', import.meta.url));
      const child = spawn(process.execPath, [scene], {
        env: { ...process.env, ...server.env },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      onTestFinished(() => void child.kill('SIGKILL'));
      const told: number[] = [];
      let environment: Record<string, string> | undefined;
      createInterface(child.stdout).on('line', (line) => {
        const said = JSON.parse(line) as { frames?: number; environment?: typeof environment };
        if (said.frames !== undefined) told.push(said.frames);
        environment ??= said.environment;
      });
      await until(() => environment !== undefined, 'the microphone');
      const parec = spawn(
        'parec',
        ['--raw', '--format=float32le', '--rate=48000', '--channels=1', '--latency-msec=50'],
        {
          env: { ...process.env, ...server.env, ...environment },
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      onTestFinished(() => void parec.kill('SIGKILL'));
      const silences = new Silences();
      parec.stdout.on('data', (bytes: Buffer) => silences.add(bytes));
      const second = (): Promise<void> => {
        const { heard } = silences;
        return until(() => silences.heard > heard + 48_000, 'another second of sound');
      };
      const stop = async (ms: number): Promise<void> => {
        child.kill('SIGSTOP');
        await new Promise((resolve) => setTimeout(resolve, ms));
        child.kill('SIGCONT');
        await second();
      };
      await second();
      await stop(100); // PipeWire settles its quantum
      const toldBefore = told.length;
      const heardBefore = silences.frames.length;
      // Longer than what the sink keeps in the server, by various parts of a period.
      for (let k = 0; k < stops; k++) await stop(60 + 7 * k);
      const heard = silences.frames.slice(heardBefore);
      const counts = told.slice(toldBefore);
      const text = `heard ${heard.join(', ')}; told ${counts.join(', ')}`;
      console.log(`${title}: ${text}`);
      expect(sum(heard), text).toBeGreaterThan(stops * 480);
      expect(Math.abs(sum(heard) - sum(counts)), text).toBeLessThanOrEqual(nearZero * heard.length);
    });
  });
}
