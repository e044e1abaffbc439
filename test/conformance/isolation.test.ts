// Sources whose device a child process holds, beside sources of this process.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  captureMeeting,
  EchoCanceller,
  LoopbackSource,
  MicSource,
  ProcessSource,
  WavReader,
  WavWriter,
  type AudioError,
  type AudioSource,
  type Discontinuity,
  type ForkFunction,
  type ProcessTap,
} from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

import { toFloat } from '../instruments/index.js';
import { openSystem, type System } from './system.js';
import { typicalTone } from './typical-tone.js';
import { event, until } from './wait.js';

const name = process.env.PATCHCORD_TEST_BACKEND ?? 'simulated';
const rate = 48000;

/** Starts children as usual, and remembers them. */
function watched(): { fork: ForkFunction; children: ChildProcess[] } {
  const children: ChildProcess[] = [];
  const fork = (file: string): ChildProcess => {
    const child = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'pipe'] });
    children.push(child);
    return child;
  };
  return { fork, children };
}

describe.skipIf(name === 'simulated')('a source in a child process', () => {
  let system: System;
  beforeAll(async () => {
    system = await openSystem();
  });
  afterAll(() => system.close());

  /** The left channel of so many frames from now on, and the time of the first. */
  async function hear(source: AudioSource, frames: number) {
    const parts: Buffer[] = [];
    let [count, time] = [0, 0n];
    for await (const chunk of source.chunks()) {
      if (count === 0) time = chunk.time;
      parts.push(chunk.data);
      if ((count += chunk.frames) >= frames) break;
    }
    return { sound: toFloat(Buffer.concat(parts), source.format)[0], time };
  }

  it('hears what a source of this process hears, at the same times', async () => {
    const stops = [await system.play('microphone', 50), await system.play('speakers', 440)];
    const { backend } = system;
    const [inside, isolated, loopback] = await Promise.all([
      MicSource.open({ backend, device: system.microphone }),
      MicSource.open({ backend, device: system.microphone, isolation: 'process' }),
      LoopbackSource.open({ backend, device: system.speakers, isolation: 'process' }),
    ]);
    expect(isolated.device).toEqual(inside.device);
    expect(isolated.granted?.shareMode).toBe('shared');
    await until(() => isolated.level().peakDb > -13 && inside.level().peakDb > -13, 'both');
    const [here, there, played] = await Promise.all(
      [inside, isolated, loopback].map((source) => hear(source, 2 * rate)),
    );
    for (const { sound } of [here, there]) {
      const { frequency, peakDb } = typicalTone(sound, rate, 50);
      expect(frequency).toBeCloseTo(50, 0);
      expect(Math.abs(peakDb + 12)).toBeLessThan(0.5);
    }
    expect(typicalTone(played.sound, rate, 440).frequency).toBeCloseTo(440, 0);
    // The phases of the tone at one time, in turns of 20 ms. The limit is 5 ms, because the times of new streams still settle.
    const phase = ({ sound, time }: { sound: Float32Array; time: bigint }): number => {
      const from = rate;
      let [re, im] = [0, 0];
      for (let i = 0; i < rate / 4; i++) {
        const turns = Number(time % 20_000_000n) / 2e7 + (from + i) / 960;
        re += sound[from + i] * Math.cos(2 * Math.PI * turns);
        im += sound[from + i] * Math.sin(2 * Math.PI * turns);
      }
      return Math.atan2(im, re) / (2 * Math.PI);
    };
    const apart = Math.abs(phase(here) - phase(there));
    expect(Math.min(apart, 1 - apart)).toBeLessThan(0.25);
    await Promise.all([inside, isolated, loopback].map((source) => source.close()));
    for (const stop of stops) await stop();
  });

  it('recovers when the child is killed, tells it, and keeps its timeline', async () => {
    const stop = await system.play('microphone', 1000);
    const { fork, children } = watched();
    const device = system.microphone;
    const mic = await MicSource.open({ backend: system.backend, device, isolation: { fork } });
    const gaps: Discontinuity[] = [];
    mic.on('discontinuity', (gap) => gaps.push(gap));
    mic.resume();
    await until(() => mic.level().peakDb > -13, 'the tone');
    for (let kills = 1; kills <= 2; kills++) {
      const lost = event<{ error: AudioError }>(mic, 'rebuild');
      const back = event(mic, 'recovered');
      children.at(-1)?.kill('SIGKILL');
      expect((await lost).error).toMatchObject({
        code: 'ERR_AUDIO_DEVICE_LOST',
        message: expect.stringMatching(/child process that holds the device/),
      });
      await back;
      await until(() => gaps.length >= kills, 'the gap');
      await until(() => mic.level().peakDb > -13, 'the tone again');
    }
    expect(gaps[0]).toMatchObject({ filled: true, reason: 'deviceLost' });
    const age = Number(process.hrtime.bigint() - mic.timeAt(mic.stats().frames)) / 1e6;
    expect(Math.abs(age)).toBeLessThan(500);
    // Another device is opened in another child, and the one before ends.
    const before = children.length;
    await mic.setDevice('default');
    await mic.close();
    expect(children.length).toBeGreaterThanOrEqual(before);
    await until(
      () => children.every(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null),
      'their ends',
    );
    await stop();
  });

  it('is killed again and again: it gives up in time', async () => {
    const { fork, children } = watched();
    const mic = new MicSource({
      backend: system.backend,
      device: system.microphone,
      isolation: { fork },
      recover: { giveUpAfterMs: 1500 },
    });
    mic.resume();
    await mic.ready;
    const failed = event<AudioError>(mic, 'error', 60_000);
    const killer = setInterval(() => children.at(-1)?.kill('SIGKILL'), 50);
    expect((await failed).code).toBe('ERR_AUDIO_DEVICE_LOST');
    clearInterval(killer);
    expect(children.length).toBeLessThan(20);
  });

  it('gives a file all that was captured until close(), although its frames come in bulk', async () => {
    const stop = await system.play('microphone', 1000);
    const { backend, microphone: device } = system;
    const open = () => MicSource.open({ backend, device, isolation: 'process', channels: 1 });
    const folder = mkdtempSync(join(tmpdir(), 'patchcord-isolation-'));
    const mic = await open();
    const file = WavWriter.toFile(join(folder, 'mic.wav'));
    mic.pipe(file);
    await until(() => mic.stats().frames > 2 * rate, 'two seconds');
    // As soon as somebody listens, the frames come as they do to every listener.
    const before = mic.stats().packets;
    const from = mic.stats().frames;
    await until(() => mic.stats().frames > from + rate, 'a second');
    const inBulk = mic.stats().packets - before;
    expect(inBulk).toBeLessThan(20);
    const end = mic.frameAt(process.hrtime.bigint());
    await mic.close();
    await finished(file);
    expect(end - mic.stats().frames).toBeLessThan(0.09 * rate);
    // The frames that a device still owes at the end are lost in every process.
    expect(mic.stats().lostFrames).toBeLessThan(0.05 * rate);
    const chunks: Buffer[] = [];
    for await (const chunk of WavReader.fromFile(join(folder, 'mic.wav'))) chunks.push(chunk);
    const [sound] = toFloat(Buffer.concat(chunks), mic.format);
    expect(Math.abs(typicalTone(sound.subarray(rate), rate, 1000).peakDb + 12)).toBeLessThan(0.5);
    rmSync(folder, { recursive: true });
    await stop();
  });

  it('delivers in time to an echo canceller, although a file reads the stream too', async () => {
    const stop = await system.play('speakers', 1000);
    const { backend, speakers, microphone } = system;
    const folder = mkdtempSync(join(tmpdir(), 'patchcord-isolation-'));
    const options = { backend, device: speakers, isolation: 'process', channels: 1 } as const;
    const loopback = await LoopbackSource.open(options);
    const file = WavWriter.toFile(join(folder, 'reference.wav'));
    loopback.pipe(file);
    const packetsOfASecond = async (): Promise<number> => {
      const before = loopback.stats();
      await until(() => loopback.stats().frames > before.frames + rate, 'a second');
      return loopback.stats().packets - before.packets;
    };
    const mic = await MicSource.open({ backend, device: microphone, channels: 1 });
    const canceller = new EchoCanceller({ reference: loopback });
    mic.pipe(canceller).resume();
    await packetsOfASecond();
    expect(await packetsOfASecond()).toBeGreaterThan(30);
    canceller.destroy();
    await packetsOfASecond();
    expect(await packetsOfASecond()).toBeLessThan(20);
    await Promise.all([mic.close(), loopback.close(), finished(file)]);
    rmSync(folder, { recursive: true });
    await stop();
  });

  it('answers the same requests as a source of this process', async () => {
    const { backend, microphone: device, speakers: echoReference } = system;
    const options = { backend, device, echoReference, raw: true } as const;
    const here = await MicSource.open(options);
    const there = await MicSource.open({ ...options, isolation: 'process' });
    expect(here.granted.reasons.echoReference).toBeDefined();
    expect(there.granted.reasons).toEqual(here.granted.reasons);
    await Promise.all([here.close(), there.close()]);
  });

  it('ends the children of sources that are destroyed while they open', async () => {
    const { backend, microphone: device } = system;
    const { fork, children } = watched();
    for (let n = 0; n < 6; ++n) {
      const mic = new MicSource({ backend, device, isolation: { fork } });
      await until(() => children.length > n, 'a child');
      await new Promise((resolve) => setTimeout(resolve, n * 40));
      mic.destroy();
    }
    const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;
    await until(() => children.every(hasEnded), 'the end of all children');
  });

  it('captures programs, and follows them', async ({ skip }) => {
    if (!system.program) return skip('no program can be captured here');
    const { backend } = system;
    const player = await system.program(440);
    const { fork, children } = watched();
    const source = await ProcessSource.open({
      backend,
      process: player.pid,
      isolation: { fork },
    });
    const attached = event<ProcessTap>(source, 'attach');
    source.resume();
    const { process: program } = await attached;
    expect(program.displayName).toBe(player.name);
    expect(source.processes).toMatchObject([{ pid: program.pid }]);
    const { sound } = await hear(source, rate);
    const { frequency, peakDb } = typicalTone(sound.subarray(rate / 2), rate, 440);
    expect(frequency).toBeCloseTo(440, 0);
    expect(Math.abs(peakDb + 12)).toBeLessThan(0.5);
    // A child that is killed is replaced, and the program is captured again.
    const again = event<ProcessTap>(source, 'attach');
    const back = event(source, 'recovered');
    children.at(-1)?.kill('SIGKILL');
    expect((await again).process.pid).toBe(program.pid);
    await back;
    await until(() => source.level().peakDb > -13, 'the tone again');
    const ended = event(source, 'end');
    await player.exit();
    await ended;
  });

  it.skipIf(name === 'wasapi')('may be FFmpeg, also in a meeting that begins with it', async () => {
    const stop = await system.play('microphone', 1000);
    const { backend, microphone: device } = system;
    const mic = await MicSource.open({ backend, device, isolation: { ffmpeg: 'ffmpeg' } });
    expect(mic.granted?.lowLatency).toBe(false);
    const meeting = captureMeeting({
      backend,
      mic: { device },
      system: false,
      format: { sampleRate: rate },
      strategy: ['ffmpeg'],
    });
    await meeting.ready;
    expect(meeting.mic?.strategy).toBe('ffmpeg');
    await until(() => mic.level().peakDb > -13, 'the tone');
    await until(() => meeting.mic!.level().peakDb > -13, 'the tone in the meeting');
    const { sound, time } = await hear(mic, rate);
    const { frequency, peakDb } = typicalTone(sound.subarray(rate / 4), rate, 1000);
    expect(frequency).toBeCloseTo(1000, 0);
    expect(Math.abs(peakDb + 12)).toBeLessThan(0.5);
    expect(Number(process.hrtime.bigint() - time) / 1e9 - 1).toBeLessThan(0.5);
    await Promise.all([mic.close(), meeting.close()]);
    await stop();
  });

  it.skipIf(process.platform === 'win32').each([
    ['is absent', '', /could not be started/],
    ['is too old', 'echo "ffmpeg version 3.4.8-1"', /version 3\.4\.8-1 is too old, version 4/],
    ['has no input device', 'echo "ffmpeg version n6.1"', /built without its input device pulse/],
  ])('of FFmpeg that %s is refused with that reason', async (_what, script, message) => {
    const folder = mkdtempSync(join(tmpdir(), 'patchcord-ffmpeg-'));
    const ffmpeg = join(folder, 'ffmpeg');
    if (script) writeFileSync(ffmpeg, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const { backend } = system;
    const error = await MicSource.open({ backend, isolation: { ffmpeg }, recover: false }).catch(
      (caught: AudioError) => caught,
    );
    expect(error).toMatchObject({ code: 'ERR_AUDIO_UNSUPPORTED' });
    expect((error as AudioError).message).toMatch(message);
    rmSync(folder, { recursive: true });
  });

  const silent = 'setInterval(() => {}, 1000)';
  it.each<[string, string[], RegExp]>([
    ['ends at once', ['-e', 'console.error("no such thing"); process.exit(3)'], /code 3: no such/],
    [
      'is another program',
      ['-e', `process.stdout.write("hello, world\\n".repeat(9)); ${silent}`],
      /sent something else|not the one/,
    ],
    [
      'is a stranger that knows the messages',
      [
        '-e',
        `process.stdout.write(Buffer.from([1, 0, 0, 0, 8, 0, 0, 0, 34, 97, 34, 32, 32, 32, 32, 32])); ${silent}`,
      ],
      /not the one that was started/,
    ],
  ])('is refused if the child %s', async (_what, args, message) => {
    const fork = (): ChildProcess =>
      spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const { backend } = system;
    const error = await MicSource.open({ backend, isolation: { fork }, recover: false }).catch(
      (caught: AudioError) => caught,
    );
    expect(error).toMatchObject({ code: 'ERR_AUDIO_DEVICE_LOST' });
    expect((error as AudioError).message).toMatch(message);
  });
});

describe('isolation', () => {
  it.each([
    ['fork', 'ERR_INVALID_ARG_VALUE'],
    [{ fork: 'node' }, 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [1, 'ERR_INVALID_ARG_TYPE'],
    [{ ffmpeg: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ])('of %j is refused', (isolation, code) => {
    expect(() => new MicSource({ isolation: isolation as 'process' })).toThrow(
      expect.objectContaining({ code }),
    );
  });

  it('is refused for a simulation of this process', async () => {
    await using audio = new SimulatedAudio();
    expect(() => new MicSource({ backend: audio, isolation: 'process' })).toThrow(
      expect.objectContaining({ code: 'ERR_AUDIO_UNSUPPORTED' }),
    );
  });
});
