// An output that is made for programs, and the stream of what they play to it.
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import {
  getDefaultDevice,
  listDevices,
  listVirtualMics,
  ToneSource,
  VirtualMicSink,
  VirtualSpeakerSource,
} from 'patchcord';

import { toFloat } from '../instruments/index.js';
import { openSystem, type System } from './system.js';
import { levelOf } from './tone-level.js';
import { typicalTone } from './typical-tone.js';
import { until } from './wait.js';

const name = process.env.PATCHCORD_TEST_BACKEND ?? 'simulated';
const onServer = name === 'pulse' || name === 'pipewire';
const run = promisify(execFile);

let system: System;
beforeAll(async () => (system = await openSystem()));
afterAll(() => system.close());

async function open(named: string): Promise<VirtualSpeakerSource> {
  const { backend } = system;
  const speaker = await VirtualSpeakerSource.open({ backend, name: named, bufferMs: 60_000 });
  onTestFinished(() => void speaker.destroy());
  return speaker;
}

/** Records its left channel from now on. */
async function hear(speaker: VirtualSpeakerSource, seconds: number): Promise<Float32Array> {
  const parts: Buffer[] = [];
  let frames = 0;
  for await (const { data, frames: more } of speaker.chunks()) {
    parts.push(data);
    frames += more;
    if (frames >= seconds * 48000) break;
  }
  return toFloat(Buffer.concat(parts), speaker.format)[0].subarray(0, seconds * 48000);
}

/** A program that plays a tone, given nothing but an environment. */
function playWith(
  environment: Record<string, string>,
  frequency: number,
  ...options: string[]
): () => Promise<void> {
  const loud = new Float32Array(96000);
  for (let i = 0; i < 48000; i++)
    loud.fill(0.25 * Math.sin((2 * Math.PI * frequency * i) / 48000), 2 * i, 2 * i + 2);
  const format = ['--raw', '--format=float32le', '--rate=48000', '--channels=2'];
  const child = spawn('pacat', [...format, '--latency-msec=200', ...options], {
    env: { ...process.env, ...environment },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const bytes = Buffer.from(loud.buffer);
  const feed = (): void => void child.stdin.write(bytes, (error) => error ?? feed());
  child.stdin.on('error', () => {});
  feed();
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  onTestFinished(end);
  return end;
}

/** The left channel that a program records, given nothing but an environment. */
async function recordWith(
  environment: Record<string, string>,
  seconds: number,
): Promise<Float32Array> {
  const bytes = seconds * 48000 * 8;
  const command = `parec --raw --format=float32le --rate=48000 --channels=2 --latency-msec=100 | head -c ${bytes}`;
  const { stdout } = await run('sh', ['-c', command], {
    env: { ...process.env, ...environment },
    encoding: 'buffer',
    maxBuffer: 2 * bytes,
    timeout: 20_000 + 1000 * seconds,
  });
  const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;
  return toFloat(stdout, format)[0];
}

describe('a virtual speaker', () => {
  it('records what programs play to it, and is silent otherwise', async () => {
    const speaker = await open('Ears');
    const before = await hear(speaker, 1);
    expect(before.every((sample) => sample === 0)).toBe(true);
    const stop = await system.playTo(speaker.speaker!, 997);
    await until(() => speaker.level().rmsDb > -20, 'the tone');
    const heard = typicalTone(await hear(speaker, 2), 48000, 997);
    expect(Math.abs(heard.frequency - 997)).toBeLessThan(1);
    expect(Math.abs(heard.peakDb + 12)).toBeLessThan(0.2);
    await stop();
    await until(() => speaker.level().peakDb < -90, 'silence');
    expect(speaker.stats().lostFrames).toBe(0);
    await speaker.close();
  });

  it('refuses wrong options, and environment() before it is ready', async () => {
    const { backend } = system;
    expect(() => new VirtualSpeakerSource({ backend, name: 7 as never })).toThrow(TypeError);
    expect(() => new VirtualSpeakerSource({ backend, nam: 'x' } as never)).toThrow(TypeError);
    expect(() => new VirtualSpeakerSource({ backend, shareMode: 'exclusive' })).toThrow(
      expect.objectContaining({ code: 'ERR_AUDIO_UNSUPPORTED' }) as Error,
    );
    const speaker = new VirtualSpeakerSource({ backend });
    expect(() => speaker.environment()).toThrow(/before the stream is ready/);
    await speaker.ready;
    if (!onServer) {
      expect(() => speaker.environment()).toThrow(
        expect.objectContaining({ code: 'ERR_AUDIO_UNSUPPORTED' }) as Error,
      );
    }
    await speaker.close();
  });
});

describe.runIf(name !== 'wasapi')('a created output', () => {
  it('is listed, is not a default and not a microphone, and is removed with its stream', async () => {
    const { backend } = system;
    const [output, input] = [
      await getDefaultDevice('output', 'console', { backend }),
      await getDefaultDevice('input', 'console', { backend }),
    ];
    const speaker = await open('Listed');
    const listed = async () =>
      (await listDevices({ backend })).find(({ id }) => id === speaker.speaker!.id);
    expect(await listed()).toMatchObject({ name: 'Listed', flow: 'output', virtual: true });
    expect((await getDefaultDevice('output', 'console', { backend }))?.id).toBe(output?.id);
    expect((await getDefaultDevice('input', 'console', { backend }))?.id).toBe(input?.id);
    const mics = await listVirtualMics({ backend });
    expect(mics.some(({ render }) => render.id === speaker.speaker!.id)).toBe(false);
    await speaker.close();
    expect(await listed()).toBeUndefined();
  });

  it('has the requested format, while its stream has another one', async () => {
    const { backend } = system;
    const deviceFormat = { sampleRate: 44100, channels: 1, sampleFormat: 'f32' } as const;
    const speaker = await VirtualSpeakerSource.open({ backend, deviceFormat, sampleRate: 16000 });
    expect(speaker.speaker.format).toMatchObject({ sampleRate: 44100, channels: 1 });
    expect(speaker.format).toMatchObject({ sampleRate: 16000, channels: 2 });
    await speaker.close();
    const wide = await VirtualSpeakerSource.open({ backend, channels: 6 });
    expect(wide.speaker.format.channels).toBe(6);
    await wide.close();
  });
});

describe.runIf(onServer)('programs that are given an environment', () => {
  async function pair(named: string) {
    const speaker = await open(named);
    const mic = await VirtualMicSink.open({ backend: system.backend, name: named, latencyMs: 60 });
    onTestFinished(() => void mic.destroy());
    return { speaker, mic, environment: { ...speaker.environment(), ...mic.environment() } };
  }

  it('play and record in their own pair, 90 dB above any other', async () => {
    // Characters that mean something to shells, to the arguments of modules and to lists of properties.
    const hostile = 'Bot "one" of \'two\' $HOME `id`; a=b, {c} \\ # %s';
    const one = await pair(hostile);
    const two = await pair(hostile);
    // PipeWire gets typographic forms of quotes and backslashes.
    const plain = (shown: string) => shown.replace(/["”'’\\∖]/g, '?');
    expect(plain(one.speaker.speaker!.name)).toBe(plain(hostile));
    expect(plain(two.speaker.speaker!.name)).toBe(`${plain(hostile)} (2)`);
    expect(two.mic.microphone.name).toBe(two.speaker.speaker!.name);
    const spoken = [1300, 1700];
    [one, two].forEach(({ mic }, index) =>
      new ToneSource({ frequency: spoken[index], gain: 0.25, durationMs: 60_000 }).pipe(mic),
    );
    const played = [700, 1100];
    const ends = [one, two].map(({ environment }, index) => playWith(environment, played[index]));
    await until(() => one.speaker.level().rmsDb > -20 && two.speaker.level().rmsDb > -20, 'both');
    const [earOne, earTwo, recordedOne, recordedTwo] = await Promise.all([
      hear(one.speaker, 3),
      hear(two.speaker, 3),
      recordWith(one.environment, 4),
      recordWith(two.environment, 4),
    ]);
    const levels = (sound: Float32Array) =>
      Object.fromEntries(
        [...played, ...spoken].map((frequency) => [frequency, levelOf(sound, frequency)]),
      );
    const table = {
      700: levels(earOne),
      1100: levels(earTwo),
      1300: levels(recordedOne.subarray(48000)),
      1700: levels(recordedTwo.subarray(48000)),
    };
    for (const [own, heard] of Object.entries(table)) {
      for (const [frequency, db] of Object.entries(heard)) {
        const text = `${frequency} Hz where ${own} Hz belongs: ${db.toFixed(1)} dB`;
        if (frequency === own) expect(Math.abs(db + 12.04), text).toBeLessThan(0.5);
        else expect(db, text).toBeLessThan(-12 - 90);
      }
    }
    const worst = Object.entries(table).flatMap(([own, heard]) =>
      Object.entries(heard).flatMap(([frequency, db]) => (frequency === own ? [] : [db])),
    );
    console.log(`the loudest of what belongs elsewhere: ${Math.max(...worst).toFixed(1)} dBFS`);
    await Promise.all(ends.map((end) => end()));
  });

  it('play there although the server remembers another output for them', async () => {
    const speaker = await open('Remembered');
    const first = playWith({}, 500);
    const input = async () =>
      (
        JSON.parse((await run('pactl', ['--format=json', 'list', 'sink-inputs'])).stdout) as {
          index: number;
          sink: number;
          properties: Record<string, string>;
        }[]
      ).find(({ properties }) => properties['application.name'] === 'pacat');
    await until(async () => (await input()) !== undefined, 'the program');
    await run('pactl', ['move-sink-input', String((await input())!.index), 'headset']);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await first();
    playWith(speaker.environment(), 500);
    await until(() => speaker.level().rmsDb > -20, 'the tone');
  });

  it('are reported while they play elsewhere', async () => {
    const speaker = await open('Ignored');
    const reports: { devices: string[]; programs: string[] }[] = [];
    speaker.on('elsewhere', ({ devices, processes }) =>
      reports.push({
        devices: devices.map(({ id }) => id),
        programs: processes.map((one) => one.name),
      }),
    );
    playWith({}, 900); // it was not given the speaker
    const end = playWith(speaker.environment(), 500, '--device=headset');
    await until(() => reports.length > 0, 'a report');
    expect(reports).toEqual([{ devices: ['headset'], programs: ['pacat'] }]);
    await end();
    await until(() => reports.length > 1, 'the end of it');
    expect(reports[1]).toEqual({ devices: [], programs: [] });
  });

  // PulseAudio moves all of them back by itself, PipeWire only those that asked for the output.
  it('return to an output that a user removed and that was created again', async () => {
    const speaker = await open('Comes back');
    const { id } = speaker.speaker!;
    await (await system.program!(600)).move(id);
    const other = await open('Another one');
    playWith(other.environment(), 800);
    await until(() => speaker.level().rmsDb > -20 && other.level().rmsDb > -20, 'the tones');
    const modules = (await run('pactl', ['list', 'short', 'modules'])).stdout;
    const ours = modules.split('\n').find((line) => line.includes(`sink_name=${id} `))!;
    const recovered = new Promise((resolve) => speaker.once('recovered', resolve));
    await run('pactl', ['unload-module', ours.split('\t')[0]]);
    await recovered;
    expect(speaker.speaker!.id).toBe(id);
    await until(() => speaker.level().rmsDb > -20, 'the tone again');
    expect(levelOf(await hear(speaker, 1), 800)).toBeLessThan(-102);
    expect(levelOf(await hear(other, 1), 600)).toBeLessThan(-102);
  });
});
