import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { toFloat32 } from 'patchcord';

import { meterBar } from '../../examples/meters.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'patchcord-demo-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  child: ChildProcess;
  output: () => string;
  ended: Promise<{ code: number | null; signal: string | null; output: string }>;
}

/** Runs the built package, as a user does: no alias, no server that this machine may have. */
function run(args: string[], env: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, PATCHCORD_BACKEND: '', PULSE_SERVER: `unix:${folder}/none`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (data) => (output += String(data)));
  child.stderr.on('data', (data) => (output += String(data)));
  const ended = new Promise<Awaited<Run['ended']>>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, output })),
  );
  return { child, output: () => output, ended };
}

const demo = (...args: string[]): Run => run(['examples/meeting.mjs', '--out', folder, ...args]);

function wavFrames(path: string): number {
  const wav = readFileSync(path);
  const data = wav.indexOf('data');
  expect(wav.readUInt32LE(data + 4)).toBe(wav.length - data - 8);
  return (wav.length - data - 8) / 8;
}

describe('the demo', { timeout: 60_000 }, () => {
  it('records, draws and reports', async () => {
    const { code, output } = await demo('--backend', 'simulated', '--seconds', '1').ended;
    // Made where that is possible, else the cable that the simulated system has.
    expect(output).toMatch(
      /select "(patchcord demo|Cable output \(simulated\))" in other programs/,
    );
    const frames = Number(/: (\d+) frames of 2 channels, 48000 Hz, on simulated/.exec(output)?.[1]);
    expect(frames).toBeGreaterThan(0);
    expect(wavFrames(join(folder, 'meeting.wav'))).toBe(frames);
    expect(readFileSync(join(folder, 'meeting.png')).toString('latin1', 1, 4)).toBe('PNG');
    expect(code).toBe(0);
  });

  it('takes a file as --out', async () => {
    const out = join(folder, 'a', 'talk.wav');
    const args = [
      'examples/meeting.mjs',
      '--backend',
      'simulated',
      '--seconds',
      '0.3',
      '--out',
      out,
    ];
    expect(await run(args).ended).toMatchObject({ code: 0 });
    expect(wavFrames(out)).toBeGreaterThan(0);
    expect(existsSync(out.replace('.wav', '.png'))).toBe(true);
  });

  // Windows has no signals: there Ctrl-C comes from the console, to which a child has no access.
  it.skipIf(process.platform === 'win32')('finishes and reports on Ctrl-C', async () => {
    const { child, output, ended } = demo('--backend', 'simulated', '--seconds', '3600');
    // The first line of the meters: it records. Only once: a second Ctrl-C ends it at once.
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', () => /dBFS/.test(output()) && resolve());
      child.once('close', () => resolve());
    });
    child.kill('SIGINT');
    const { code, output: all } = await ended;
    const frames = Number(/: (\d+) frames of 2 channels/.exec(all)?.[1]);
    expect(wavFrames(join(folder, 'meeting.wav'))).toBe(frames);
    expect(frames).toBeLessThan(3600 * 48000);
    expect(existsSync(join(folder, 'meeting.png'))).toBe(true);
    expect(code).toBe(0);
  });

  it.runIf(process.platform === 'linux')('reports that there is no audio system', async () => {
    const { code, output } = await demo('--seconds', '0.3').ended;
    expect(output).toMatch(/^No audio system to record: .*\nThe demo runs on a simulated one/);
    expect(code).toBe(0);
  });

  it.runIf(process.platform === 'linux')(
    'fails where the backend that was asked for is not there',
    async () => {
      const { code, output } = await demo('--backend', 'pulse').ended;
      expect(output).toMatch(/No audio server could be reached/);
      expect(output).not.toMatch(/simulated/);
      expect(code).toBe(1);
    },
  );

  it.each([
    ['--seconds', '0'],
    ['--seconds', 'ten'],
    ['--backend', 'alsa'],
    ['--colour', 'red'],
  ])('explains itself when given %s %s', async (...args) => {
    const { code, output } = await demo(...args).ended;
    expect(output).toMatch(/usage: node examples\/meeting\.mjs/);
    expect(code).toBe(2);
  });
});

describe('examples/two-tracks.mjs', { timeout: 60_000 }, () => {
  it.skipIf(process.platform === 'win32')('writes both sides into one stereo file', async () => {
    const path = join(folder, 'call.wav');
    const { child, output, ended } = run(['examples/two-tracks.mjs', path], {
      PATCHCORD_SIMULATION: join(root, 'test/unit/room.mjs'),
    });
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', () => /you: sound/.test(output()) && setTimeout(resolve, 500));
      child.once('close', () => resolve());
    });
    child.kill('SIGINT');
    const { code, output: all } = await ended;
    expect(all).toMatch(/call\.wav: \d+\.\d s, you on the left/);
    expect(code).toBe(0);
    const wav = readFileSync(path);
    expect(wav.indexOf('bext')).toBeGreaterThan(0);
    const samples = toFloat32(wav.subarray(wav.lastIndexOf('data') + 8), { sampleFormat: 's16' });
    for (const channel of [0, 1]) {
      const side = samples.filter((_, k) => k % 2 === channel);
      expect(Math.max(...side)).toBeGreaterThan(0.05);
    }
  });
});

describe('the pipeline of the README', { timeout: 60_000 }, () => {
  it('runs and ends by itself', async () => {
    const [, code] = /```js\n(import .*?)```/s.exec(readFileSync(join(root, 'README.md'), 'utf8'))!;
    const wav = JSON.stringify(join(folder, 'meeting.wav'));
    const short = code.replaceAll('10_000', '300').replace("'meeting.wav'", wav);
    // In the package's own folder, so that its name is found.
    const path = join(mkdtempSync(join(root, 'build', 'readme-')), 'pipeline.mjs');
    writeFileSync(path, short);
    try {
      const ended = await run([path], { PATCHCORD_BACKEND: 'simulated' }).ended;
      expect(ended.output).toMatch(/^In the other program select "(patchcord|CABLE Output)"\n$/);
      expect(ended.code).toBe(0);
      expect(wavFrames(join(folder, 'meeting.wav'))).toBeGreaterThan(0);
    } finally {
      rmSync(join(path, '..'), { recursive: true, force: true });
    }
  });
});

describe('a meter', () => {
  const width = 40;
  it.each([
    [0, 0, '█'.repeat(width - 1) + '|'],
    [-60, -60, '·'.repeat(width)],
    [-Infinity, -Infinity, '·'.repeat(width)],
    [-15, -30, '█'.repeat(20) + '·'.repeat(9) + '|' + '·'.repeat(10)],
    [6, 3, '█'.repeat(width - 1) + '|'],
  ])('shows a peak of %f dB and an RMS of %f dB', (peakDb, rmsDb, bar) => {
    expect(meterBar({ peakDb, rmsDb })).toBe(bar);
  });
});
