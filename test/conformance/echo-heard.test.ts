// The echo canceller among real parts on Linux: a program plays to the speakers, a microphone carries their monitor
// and a talker, and each is captured by its own stream. All of it runs in the engine, so that the
// event loop may be blocked.
import { execFile } from 'node:child_process';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import {
  EchoCanceller,
  Gain,
  LoopbackSource,
  MicSource,
  Mixer,
  SpeakerSink,
  VirtualMicSink,
  type AudioFormat,
} from 'patchcord';

import { echoRoom, powerDb, toFloat } from '../instruments/index.js';
import { openSystem, type System } from './system.js';
import { block, until } from './wait.js';

const run = promisify(execFile);
const name = process.env.PATCHCORD_TEST_BACKEND;
const onServer = name === 'pulse' || name === 'pipewire';
const rate = 48_000;
const mono: AudioFormat = { sampleRate: rate, channels: 1, sampleFormat: 'f32' };

function collected(stream: Readable): () => Float32Array {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => toFloat(Buffer.concat(chunks), mono)[0];
}

describe.runIf(onServer)('an echo canceller on Linux', () => {
  let system: System;
  beforeAll(async () => {
    system = await openSystem();
  });
  afterAll(() => system.close());

  it('removes what a program plays, detects a talker, and is not affected by a blocked event loop', async () => {
    const scene = echoRoom(20, { nearFrom: 0 });
    const speakers = await SpeakerSink.open({
      device: system.speakers,
      format: mono,
      bufferMs: 30_000,
      latencyMs: 60, // PipeWire's monitor is silent beside a stream of 15 ms
    });
    const air = new Mixer({ sampleRate: rate, limiter: false });
    const talker = air.createInput({ format: mono, bufferMs: 30_000 });
    const heard = await LoopbackSource.open({ device: system.speakers });
    heard.pipe(new Gain({ gain: 0.3 })).pipe(air.createInput());
    const room = await VirtualMicSink.open({ name: 'Room' });
    air.pipe(room);
    speakers.write(Buffer.from(scene.far.buffer));

    const mic = new MicSource({ device: room.microphone?.id, ...mono });
    const reference = new LoopbackSource({ device: system.speakers });
    const canceller = mic.pipe(new EchoCanceller({ reference }));
    const before = collected(mic);
    const after = collected(canceller);
    await until(() => canceller.position > 4 * rate, 'four seconds');
    block(500);
    await until(() => canceller.position > 9 * rate, 'nine seconds');
    const { converged, erleDb } = canceller.stats();
    talker.write(Buffer.from(scene.near.buffer));
    let bothTalked = false;
    await until(() => {
      bothTalked ||= canceller.stats().doubleTalk;
      return canceller.position > 15 * rate;
    }, 'both talk');
    const [all, out] = [before(), after()];
    expect(all.length - out.length).toBeLessThan(rate);
    // A machine that is busy moves the servers' times for a moment: most of the time counts.
    const erles = Array.from({ length: 12 }, (_, i) => 2.5 + i / 2).map(
      (at) => powerDb(all, at, at + 0.5) - powerDb(out, at, at + 0.5),
    );
    const median = erles.sort((x, y) => x - y)[6];
    console.log(`${name}: echo ${median.toFixed(1)} dB lower`, canceller.stats());
    expect(median).toBeGreaterThan(20);
    expect(erleDb).toBeGreaterThan(15);
    expect(converged).toBe(true);
    expect(bothTalked).toBe(true);
    for (const stream of [mic, reference, heard, room, air]) await stream.close();
    speakers.destroy();
  }, 60_000);

  it("passes a microphone of the server's own echo canceller", async () => {
    // With its analogue gain control the module would change the volume of the microphone for good.
    const gain = 'aec_args="analog_gain_control=0"';
    const method = ['aec_method=webrtc', gain];
    const argument = ['source_name=without-echo', 'sink_name=with-echo', ...method];
    const masters = ['source_master=mic', 'sink_master=speakers'];
    const { stdout } = await run('pactl', [
      'load-module',
      'module-echo-cancel',
      ...argument,
      ...masters,
    ]);
    onTestFinished(async () => void (await run('pactl', ['unload-module', stdout.trim()])));
    const [usual, cancelled] = await Promise.all(
      ['mic', 'without-echo'].map((device) => MicSource.open({ device, ...mono })),
    );
    expect(usual.granted.echoCancellation).toBe(false);
    expect(cancelled.granted).toMatchObject({ echoCancellation: true });
    const reference = new LoopbackSource({ device: system.speakers });
    const canceller = cancelled.pipe(new EchoCanceller({ reference }));
    canceller.resume();
    await until(() => canceller.position > rate / 2, 'its sound');
    expect(canceller.stats().cancelledBySystem).toBe(true);
    // The monitor of the canceller's sink is not its microphone.
    const loopback = await LoopbackSource.open({ device: 'with-echo' });
    expect(loopback.granted.echoCancellation).toBe(false);
    const raw = await MicSource.open({ device: 'without-echo', raw: true });
    expect(raw.granted.reasons.raw).toContain('echo canceller');
    for (const stream of [usual, cancelled, reference, loopback, raw]) await stream.close();
  });
});
