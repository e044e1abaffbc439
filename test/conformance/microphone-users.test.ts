// The programs that capture a microphone.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import {
  listAudioProcesses,
  LoopbackSource,
  MicSource,
  ProcessMonitor,
  type AudioProcess,
} from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { runExample } from './run-example.js';
import { openSystem, type System } from './system.js';
import { event, until } from './wait.js';

const name = process.env.PATCHCORD_TEST_BACKEND ?? 'simulated';
const onLinux = name === 'pulse' || name === 'pipewire';

interface Caller {
  name: string;
  hangUp(): Promise<void>;
}

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

let callers = 0;
/** Another program opens the device: the microphone, or what the speakers play. */
function call(device: 'mic' | 'speakers.monitor' = 'mic'): Caller {
  const caller = `Caller ${process.pid} ${++callers}`;
  if (system.backend instanceof SimulatedAudio) {
    const program = system.backend.addProcess({ name: 'call.exe', displayName: caller });
    program.capture({ device });
    return { name: caller, hangUp: async () => program.exit() };
  }
  // Its parent ends at once: the children of this process would be its own.
  const script = 'parec "$@" >/dev/null 2>&1 & echo $!';
  const options = [`--device=${device}`, `--client-name=${caller}`];
  const pid = Number(execFileSync('sh', ['-c', script, 'sh', ...options]));
  const hangUp = async () => {
    try {
      process.kill(pid);
    } catch {
      // It has ended.
    }
  };
  onTestFinished(hangUp);
  return { name: caller, hangUp };
}

const list = () => listAudioProcesses({ flow: 'input', backend: system.backend });

// Wine lists no sessions. The simulated Windows engine has its own test.
describe.skipIf(name === 'wasapi')('programs that capture a microphone', () => {
  it('are listed and reported from the first to the last moment, with their microphone', async () => {
    const monitor = new ProcessMonitor({ flow: 'input', backend: system.backend });
    const players = new ProcessMonitor({ backend: system.backend });
    await Promise.all([monitor.ready, players.ready]);
    const reported: string[] = [];
    players.on('add', ({ displayName }) => reported.push(displayName));
    expect(monitor.processes).toEqual([]);
    const before = process.hrtime.bigint();
    const added = event<AudioProcess>(monitor, 'add');
    const caller = call();
    const first = await added;
    expect(first).toMatchObject({ flow: 'input', displayName: caller.name, own: false });
    await until(() => monitor.processes[0]?.state === 'active', 'its stream to run');
    const [active] = monitor.processes;
    expect(active.name).toBeTruthy();
    expect(active.devices).toEqual([expect.stringMatching(/mic/i)]);
    expect(BigInt(active.activeSince!)).toBeGreaterThan(before);
    expect(BigInt(active.activeSince!)).toBeLessThanOrEqual(process.hrtime.bigint());

    const second = call();
    await until(() => monitor.processes.length === 2, 'the second program');
    const again = monitor.processes.find(({ displayName }) => displayName === caller.name);
    expect(again?.activeSince).toBe(active.activeSince);
    const names = (await list()).map(({ displayName }) => displayName).sort();
    expect(names).toEqual([caller.name, second.name].sort());
    expect(JSON.parse(JSON.stringify(await list()))).toHaveLength(2);

    const removed = event<AudioProcess>(monitor, 'remove');
    await caller.hangUp();
    expect((await removed).displayName).toBe(caller.name);
    await second.hangUp();
    await until(() => monitor.processes.length === 0, 'the last program to go');
    expect(reported).toEqual([]);
    monitor.close();
    players.close();
  });

  it.runIf(onLinux)(
    'are this one as well, which says so, and no recorder of an output',
    async () => {
      const mic = new MicSource({ backend: system.backend, device: system.microphone });
      const loopback = new LoopbackSource({ backend: system.backend, device: system.speakers });
      const recorder = call('speakers.monitor');
      const caller = call();
      await Promise.all([mic.ready, loopback.ready]);
      await until(async () => (await list()).length >= 2, 'both');
      // The recorder of the output has begun when the system lists it.
      const recorders = () => pactl('list', 'source-outputs');
      await until(async () => (await recorders()).includes(recorder.name), 'the recorder');
      const found = await list();
      expect(found.map(({ displayName, own }) => own || displayName).sort()).toEqual(
        [true, caller.name].sort(),
      );
      expect(found.find(({ own }) => own)?.pid).toBe(process.pid);
      expect(found.every(({ levelDb }) => Number.isNaN(levelDb))).toBe(true);
      await Promise.all([mic.close(), loopback.close(), caller.hangUp(), recorder.hangUp()]);
    },
  );

  it('are refused a flow that there is not', async () => {
    const flow = 'both' as 'input';
    await expect(listAudioProcesses({ flow, backend: system.backend })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
    expect(() => new ProcessMonitor({ flow, backend: system.backend })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
});

const pactl = async (...question: string[]): Promise<string> =>
  (await promisify(execFile)('pactl', question)).stdout;

describe.runIf(name === 'simulated')('simulated programs that capture', () => {
  it('may capture and play, stop either, and are refused what no program can open', async () => {
    await using audio = new SimulatedAudio();
    const phone = audio.addProcess({ name: 'phone.exe' });
    const listed = async (flow: 'input' | 'output') =>
      (await listAudioProcesses({ flow, backend: audio })).map(({ devices }) => devices);
    phone.capture({ device: 'mic' }).capture({ device: 'mic' });
    phone.play(tone(440), { device: 'speakers' });
    expect(await listed('input')).toEqual([['mic']]);
    expect(await listed('output')).toEqual([['speakers']]);
    phone.release({ device: 'mic' }).release({ device: 'mic' });
    expect(await listed('input')).toEqual([]);
    expect(await listed('output')).toEqual([['speakers']]);
    const refused = (device: string, code: string) =>
      expect(() => phone.capture({ device })).toThrow(expect.objectContaining({ code }));
    refused('speakers', 'ERR_AUDIO_UNSUPPORTED');
    refused('nothing', 'ERR_AUDIO_DEVICE_NOT_FOUND');
    audio.device('mic').deny();
    refused('mic', 'ERR_AUDIO_PERMISSION_DENIED');
    phone.exit();
    expect(() => phone.capture({ device: 'mic' })).toThrow(
      expect.objectContaining({ code: 'ERR_AUDIO_PROCESS_NOT_FOUND' }),
    );
  });
});

describe.runIf(onLinux)('the example on-call.mjs', () => {
  it('records while another program uses the microphone, and its own use does not prolong that', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'patchcord-calls-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const run = runExample(folder, 'on-call.mjs', '--linger', '0.3', '--calls', '2');
    await until(() => run.output.includes('waiting for a program'), 'its start');
    for (let calls = 1; calls <= 2; calls++) {
      const caller = call();
      await until(() => run.output.includes(`${caller.name}: recording into`), 'a recording');
      await until(async () => (await list()).length === 2, 'the example to capture as well');
      await caller.hangUp();
      await until(() => run.output.includes(`${caller.name}: the call has ended`), run.output);
    }
    expect(await run.ended, run.output).toBe(0);
    const files = readdirSync(join(folder, 'calls'));
    expect(files).toHaveLength(2);
    for (const file of files) {
      expect(readFileSync(join(folder, 'calls', file)).length).toBeGreaterThan(44 + 4800 * 4);
    }
  });
});
