// Where the sound goes that is played to VoiceMeeter. Its Remote DLL is a double of ours (voicemeeter_double.cc);
// these tests never run the real one, or the mixer.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { listVirtualMics, VirtualMicSink, type SinkWarning } from 'patchcord';

import { event } from '../conformance/wait.js';
import { steerThisProcess, type SteeredProcess, type Windows } from './steer-this-process.js';

const backend = 'wasapi';
const run = promisify(execFile);
const key =
  'HKLM\\SOFTWARE\\WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\VB:Voicemeeter {17359A74-1236-5467}';
// Banana: three hardware strips, two virtual ones; buses A1 to A3, B1, B2.
const usual = { type: 2, 'Strip[3].B1': 1, 'Strip[4].B2': 1 };

let windows: Windows;
let here: SteeredProcess;
let folder: string;

function set(values: Record<string, number>): void {
  const lines = Object.entries(values).map(([name, value]) => `${name} ${value}\n`);
  writeFileSync(join(folder, 'values'), lines.join(''));
}

const sink = (strip: string): VirtualMicSink =>
  new VirtualMicSink({ backend, device: `Voicemeeter ${strip} (VB-Audio Voicemeeter VAIO)` });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'voicemeeter-'));
  const uninstall = `${dirname(process.env.PATCHCORD_VOICEMEETER_DOUBLE as string)}\\voicemeetersetup.exe`;
  await run('reg', ['add', key, '/v', 'UninstallString', '/d', uninstall, '/f']);
  process.env.PATCHCORD_VOICEMEETER = join(folder, 'values');
  set(usual);
  ({ windows, here } = await steerThisProcess());
  const of = 'of ROOT\\MEDIA\\0000 "VB-Audio Voicemeeter VAIO" VBAudioVMVAIO';
  for (const [flow, end] of [
    ['output', 'Input'],
    ['output', 'AUX Input'],
    ['input', 'Out B1'],
    ['input', 'Out B2'],
  ]) {
    const id = `vm-${flow}-${end.replace(' ', '')}`;
    await here.send(
      `device ${id} ${flow} 48000 2 f32 "Voicemeeter ${end} (VB-Audio Voicemeeter VAIO)" ${of}`,
    );
  }
});
afterAll(async () => {
  await windows.close();
  rmSync(folder, { recursive: true });
});

describe("VoiceMeeter's settings", () => {
  it('decide which of its microphones is to be selected', async () => {
    set(usual);
    const one = await sink('Input').ready;
    const other = await sink('AUX Input').ready;
    expect(one.microphone?.name).toContain('Out B1');
    expect(other.microphone?.name).toContain('Out B2');
    await Promise.all([one.close(), other.close()]);
    const mics = await listVirtualMics({ backend });
    expect(mics.filter(({ driver }) => driver === 'voicemeeter').map(({ bus }) => bus)).toEqual([
      'B1',
      'B1',
    ]);
  });

  it.each<[string, Record<string, number>, string]>([
    ['a strip on no bus', { type: 2 }, 'the strip is not assigned to a B bus'],
    ['a muted strip', { ...usual, 'Strip[3].Mute': 1 }, 'the strip is muted in VoiceMeeter'],
    ['a fader that is down', { ...usual, 'Strip[3].Gain': -60 }, 'the fader of the strip is down'],
    ['a muted bus', { ...usual, 'Bus[3].Mute': 1 }, 'every B bus of the strip is muted'],
    ['a mixer that does not run', {}, 'VoiceMeeter is not running'],
  ])('%s is a warning', async (_, values, message) => {
    set(values);
    const mic = sink('Input');
    const warning = await event<SinkWarning>(mic, 'warning');
    expect(warning.code).toBe('unrouted');
    expect(warning.message).toContain(message);
    await mic.close();
  });

  it('may change while it plays, and each change is reported once', async () => {
    set(usual);
    const mic = sink('Input');
    const warnings: SinkWarning[] = [];
    mic.on('warning', (warning) => warnings.push(warning));
    await mic.ready;
    for (const values of [{ ...usual, 'Strip[3].B1': 0, 'Strip[3].B2': 1 }, usual, { type: 2 }]) {
      set(values);
      const before = warnings.length;
      const told = values === usual ? undefined : event<SinkWarning>(mic, 'warning');
      if (told) await told;
      else await new Promise((resolve) => setTimeout(resolve, 4500));
      expect(warnings.length - before).toBe(told ? 1 : 0);
    }
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining('carries bus B1, but the sink plays on B2'),
      expect.stringContaining('is not assigned to a B bus'),
    ]);
    await mic.close();
  }, 20_000);
});

describe("Windows' own sliders", () => {
  it.each([
    ['mute cable-output', 'unmute cable-output', 'muted', "'CABLE Output' is muted"],
    ['mute cable-input', 'unmute cable-input', 'muted', "'CABLE Input' is muted"],
    ['volume cable-output 0.01', 'volume cable-output 1', 'quiet', 'by 40 dB'],
  ])('%s: a warning', async (wrong, right, code, message) => {
    const mic = new VirtualMicSink({ backend, device: 'CABLE Input' });
    await mic.ready;
    const told = event<SinkWarning>(mic, 'warning');
    await here.send(wrong);
    const warning = await told;
    await here.send(right);
    expect(warning.code).toBe(code);
    expect(warning.message).toContain(message);
    await mic.close();
  });
});
