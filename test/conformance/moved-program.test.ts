// A capture reports the sound that it misses while its program is moved from one output to another.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { listDevices, ProcessSource } from 'patchcord';

import { toFloat } from '../instruments/index.js';
import { openSystem, type System } from './system.js';
import { until } from './wait.js';

const name = process.env.PATCHCORD_TEST_BACKEND;

describe.runIf(name === 'pulse' || name === 'pipewire')('a program that is moved', () => {
  let system: System;
  beforeAll(async () => (system = await openSystem()));
  afterAll(() => system.close());

  it('is missing from its capture for as long as the stream reports', async () => {
    const { backend } = system;
    const program = await system.program!(600);
    const outputs = await listDevices({ backend, flow: 'output' });
    const source = await ProcessSource.open({ backend, process: program.pid, bufferMs: 60_000 });
    const lost: [frame: number, frames: number][] = [];
    source.on('discontinuity', ({ frame, frames }) => void lost.push([frame, frames]));
    await until(() => source.level().rmsDb > -20, 'the tone');
    const parts: Buffer[] = [];
    const chunks = source.chunks();
    let begin: number | undefined;
    const reading = (async () => {
      for await (const { data, frame } of chunks) {
        begin ??= frame;
        parts.push(data);
      }
    })();
    for (let k = 0; k < 8; k++) {
      const wanted = ['headset', 'speakers'][k % 2];
      const attached = new Promise<void>((resolve) =>
        source.on('attach', ({ device }) => device === wanted && resolve()),
      );
      await program.move(outputs.find(({ id }) => id === wanted)!.id);
      await attached;
      await until(() => source.level().rmsDb > -20, 'the tone again');
    }
    await source.close();
    await reading;

    // A silence is a run of zeros that is longer than a sine has.
    const [sound] = toFloat(Buffer.concat(parts), source.format);
    const silences: [frame: number, frames: number][] = [];
    let zeros = 0;
    for (let i = 0; i <= sound.length; i++) {
      if (i < sound.length && Math.abs(sound[i]) < 1e-4) {
        zeros++;
        continue;
      }
      if (zeros > 48) silences.push([begin! + i - zeros, zeros]);
      zeros = 0;
    }
    const shown = JSON.stringify({ silences, lost });
    for (const [frame, frames] of silences) {
      const told = lost.filter(([at, count]) => at < frame + frames && at + count > frame);
      const covered = told.reduce((sum, [, count]) => sum + count, 0);
      expect(covered, `${frame}: ${shown}`).toBeGreaterThan(frames - 480);
    }
    // Nor does it report seconds for a moment.
    const total = (all: [number, number][]) => all.reduce((sum, [, frames]) => sum + frames, 0);
    expect(total(lost), shown).toBeLessThan(total(silences) + 8 * 960);
  });
});
