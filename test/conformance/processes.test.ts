import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  listAudioProcesses,
  LoopbackSource,
  ProcessMonitor,
  ProcessSource,
  SpeakerSink,
  ToneSource,
  type AudioChunk,
  type AudioDevice,
  type AudioProcess,
  type ProcessOptions,
  type ProcessTap,
} from 'patchcord';

import { toFloat } from '../instruments/index.js';
import { openSystem, type Program, type System } from './system.js';
import { levelOf } from './tone-level.js';
import { event, until } from './wait.js';

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

const start = (frequency: number, db?: number): Promise<Program> => system.program!(frequency, db);

const capture = (options: Omit<ProcessOptions, 'backend'>): ProcessSource =>
  new ProcessSource({ ...options, backend: system.backend });

/** Records from the next frame on that is not silence, without the first 100 ms. */
async function hear(source: ProcessSource, frames: number): Promise<Float32Array> {
  const chunks: AudioChunk[] = [];
  let count = 0;
  for await (const chunk of source.chunks()) {
    if (count === 0 && chunk.data.every((byte) => byte === 0)) continue;
    chunks.push(chunk);
    count += chunk.frames;
    if (count >= frames + 4800) break;
  }
  const data = Buffer.concat(chunks.map((chunk) => chunk.data));
  return toFloat(data, source.format)[0].subarray(4800);
}

const simulatedOnly = (process.env.PATCHCORD_TEST_BACKEND ?? 'simulated') === 'simulated';
const inWine = process.env.PATCHCORD_TEST_BACKEND === 'wasapi';

// Capturing them as on Windows: test/windows/mmdevapi-processes.test.ts.
describe.runIf(inWine)('programs in Wine, which has no process loopback', () => {
  it.each([0, process.pid, 'node', /node/i])('are not captured: %s', async (program) => {
    const tap = capture({ process: program, recover: false });
    const error = await event<Error & { code: string }>(tap, 'error');
    expect(error.code).toBe('ERR_AUDIO_UNSUPPORTED');
    expect(error.message).toContain('has no process loopback');
    expect(error.message).toContain('LoopbackSource');
  });

  it('are searched first, so one that does not run is a different error', async () => {
    const tap = capture({ process: 'Theremin of Oz' });
    expect(await event(tap, 'error')).toMatchObject({ code: 'ERR_AUDIO_PROCESS_NOT_FOUND' });
  });

  it('that play are not listed, because its sessions are those of this process, and a list duplicates them', async () => {
    const monitor = new ProcessMonitor({ backend: system.backend });
    await monitor.ready;
    const speakers = new SpeakerSink({ backend: system.backend });
    new ToneSource({ frequency: 440, durationMs: 10_000 }).pipe(speakers);
    // Looked at, they would double each time.
    await until(() => speakers.stats().frames > 5 * 48_000, 'some twenty looks');
    expect(monitor.processes).toEqual([]);
    expect(await listAudioProcesses({ backend: system.backend })).toEqual([]);
    monitor.close();
    speakers.destroy();
  });
});

describe.skipIf(inWine)('programs', () => {
  it('are listed with name, path, start, root, state, volume, mute, devices and level', async () => {
    const player = await start(440);
    const find = (all: readonly AudioProcess[]): AudioProcess | undefined =>
      all.find((one) => one.displayName === player.name);
    const found = find(await listAudioProcesses({ backend: system.backend }));
    expect(found).toMatchObject({ state: 'active', volume: 1, muted: false });
    expect(found?.pid).toBeGreaterThan(0);
    expect(BigInt(found?.startTime ?? 0)).toBeGreaterThan(0n);
    expect(JSON.parse(JSON.stringify(found))).toMatchObject({
      pid: found?.pid,
      startTime: found?.startTime,
    });
    expect(found?.name).toBeTruthy();
    expect(found?.path).toBeTruthy();
    expect(found?.devices).toHaveLength(1);
    expect(Math.abs(found!.levelDb + 12)).toBeLessThan(1.5);
    await player.exit();
  });

  it('at another output are reported by a loopback, which this process does not count for', async () => {
    const { backend, speakers } = system;
    const loopback = await LoopbackSource.open({ backend, device: speakers });
    const reports: AudioDevice[][] = [];
    loopback.on('elsewhere', ({ devices }) => reports.push(devices));
    const player = await start(440);
    const sink = new SpeakerSink({ backend, device: 'Headset' });
    const own = new ToneSource({ frequency: 440 });
    own.pipe(sink);
    await until(() => sink.position > 48_000, 'two looks');
    expect(reports).toEqual([]);
    own.destroy();
    await sink.close();
    await player.move('headset');
    await until(() => reports.length === 1, 'a report');
    expect(reports[0].map(({ name }) => name)).toEqual([expect.stringMatching(/headset/i)]);
    await player.exit();
    await until(() => reports.length === 2, 'the end');
    expect(reports[1]).toEqual([]);
    await loopback.close();
  });

  it('are separated: each tap has its own within 0.5 dB, and the others below -90 dBFS', async () => {
    const frequencies = [440, 1000, 3000];
    const players = [];
    for (const frequency of frequencies) players.push(await start(frequency));
    // One after the other: PipeWire on a busy machine starves several recordings of one sink.
    for (const [own, { name }] of players.entries()) {
      const tap = capture({ process: name });
      const sound = await hear(tap, 96_000);
      await tap.close();
      frequencies.forEach((frequency, other) => {
        const db = levelOf(sound, frequency);
        if (own === other) expect(Math.abs(db + 12)).toBeLessThan(0.5);
        else expect(db).toBeLessThan(-90);
      });
    }
    await Promise.all(players.map((player) => player.exit()));
  });

  it('are captured by process id, by pattern, by path, and by list entry', async () => {
    const player = await start(440);
    const listed = (await listAudioProcesses({ backend: system.backend })).find(
      (one) => one.displayName === player.name,
    )!;
    const pattern = new RegExp(`^${player.name}$`, 'gi');
    for (const process of [player.pid, pattern, player.name.toUpperCase(), listed]) {
      const tap = capture({ process });
      const sound = await hear(tap, 24_000);
      expect(Math.abs(levelOf(sound, 440) + 12)).toBeLessThan(0.5);
      expect(tap.processes.map(({ pid }) => pid)).toEqual([listed.pid]);
      await tap.close();
    }
    const byPath = capture({ process: listed.path });
    await hear(byPath, 4800);
    await byPath.close();
    await player.exit();
  });

  it('are captured together, or all but one', async () => {
    const players = [await start(440), await start(1000), await start(3000)];
    const names = players.map(({ name }) => name);
    const levels = async (options: Omit<ProcessOptions, 'backend'>): Promise<number[]> => {
      const tap = capture(options);
      const taps: ProcessTap[] = [];
      tap.on('attach', (one) => taps.push(one));
      const wanted = options.process === 0 && !options.except ? 3 : 2;
      await until(() => taps.length >= wanted, 'their streams');
      const sound = await hear(tap, 48_000);
      await tap.close();
      return [440, 1000, 3000].map((frequency) => levelOf(sound, frequency));
    };
    const expectLevels = (heard: number[], loud: boolean[]): void => {
      heard.forEach((db, k) => {
        if (loud[k]) expect(Math.abs(db + 12)).toBeLessThan(0.5);
        else expect(db).toBeLessThan(-90);
      });
    };
    // The same program twice is heard once.
    const twice = [names[0], names[1], names[0].toUpperCase()];
    expectLevels(await levels({ process: twice }), [true, true, false]);
    expectLevels(await levels({ process: names[1], mode: 'exclude' }), [true, false, true]);
    expectLevels(await levels({ process: [players[0].pid, 0] }), [true, true, true]);
    expectLevels(await levels({ process: 0, except: players[2].pid }), [true, true, false]);
    await Promise.all(players.map((player) => player.exit()));
  });

  it.runIf(simulatedOnly)(
    'are found whenever they begin, also while the source opens',
    async () => {
      for (let turns = 0; turns < 40; turns++) {
        const tap = capture({ process: /^Player/, waitForProcess: true });
        for (let turn = 0; turn < turns; turn++) await new Promise((done) => setImmediate(done));
        const attached = event(tap, 'attach', 2000);
        const player = await start(440);
        await attached;
        await tap.close();
        await player.exit();
      }
    },
  );

  it('that do not play cost nothing, even if hundreds run', async () => {
    // Three hundred processes of one name.
    const crowd = await system.crowd!(300);
    const tap = capture({ process: crowd.name });
    await tap.ready;
    await until(() => tap.stats().frames > 24_000, 'silence');
    expect(tap.processes).toEqual([]);
    const ended = event(tap, 'end');
    tap.resume();
    await crowd.exit();
    await ended;
  });

  it('are silent while they play nothing', async () => {
    const began = process.hrtime.bigint();
    const tap = capture({ process: 'Theremin of Oz', waitForProcess: true, durationMs: 500 });
    let frames = 0;
    for await (const chunk of tap.chunks()) {
      expect(chunk.data.every((byte) => byte === 0)).toBe(true);
      frames += chunk.frames;
    }
    expect(frames).toBe(24_000);
    expect(Number(process.hrtime.bigint() - began) / 1e6).toBeGreaterThan(480);
  });

  it('are waited for, and followed when they start again and when they change the output', async () => {
    const first = await start(440);
    const tap = capture({ process: /^(outside|Player)/, waitForProcess: true });
    const attached: ProcessTap[] = [];
    const detached: ProcessTap[] = [];
    tap.on('attach', (one) => attached.push(one)).on('detach', (one) => detached.push(one));
    await until(() => attached.length === 1, 'the first');
    // A server may remember where a player of this name was moved before.
    await first.move(attached[0].device?.includes('headset') ? 'speakers' : 'headset');
    await until(() => attached.length === 2, 'its new output');
    expect(detached).toHaveLength(1);
    expect(attached[1].process.pid).toBe(attached[0].process.pid);
    expect(attached[1].device).not.toBe(attached[0].device);
    await first.exit();
    await until(() => detached.length === 2, 'its end');
    const second = await start(1000);
    await until(() => attached.length === 3, 'the second');
    expect(attached[2].process.pid).not.toBe(attached[0].process.pid);
    const sound = await hear(tap, 48_000);
    expect(Math.abs(levelOf(sound, 1000) + 12)).toBeLessThan(0.5);
    expect(levelOf(sound, 440)).toBeLessThan(-90);
    await tap.close();
    await second.exit();
  });

  it('end the stream when the last of them ends', async () => {
    const player = await start(440);
    const tap = capture({ process: player.name });
    const ended = event(tap, 'end');
    await hear(tap, 4800);
    tap.resume();
    await player.exit();
    await ended;
    expect(tap.errored).toBeNull();
  });

  it('are reported when they start, change, play and end', async () => {
    const monitor = new ProcessMonitor({ backend: system.backend, levelMs: 100 });
    await monitor.ready;
    const added = event<AudioProcess>(monitor, 'add');
    const player = await start(440, -20);
    const process = await added;
    expect(process.displayName).toBe(player.name);
    const own = (): AudioProcess | undefined =>
      monitor.processes.find((one) => one.pid === process.pid);
    await until(() => Math.abs((own()?.levelDb ?? 0) + 20) < 1.5, 'its level');
    const changed = event<AudioProcess>(monitor, 'change');
    // A server may remember where a player of this name was moved before.
    const onHeadset = own()!.devices.some((id) => id.includes('headset'));
    const before = own()!.devices;
    await player.move(onHeadset ? 'speakers' : 'headset');
    expect((await changed).devices).not.toEqual(before);
    const removed = event<AudioProcess>(monitor, 'remove');
    await player.exit();
    expect((await removed).pid).toBe(process.pid);
    monitor.close();
    await event(monitor, 'close');
  });

  it('that do not run are an error that lists the programs that play', async () => {
    const player = await start(440);
    for (const process of ['Theremin of Oz', /theremin/i, 4_000_000_000]) {
      const tap = capture({ process });
      const error = await event<Error & { code: string }>(tap, 'error');
      expect(error.code).toBe('ERR_AUDIO_PROCESS_NOT_FOUND');
      const who = system.name === 'simulated' ? 'player.exe' : 'pacat';
      expect(error.message).toContain(who);
      expect(error.message).toContain('waitForProcess');
    }
    await player.exit();
  });
});

describe('arguments of a ProcessSource', () => {
  const bad: [string, unknown, string][] = [
    ['no program', {}, 'ERR_INVALID_ARG_TYPE'],
    ['an empty list', { process: [] }, 'ERR_INVALID_ARG_VALUE'],
    ['an empty name', { process: '' }, 'ERR_INVALID_ARG_VALUE'],
    ['a number below 0', { process: -1 }, 'ERR_OUT_OF_RANGE'],
    ['all but everything', { process: [0, 1], mode: 'exclude' }, 'ERR_INVALID_ARG_VALUE'],
    ['something else', { process: { pid: 5 } }, 'ERR_INVALID_ARG_TYPE'],
    ['a device', { process: 'a', device: 'Speakers' }, 'ERR_INVALID_ARG_VALUE'],
    ['a mode', { process: 'a', mode: 'only' }, 'ERR_INVALID_ARG_VALUE'],
    [
      'exceptions of an exclusion',
      { process: 'a', mode: 'exclude', except: 'b' },
      'ERR_INVALID_ARG_VALUE',
    ],
    ['no exceptions', { process: 'a', except: [] }, 'ERR_INVALID_ARG_VALUE'],
    ['waiting', { process: 'a', waitForProcess: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ];
  it.each(bad)('%s', (_what, options, code) => {
    expect(() => capture(options as ProcessOptions)).toThrow(expect.objectContaining({ code }));
  });
});
