// `npx patchcord` as a user runs it: its output, its files, its exit codes.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { toFloat } from '../instruments/index.js';
import { openSystem, type System } from './system.js';
import { typicalTone } from './typical-tone.js';
import { until } from './wait.js';

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const inWine = process.env.PATCHCORD_TEST_BACKEND === 'wasapi';
const rate = 48_000;

let system: System;
let folder: string;
/** The simulation of this process is not that of the program. */
let backend: string;
beforeAll(async () => {
  system = await openSystem();
  folder = mkdtempSync(join(tmpdir(), 'patchcord-cli-'));
  backend = typeof system.backend === 'string' ? system.backend : 'simulated';
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await system.close();
});

interface Ended {
  code: number | null;
  out: string;
  errors: string;
}

function start(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '', FORCE_COLOR: '', ...env },
  });
  const texts = { out: '', errors: '' };
  child.stdout.on('data', (text) => (texts.out += String(text)));
  child.stderr.on('data', (text) => (texts.errors += String(text)));
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code) => resolve({ code, ...texts })),
  );
  return { child, texts, ended };
}

const run = (...args: string[]): Promise<Ended> => start(args).ended;

/** The left channel of a WAV file of s16. */
function left(file: string): Float32Array {
  const bytes = readFileSync(join(folder, file));
  const data = bytes.subarray(bytes.indexOf('data') + 8);
  return toFloat(data, { sampleRate: rate, channels: 2, sampleFormat: 's16' })[0];
}

describe('the command line', () => {
  it('shows help with examples, the version, and what was wrong with an argument', async () => {
    const wrong: [string[], RegExp][] = [
      [[], /Usage: npx patchcord COMMAND/],
      [['recrod'], /no command 'recrod'. Did you mean 'record'/],
      [['record'], /needs a kind and a file/],
      [['record', 'everything', 'a.wav'], /one of mic, system, program, call/],
      [['record', 'program', 'a.wav'], /needs --program/],
      [['record', 'mic', 'a.wav', '--tracks', 'files'], /not an option of 'record mic'/],
      [['record', 'mic', 'a.wav', '--secnods', '3'], /Did you mean '--seconds'/],
      [['record', 'mic', 'a.wav', '--seconds', 'ten'], /a number from 0.1/],
      [['record', 'mic', 'a.wav', '--format', 'mp3'], /one of s16, s24, s32, f32/],
      [['play'], /a file or --say/],
      [['play', 'a.pcm', '--raw', '16000'], /rate, channels and type/],
      [['play', 'a.wav', '--gain', '-6'], /begins with a dash/],
      [['devices', '--backend', 'alsa'], /one of pulse, wasapi, simulated/],
    ];
    const [help, version, ...ended] = await Promise.all([
      run('record', '--help'),
      run('--version'),
      ...wrong.map(([args]) => run(...args)),
    ]);
    expect(help).toMatchObject({ code: 0, errors: '' });
    expect(help.out).toMatch(/Usage: npx patchcord record .*--seconds N .*Examples:/s);
    expect(version.out).toMatch(/^\d+\.\d+\.\d+\n$/);
    ended.forEach(({ code, out, errors }, k) => {
      expect(errors, wrong[k][0].join(' ')).toMatch(wrong[k][1]);
      expect([code, out]).toEqual([2, '']);
    });
  }, 60_000);

  it('examines the machine', async () => {
    const { code, out } = await run('doctor', '--json', '--backend', backend);
    const report = JSON.parse(out) as { findings: { name: string; state: string }[] };
    const states = Object.fromEntries(report.findings.map(({ name, state }) => [name, state]));
    expect(states).toMatchObject({
      'audio system': 'ok',
      microphone: 'ok',
      loopback: 'ok',
      'test of sound': 'ok',
    });
    expect(code).toBe(0);
    const absent = start(['doctor', '--backend', inWine ? 'pulse' : 'wasapi']);
    expect((await absent.ended).code).toBe(1);
    expect(absent.texts.out).toMatch(/failed {2}audio system .*needs attention/s);
    expect(absent.texts.out).not.toContain('\x1b');
  }, 60_000);

  it('lists devices and programs', async () => {
    const { out, code } = await run('devices', '--backend', backend);
    expect(code).toBe(0);
    expect(out).toMatch(/^FLOW +NAME +FORMAT.*\n(output|input)/);
    const json = await run('devices', '--json', '--backend', backend);
    expect((JSON.parse(json.out) as unknown[]).length).toBe(out.trim().split('\n').length - 1);
    const programs = await run('processes', '--json', '--backend', backend);
    expect([programs.code, JSON.parse(programs.out)]).toEqual([0, expect.any(Array)]);
    const users = await run('processes', '--microphone', '--backend', backend);
    expect([users.code, users.out]).toEqual([0, 'no program uses a microphone\n']);
  }, 60_000);

  it('records, ends with Ctrl-C, and plays the file', async () => {
    const stop = backend === 'simulated' ? undefined : await system.play('speakers', 997);
    const length = ['--seconds', '1'];
    const fixed = await run('record', 'system', 'fixed.wav', ...length, '--backend', backend);
    expect(fixed).toMatchObject({ code: 0, out: '' });
    expect(fixed.errors).toMatch(/recording .*\nrecorded 00:01, nothing lost\n$/s);
    expect(left('fixed.wav').length).toBe(rate);
    const { frequency, peakDb } = typicalTone(left('fixed.wav'), rate, 997);
    if (stop) {
      expect(frequency).toBeCloseTo(997, 0);
      expect(Math.abs(peakDb + 12)).toBeLessThan(0.5);
    }

    const files = ['--tracks', 'files', '--backend', backend];
    const call = start(['record', 'call', 'call.wav', ...files]);
    await until(() => call.texts.errors.includes('Ctrl-C'), 'the recording');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (inWine) {
      call.child.kill(); // Windows has no signals: the files are valid anyway
      await call.ended;
    } else {
      call.child.kill('SIGINT');
      expect((await call.ended).code).toBe(0);
      expect(left('call-mic.wav').length).toBe(left('call-system.wav').length);
      expect(left('call-mic.wav').length).toBeGreaterThan(rate / 2);
    }
    await stop?.();
    const played = await run('play', 'fixed.wav', '--gain=-6', '--backend', backend);
    expect(played.errors).toMatch(/^playing on /);
    expect(played.code).toBe(0);
  }, 60_000);

  it('fails with a code and a remedy, and keeps an older recording', async () => {
    const before = readFileSync(join(folder, 'fixed.wav'));
    const options = ['--device', 'no such device', '--backend', backend];
    const failed = await run('record', 'mic', 'fixed.wav', ...options);
    expect([failed.code, failed.out]).toEqual([1, '']);
    expect(failed.errors).toContain('no such device');
    expect(readFileSync(join(folder, 'fixed.wav')).equals(before)).toBe(true);
    const missing = await run('play', 'missing.wav', '--backend', backend);
    expect(missing.errors).toContain('ENOENT');
    expect(missing.code).toBe(1);
  }, 60_000);
});
