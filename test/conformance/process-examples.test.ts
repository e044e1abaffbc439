// The examples that capture programs, run as a user runs them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { readLeft, runExample } from './run-example.js';
import { openSystem, type System } from './system.js';
import { typicalTone } from './typical-tone.js';
import { until } from './wait.js';

const name = process.env.PATCHCORD_TEST_BACKEND;

describe.runIf(name === 'pulse' || name === 'pipewire')('an example', () => {
  let system: System;
  let folder: string;
  beforeAll(async () => {
    system = await openSystem();
    folder = mkdtempSync(join(tmpdir(), 'patchcord-examples-'));
  });
  afterAll(async () => {
    await system.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const start = (example: string, ...args: string[]) => runExample(folder, example, ...args);
  const left = (file: string) => readLeft(join(folder, file));

  it('records a program that has not started yet', async () => {
    const run = start('record-app.mjs', '/^outside/', '--seconds', '0.2');
    expect(await run.ended, run.output).toBe(0);
    const player = await system.program!(1000);
    const recording = start('record-app.mjs', player.name, '--seconds', '3', '--out', 'app.wav');
    expect(await recording.ended, recording.output).toBe(0);
    expect(recording.output).toMatch(/recording 'outside-.* on speakers\n/);
    const sound = left('app.wav');
    expect(sound).toHaveLength(3 * 48000);
    const { frequency, peakDb } = typicalTone(sound.subarray(48000), 48000, 1000);
    expect(frequency).toBeCloseTo(1000, 0);
    expect(Math.abs(peakDb + 12)).toBeLessThan(0.5);
    await player.exit();
  });

  it('records two programs into tracks of one length', async () => {
    const [game, chat] = [await system.program!(440), await system.program!(1000)];
    const run = start('game-and-chat.mjs', game.name, chat.name, '--seconds', '3');
    expect(await run.ended, run.output).toBe(0);
    for (const [file, tone] of [
      ['game.wav', 440],
      ['chat.wav', 1000],
    ] as const) {
      const sound = left(file);
      expect(sound).toHaveLength(3 * 48000);
      expect(typicalTone(sound.subarray(48000), 48000, tone).frequency).toBeCloseTo(tone, 0);
    }
    await Promise.all([game.exit(), chat.exit()]);
  });

  it('shows who is playing', async () => {
    const run = start('who-is-playing.mjs', '--seconds', '20');
    await until(() => run.output.includes('no program makes sound'), 'an empty table');
    const player = await system.program!(440);
    await until(
      () => /pacat \(\d+\) .* -1[12]\.\d dBFS {2}100 % {2}active {2}Speakers/.test(run.output),
      `its row in: ${run.output}`,
    );
    await player.exit();
    await until(() => run.output.includes(`- ${player.name}`), 'its end');
  });
});
