// The examples that capture programs, run as a user runs them, on the simulated Windows audio engine. Runs in
// Wine (mmdevapi.mjs).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { readLeft, runExample, type Run } from '../conformance/run-example.js';
import { typicalTone } from '../conformance/typical-tone.js';
import { until } from '../conformance/wait.js';
import { steerMmdevapi } from './mmdevapi-control.mjs';

const rate = 48000;
let windows: Awaited<ReturnType<typeof steerMmdevapi>>;
let folder: string;
beforeAll(async () => {
  windows = await steerMmdevapi();
  Object.assign(process.env, windows.env);
  folder = mkdtempSync(join(tmpdir(), 'patchcord-examples-'));
});
afterAll(async () => {
  await windows.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const start = (example: string, ...args: string[]): Run => runExample(folder, example, ...args);
/** Each process has its own world, in which programs play once it is there. */
const worldOf = ({ pid }: Run) => windows.process(pid);

function expectTone(file: string, hz: number, seconds: number) {
  const sound = readLeft(join(folder, file));
  expect(sound).toHaveLength(seconds * rate);
  const { frequency, peakDb } = typicalTone(sound.subarray(seconds * rate * 0.5), rate, hz);
  expect(frequency).toBeCloseTo(hz, 0);
  expect(Math.abs(peakDb + 12.04)).toBeLessThan(0.5);
}

describe('an example on Windows', () => {
  it('records a program that has not started yet', async () => {
    const run = start('record-app.mjs', 'process 1001', '--seconds', '4', '--out', 'app.wav');
    const world = await worldOf(run);
    await world.send('play speakers tone 1000 0.25 by 1001');
    expect(await run.ended, run.output).toBe(0);
    expect(run.output).toContain("recording 'process 1001' (1001)");
    expectTone('app.wav', 1000, 4);
  });

  it('records two programs into tracks of one length', async () => {
    const run = start('game-and-chat.mjs', 'process 1001', 'process 1002', '--seconds', '4');
    const world = await worldOf(run);
    await world.send('play speakers tone 440 0.25 by 1001');
    await world.send('play speakers tone 1000 0.25 by 1002');
    expect(await run.ended, run.output).toBe(0);
    expectTone('game.wav', 440, 4);
    expectTone('chat.wav', 1000, 4);
  });

  it('shows who is playing', async () => {
    const run = start('who-is-playing.mjs', '--seconds', '20');
    const world = await worldOf(run);
    await until(() => run.output.includes('no program makes sound'), 'an empty table');
    await world.send('play speakers tone 440 0.25 by 1001');
    const row = /process 1001 \(1001\) .* -12\.\d dBFS {2}100 % {2}active {2}Speakers/;
    await until(() => row.test(run.output), `its row in: ${run.output}`);
    await world.send('process-ended 1001');
    await until(() => run.output.includes('- process 1001'), 'its end');
  });
});
