// Child processes that hold devices: they end with their parent, and help where a device is dead in this process alone.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { describe, expect, it, onTestFinished } from 'vitest';

import { until } from '../conformance/wait.js';
import { runScene } from './run-scene.js';

const scene = (name: string): string => fileURLToPath(new URL(`scenes/${name}`, import.meta.url));

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a child process that holds a device', () => {
  it('ends when its parent is killed', async () => {
    const parent = spawn(process.execPath, [scene('isolated.mjs')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void parent.kill('SIGKILL'));
    let output = '';
    parent.stdout.on('data', (text) => (output += String(text)));
    await until(() => /^ready$/m.test(output), 'the microphone');
    const pid = Number(/child (\d+)/.exec(output)?.[1]);
    expect(runs(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !runs(pid), 'the end of the child', 5000);
  });

  it('ends with close(), and lets the process end', async () => {
    const { code, stdout, stderr } = await runScene('isolated.mjs', { args: ['close'] });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(runs(Number(/child (\d+)/.exec(stdout)?.[1]))).toBe(false);
  });
});

describe('a microphone that is dead in this process', () => {
  it.each([
    ['mic-process', ['shared', 'reverse-order', 'mic-process']],
    ['both-processes', ['shared', 'both-processes']],
  ])('is found within 3 s and brought back within 2 s by %s', async (helps, strategies) => {
    const { code, stdout, stderr } = await runScene('dead-here.mjs', {
      args: strategies,
      env: { PATCHCORD_SIMULATION: scene('dead-here.cjs') },
      limitMs: 40_000,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const outcome = JSON.parse(stdout);
    expect(outcome).toMatchObject({
      tried: strategies.slice(1).map((one) => `mic: ${one}`),
      errors: [],
      strategy: helps,
      gaps: 0,
      systemZeros: 0,
    });
    expect(outcome.dead).toBeLessThan(1500 + 3000 + 1000);
    expect(outcome.back - outcome.dead).toBeLessThan(4000);
    expect(new Set(outcome.lengths).size).toBe(1);
    expect(outcome.micRms).toBeGreaterThan(0.1);
  });
});
