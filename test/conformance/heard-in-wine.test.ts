// Other Windows programs record from a cable that a sink plays to, by each way that Windows has to record
// (test/windows/recorder.cc).
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ToneSource, VirtualMicSink } from 'patchcord';

import { measureTone } from '../instruments/index.js';
import { typicalTone } from './typical-tone.js';
import { listenBeside } from './witness.js';

const run = promisify(execFile);
const recorder = process.env.PATCHCORD_RECORDER as string;

describe.runIf(process.env.PATCHCORD_TEST_BACKEND === 'wasapi')("a cable's microphone", () => {
  let folder: string;
  let sink: VirtualMicSink;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'heard-'));
    sink = await new VirtualMicSink({ driver: 'vb-cable', latencyMs: 100, bufferMs: 4000 }).ready;
    new ToneSource({ frequency: 997, gain: 0.25, durationMs: 600_000 }).pipe(sink);
  });
  afterAll(() => {
    sink.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(['wasapi', 'mme', 'directsound'])('is heard by %s', async (way) => {
    const file = join(folder, way);
    const name = sink.microphone?.name as string;
    const testify = await listenBeside(sink, 997);
    const { stdout } = await run(recorder, [way, name, '4', file], { timeout: 30_000 });
    const rate = Number(stdout);
    const { heard, uncounted } = await testify();
    const bytes = readFileSync(file);
    const samples = new Float32Array(new Uint8Array(bytes).buffer).subarray(rate);
    const { frequency, peakDb } = typicalTone(samples, rate, 997);
    const quarter = rate / 4;
    const count = Math.floor(samples.length / quarter);
    const broken = Array.from({ length: count }, (_, index) =>
      measureTone(samples.subarray(index * quarter, (index + 1) * quarter), rate, 997),
    ).filter(({ snrDb }) => snrDb < 40).length;
    console.log(
      `${way}: ${rate} Hz, ${frequency.toFixed(3)} Hz, ${peakDb.toFixed(2)} dBFS, broken quarters of a second: ${broken} of ${count}; beside it ${heard} breaks`,
    );
    expect(Math.abs(frequency - 997)).toBeLessThan(1);
    expect(Math.abs(peakDb + 12.04)).toBeLessThan(0.2);
    // A break in all recordings was counted; other breaks are the program's, or Wine's way to it.
    expect(uncounted).toEqual([]);
    if (heard === 0) expect(broken).toBeLessThan(count / 3);
  });
});
