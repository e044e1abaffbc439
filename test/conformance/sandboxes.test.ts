// Programs in containers that share the server: each reports the number that it has in its container.
import { spawn, spawnSync } from 'node:child_process';

import { describe, expect, it, onTestFinished } from 'vitest';

import { listAudioProcesses, ProcessSource, type AudioProcess } from 'patchcord';

import { toFloat } from '../instruments/index.js';
import { levelOf } from './tone-level.js';
import { until } from './wait.js';

const name = process.env.PATCHCORD_TEST_BACKEND;
const unshare = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child'];

function canUnshare(): boolean {
  if (spawnSync('unshare', [...unshare, 'true']).status === 0) return true;
  const absent = 'absent: unshare, or the right to use it: no programs in containers were captured';
  console.log(absent);
  if (process.env.PATCHCORD_REQUIRE_ALL) throw new Error(absent);
  return false;
}

/** A program that plays a tone, with number 1 in its own container. */
function playInContainer(frequency: number): void {
  const second = new Float32Array(96000);
  for (let i = 0; i < 48000; i++) {
    const sample = 0.25 * Math.sin((2 * Math.PI * frequency * i) / 48000);
    second.fill(sample, 2 * i, 2 * i + 2);
  }
  const format = ['--raw', '--format=float32le', '--rate=48000', '--channels=2'];
  const client = `--client-name=container ${frequency}`;
  const child = spawn('unshare', [...unshare, 'pacat', ...format, '--latency-msec=100', client], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stdin.on('error', () => {});
  const bytes = Buffer.from(second.buffer);
  const feed = (): void => void child.stdin.write(bytes, (error) => error ?? feed());
  feed();
}

describe.runIf((name === 'pulse' || name === 'pipewire') && canUnshare())(
  'programs in two containers with one number',
  () => {
    /** The levels of both tones, dBFS. */
    async function levels(options: ConstructorParameters<typeof ProcessSource>[0]) {
      const source = await ProcessSource.open({ backend: 'pulse', channels: 1, ...options });
      await until(() => source.level().rmsDb > -30, 'sound');
      const parts: Buffer[] = [];
      let frames = 0;
      for await (const { data, frames: more } of source.chunks()) {
        parts.push(data);
        frames += more;
        if (frames >= 48000) break;
      }
      await source.close();
      const [sound] = toFloat(Buffer.concat(parts), source.format);
      return [500, 700].map((frequency) => levelOf(sound, frequency));
    }

    it('are two programs, and are captured and excluded one by one', async () => {
      playInContainer(500);
      playInContainer(700);
      let found: AudioProcess[] = [];
      await until(async () => {
        const all = await listAudioProcesses({ backend: 'pulse' });
        found = all.filter(({ displayName }) => displayName.startsWith('container '));
        return found.length === 2 && found.every(({ state }) => state === 'active');
      }, 'both programs');
      expect(found.map((one) => one.name)).toEqual(['pacat', 'pacat']);
      const one = found.find(({ displayName }) => displayName.endsWith('500'))!;
      // A number means a process of this system; each of these has number 1 elsewhere.
      expect(found.map(({ pid }) => pid)).toEqual([0, 0]);

      const own = await levels({ process: one });
      expect(Math.abs(own[0] + 12.04)).toBeLessThan(1);
      expect(own[1]).toBeLessThan(-90);
      const others = await levels({ process: one, mode: 'exclude' });
      expect(others[0]).toBeLessThan(-90);
      expect(Math.abs(others[1] + 12.04)).toBeLessThan(1);

      const first = await ProcessSource.open({ backend: 'pulse', process: 1 });
      expect(first.processes).toEqual([]);
      await first.close();
    });
  },
);
