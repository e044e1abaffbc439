// A device that goes is survived: the same stream, an unbroken timeline, every missing frame counted.
// The exact part runs on the simulated system with a manual clock; what every system must do runs on the system of
// the run.
import type { EventEmitter } from 'node:events';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import {
  LoopbackSource,
  MicSource,
  Mixer,
  SpeakerSink,
  VirtualMicSink,
  type AudioError,
  type AudioSource,
  type DeviceChange,
  type Discontinuity,
  type SourceOptions,
} from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { findGaps, measureTone, toFloat } from '../instruments/index.js';
import { fitSine, phaseAt } from '../instruments/sine-fit.js';
import { openSystem, type System } from './system.js';
import { typicalTone } from './typical-tone.js';
import { event, until } from './wait.js';

const frequency = 997;

/** Everything that a source delivers, channel 0. */
function collect(source: AudioSource) {
  const chunks: Buffer[] = [];
  source.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => toFloat(Buffer.concat(chunks), source.format)[0];
}

/** Collects the events of a stream, in order. */
function log(stream: AudioSource | SpeakerSink | VirtualMicSink): string[] {
  const names: string[] = [];
  for (const name of ['rebuild', 'recovered', 'deviceChange', 'error', 'close']) {
    (stream as EventEmitter).on(name, () => names.push(name));
  }
  return names;
}

describe('on the simulated system', () => {
  let audio: SimulatedAudio;
  beforeEach(() => {
    const format = { sampleRate: 44100, channels: 1, sampleFormat: 's16' } as const;
    audio = new SimulatedAudio({
      clock: 'manual',
      devices: [
        { id: 'mic', name: 'Microphone', flow: 'input', defaultConsole: true, driftPpm: 120 },
        { id: 'webcam', name: 'Webcam', flow: 'input', format },
        { id: 'speakers', name: 'Speakers', flow: 'output', defaultConsole: true },
        { id: 'headset', name: 'Headset', flow: 'output', format },
      ],
    });
    audio.device('mic').play(tone(frequency / (1 + 120e-6)));
    audio.device('webcam').play(tone(frequency));
  });

  const open = (options: SourceOptions = {}) => new MicSource({ backend: audio, ...options });

  /** In steps that no reader is too slow for. */
  async function run(ms: number): Promise<void> {
    for (let done = 0; done < ms; done += 500) await audio.advance(Math.min(500, ms - done));
  }

  it.each(['device', 'host'] as const)(
    "a microphone that comes back leaves a hole of the right length, clock: '%s'",
    async (clock) => {
      const mic = open({ clock, device: 'mic' });
      const sound = collect(mic);
      const happened = log(mic);
      const holes: Discontinuity[] = [];
      mic.on('discontinuity', (hole) => holes.push(hole));
      await mic.ready;
      await run(10_000);
      audio.device('mic').unplug();
      await run(1234);
      expect(happened).toEqual(['rebuild']);
      // Silence by the clock, not in one piece at the end.
      expect(sound().length).toBeGreaterThan((11_234 - 60) * 48);
      audio.device('mic').plug();
      await run(3000);
      expect(happened).toEqual(['rebuild', 'recovered']);
      const stats = mic.stats();
      expect(holes).toEqual([
        { frame: holes[0].frame, frames: stats.lostFrames, filled: true, reason: 'deviceLost' },
      ]);
      expect(stats.discontinuities).toBe(1);
      // The hole is what was not delivered: from the last packet to the first one after it.
      expect(Math.abs(stats.lostFrames - 1234 * 48)).toBeLessThan(30 * 48);
      const heard = sound();
      const found = findGaps(heard.subarray(48000), {
        sampleRate: 48000,
        frequency,
        tolerance: 1e-3,
      });
      const silences = found.filter(({ kind }) => kind === 'silence');
      expect(silences).toHaveLength(1);
      expect(Math.abs(silences[0].frames - stats.lostFrames)).toBeLessThan(
        clock === 'host' ? 48 : 1.5,
      );
      // The rest is in its place.
      const omega = (2 * Math.PI * frequency) / 48000 / (clock === 'host' ? 1 : 1 + 120e-6);
      const end = heard.length - 9600;
      const [before, after] = [400_000, end].map((from) =>
        phaseAt(fitSine(heard, from, from + 4800, omega, false), 400_000),
      );
      const turns = (after - before) / (2 * Math.PI);
      expect((Math.abs(turns - Math.round(turns)) * 48000) / frequency).toBeLessThan(1.5);
      // And the times say when it was heard.
      const late = Number(audio.now() - mic.timeAt(heard.length)) / 1e6;
      expect(late).toBeGreaterThan(-1);
      expect(late).toBeLessThan(41);
      await mic.close();
    },
  );

  it('is captured again within 300 ms of its return, also after a long absence', async () => {
    const mic = open({ device: 'mic' }).resume();
    await mic.ready;
    for (const awayMs of [10, 90, 400, 900, 2500, 7000, 20_000]) {
      await run(500);
      let back: bigint | undefined;
      mic.once('recovered', () => (back = audio.now()));
      audio.device('mic').unplug();
      await run(awayMs);
      audio.device('mic').plug();
      const plugged = audio.now();
      await run(500);
      expect(Number((back ?? 0n) - plugged) / 1e6).toBeLessThan(300);
      expect(Number((back ?? 0n) - plugged)).toBeGreaterThanOrEqual(0);
    }
    await mic.close();
  });

  it('returns with another format, and the stream keeps its own', async () => {
    const mic = open({ device: 'webcam' });
    const sound = collect(mic);
    await mic.ready;
    await run(2000);
    audio.device('webcam').setFormat({ sampleRate: 16000, channels: 2, sampleFormat: 'f32' });
    await run(2000);
    expect(mic.format).toEqual({ sampleRate: 48000, channels: 2, sampleFormat: 'f32' });
    for (const from of [0.5, 2.5]) {
      const part = sound().subarray(from * 48000, (from + 1) * 48000);
      expect(measureTone(part, 48000, frequency).frequency).toBeCloseTo(frequency, 0);
    }
    await mic.close();
  });

  it('follows the default, and a pinned one does not', async () => {
    const follows = open();
    const stays = open({ device: 'mic' });
    const sound = collect(follows);
    const changes: DeviceChange[] = [];
    follows.on('deviceChange', (change) => changes.push(change));
    const happened = [log(follows), log(stays)];
    stays.resume();
    await Promise.all([follows.ready, stays.ready]);
    await run(1000);
    audio.device('webcam').play(tone(443));
    audio.device('webcam').setDefault();
    await run(1000);
    expect(follows.device?.id).toBe('webcam');
    expect(stays.device?.id).toBe('mic');
    expect(happened).toEqual([['deviceChange'], []]);
    expect(changes).toMatchObject([
      { from: { id: 'mic' }, to: { id: 'webcam' }, reason: 'defaultChange' },
    ]);
    const tail = sound().subarray(-24000);
    expect(measureTone(tail, 48000, 443).frequency).toBeCloseTo(443, 0);
    // It was opened before the old one was released.
    expect(follows.stats().lostFrames).toBeLessThan(30 * 48);
    await Promise.all([follows.close(), stays.close()]);
  });

  it('uses the default while its own device is gone, and returns to it', async () => {
    const mic = open().resume();
    const happened = log(mic);
    await mic.ready;
    await run(500);
    audio.device('mic').unplug();
    await run(500);
    expect(mic.device?.id).toBe('webcam');
    audio.device('mic').plug();
    audio.device('mic').setDefault();
    await run(500);
    expect(mic.device?.id).toBe('mic');
    expect(happened).toEqual(['rebuild', 'deviceChange', 'recovered', 'deviceChange']);
    await mic.close();
  });

  it('setDevice() changes the device, and a failure changes nothing', async () => {
    const mic = open({ device: 'mic' });
    const sound = collect(mic);
    await mic.ready;
    await run(1000);
    await mic.setDevice('webcam');
    expect(mic.device?.name).toBe('Webcam');
    await run(1000);
    const lost = mic.stats().lostFrames;
    await expect(mic.setDevice('no such thing')).rejects.toMatchObject({
      code: 'ERR_AUDIO_DEVICE_NOT_FOUND',
    });
    audio.device('mic').deny();
    await expect(mic.setDevice('mic')).rejects.toMatchObject({
      code: 'ERR_AUDIO_PERMISSION_DENIED',
    });
    await run(1000);
    expect(mic.device?.id).toBe('webcam');
    expect(mic.stats().lostFrames).toBe(lost);
    expect(lost).toBeLessThan(30 * 48);
    const tail = sound().subarray(-48000);
    expect(findGaps(tail, { sampleRate: 48000, frequency, tolerance: 1e-3 })).toEqual([]);
    await mic.close();
    await expect(mic.setDevice('mic')).rejects.toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
  });

  it('the last of several setDevice() calls wins', async () => {
    const mic = open({ device: 'mic' }).resume();
    await mic.ready;
    const answers = Promise.allSettled(
      ['webcam', 'mic', 'webcam', 'mic', 'webcam'].map((id) => mic.setDevice(id)),
    );
    await run(100);
    expect((await answers).at(-1)?.status).toBe('fulfilled');
    expect(mic.device?.id).toBe('webcam');
    await mic.close();
  });

  it('fails after giveUpAfterMs', async () => {
    const mic = open({ device: 'mic', recover: { giveUpAfterMs: 5000 } }).resume();
    await mic.ready;
    const failed = event<AudioError>(mic, 'error');
    audio.device('mic').unplug();
    await run(4900);
    expect(mic.destroyed).toBe(false);
    await run(200);
    expect(await failed).toMatchObject({ code: 'ERR_AUDIO_DEVICE_LOST', deviceId: 'mic' });
    expect((await failed).message).toMatch(/'Microphone' was lost.*within 5 s/);
  });

  it('fails at once if access is denied', async () => {
    const mic = open({ device: 'mic' }).resume();
    await mic.ready;
    const failed = event<AudioError>(mic, 'error');
    audio.device('mic').deny();
    audio.device('mic').unplug();
    audio.device('mic').plug();
    await run(200);
    expect((await failed).code).toBe('ERR_AUDIO_PERMISSION_DENIED');
  });

  it('is waited for the full time if it is lost soon after another change', async () => {
    const mic = open({ device: 'mic', recover: { giveUpAfterMs: 1000 } }).resume();
    await mic.ready;
    await run(10);
    audio.device('webcam').setDefault(); // which concerns it not
    await run(50);
    audio.device('mic').unplug();
    await run(500);
    expect(mic.destroyed).toBe(false);
    // One that comes and goes has it only once.
    audio.device('mic').plug();
    await run(100);
    audio.device('mic').unplug();
    await run(300);
    expect(mic.destroyed).toBe(false);
    const failed = event<AudioError>(mic, 'error');
    await run(200);
    expect((await failed).code).toBe('ERR_AUDIO_DEVICE_LOST');
  });

  it('does not continue with another device of the same name', async () => {
    // PulseAudio gives each null sink the same name.
    audio.addDevice({ id: 'first', name: 'Null Output', flow: 'input' });
    audio.addDevice({ id: 'second', name: 'Null Output', flow: 'input' });
    const mic = open({ device: 'first' }).resume();
    await mic.ready;
    audio.device('first').unplug();
    await run(500);
    expect(mic.device?.id).toBe('first');
    // The same device under another id, which was not there before.
    audio.addDevice({ id: 'third', name: 'Null Output', flow: 'input' });
    await run(500);
    expect(mic.device?.id).toBe('third');
    await mic.close();
  });

  it.each(['close', 'stopAt'] as const)('announces what %s() cuts short', async (end) => {
    for (const awayMs of [20, 300]) {
      const mic = open({ device: 'mic' });
      const sound = collect(mic);
      const holes: Discontinuity[] = [];
      mic.on('discontinuity', (hole) => holes.push(hole));
      await mic.ready;
      const start = audio.now();
      await run(300);
      audio.device('mic').unplug();
      await run(awayMs);
      const closed = event(mic, 'close');
      if (end === 'close') await mic.close();
      else mic.stopAt(audio.now());
      // The end is at least 50 ms ahead.
      const missingMs = end === 'close' ? awayMs : awayMs + 50;
      await Promise.all([closed, run(100)]);
      const lost = holes.reduce((sum, { frames }) => sum + frames, 0);
      expect(lost).toBe(mic.stats().lostFrames);
      expect(Math.abs(lost / 48 - missingMs)).toBeLessThan(15);
      expect(Math.abs(sound().length / 48 - 300 - missingMs)).toBeLessThan(15);
      expect(Number(audio.now() - start) / 1e6).toBeCloseTo(400 + awayMs, 0);
      audio.device('mic').plug();
      await run(100);
    }
  });

  it('can be closed or destroyed while the device is gone', async () => {
    for (const end of ['close', 'destroy'] as const) {
      const mic = open({ device: 'mic' });
      const sound = collect(mic);
      await mic.ready;
      await run(300);
      audio.device('mic').unplug();
      await run(300);
      const closed = event(mic, 'close');
      if (end === 'close') await mic.close();
      else mic.destroy();
      await closed;
      expect(mic.errored).toBe(null);
      if (end === 'close') {
        // The missing frames were reported although nothing came back.
        expect(mic.stats().lostFrames).toBeGreaterThan(0);
        expect(mic.stats().discontinuities).toBe(1);
        expect(sound().length).toBe(mic.stats().frames);
      }
      audio.device('mic').plug();
    }
  });

  it('ends after its duration also while the device is gone', async () => {
    const mic = open({ device: 'mic', durationMs: 1000 });
    const sound = collect(mic);
    await mic.ready;
    await run(500);
    audio.device('mic').unplug();
    const ended = event(mic, 'end');
    await run(1000);
    await ended;
    expect(sound().length).toBe(48000);
  });

  it('a mix continues meanwhile, on time', async () => {
    audio.device('speakers').play(tone(443));
    const mic = open({ device: 'mic' });
    const loopback = new LoopbackSource({ backend: audio });
    const mixer = new Mixer();
    const chunks: Buffer[] = [];
    mixer.on('data', (chunk: Buffer) => chunks.push(chunk));
    mic.pipe(mixer.createInput());
    loopback.pipe(mixer.createInput());
    await Promise.all([mic.ready, loopback.ready]);
    await run(2000);
    audio.device('mic').unplug();
    await run(2000);
    const away = toFloat(Buffer.concat(chunks), mixer.format)[0].subarray(-48000);
    expect(findGaps(away, { sampleRate: 48000, frequency: 443, tolerance: 1e-3 })).toEqual([]);
    audio.device('mic').plug();
    await run(2000);
    const { lagMs } = mixer.stats();
    expect(lagMs).toBeLessThan(35);
    const all = toFloat(Buffer.concat(chunks), mixer.format)[0];
    expect(all.length).toBeGreaterThan((6000 - 50) * 48);
    expect(measureTone(all.subarray(-24000), 48000, frequency).frequency).toBeCloseTo(frequency, 0);
    await Promise.all([mic.close(), loopback.close()]);
    await mixer.close();
  });

  it('a sink without its device discards audio at the pace of the device, and continues when the device returns', async () => {
    const mic = open({ device: 'mic' });
    const sink = new SpeakerSink({ backend: audio, device: 'speakers' });
    const happened = log(sink);
    mic.pipe(sink);
    await Promise.all([mic.ready, sink.ready]);
    await run(1000);
    audio.device('speakers').unplug();
    await run(1500);
    expect(happened).toEqual(['rebuild']);
    const { frames, discardedFrames, lostFrames, latencyMs } = sink.stats();
    expect(Math.abs(frames - 2500 * 48)).toBeLessThan(60 * 48);
    expect(Math.abs(discardedFrames - 1500 * 48)).toBeLessThan(40 * 48);
    expect(lostFrames).toBe(0);
    audio.device('speakers').plug();
    await run(200);
    audio.device('speakers').record();
    await run(1000);
    expect(happened).toEqual(['rebuild', 'recovered']);
    expect(sink.stats().discardedFrames - discardedFrames).toBeLessThan(20 * 48);
    expect(Math.abs((sink.stats().latencyMs ?? NaN) - (latencyMs ?? NaN))).toBeLessThan(11);
    const { data } = audio.device('speakers').recorded();
    const left = data.filter((_, index) => index % 2 === 0);
    expect(findGaps(left, { sampleRate: 48000, frequency, tolerance: 1e-3 })).toEqual([]);
    await Promise.all([mic.close(), sink.close()]);
  });

  it('written audio is discarded meanwhile, and later audio is played', async () => {
    const sink = new SpeakerSink({ backend: audio, device: 'speakers' });
    await sink.ready;
    const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;
    const sine = new Float32Array(2 * 24000).map(
      (_, i) => 0.25 * Math.sin((2 * Math.PI * frequency * (i >> 1)) / 48000),
    );
    const bytes = Buffer.from(sine.buffer);
    await sink.close();
    const player = new SpeakerSink({ backend: audio, device: 'speakers', format });
    await player.ready;
    player.write(bytes);
    await run(100);
    audio.device('speakers').unplug();
    const played = player.played();
    await run(700);
    await played;
    expect(player.stats().discardedFrames).toBeGreaterThan(19000);
    audio.device('speakers').plug();
    await run(200);
    audio.device('speakers').record();
    player.write(bytes);
    await run(1000);
    const { data } = audio.device('speakers').recorded();
    expect(data.filter((sample) => sample !== 0).length).toBeGreaterThan(2 * 23500);
    await player.close();
  });

  it('a sink goes to a device of another format', async () => {
    const mic = open({ device: 'mic' });
    const mixer = new Mixer();
    const sink = new SpeakerSink({ backend: audio, device: 'speakers' });
    mic.pipe(mixer.createInput());
    mixer.pipe(sink);
    await Promise.all([mic.ready, sink.ready]);
    await run(1000);
    audio.device('headset').record({ sampleRate: 44100 });
    await sink.setDevice('headset');
    await run(1500);
    expect(sink.device?.id).toBe('headset');
    expect(sink.deviceFormat).toMatchObject({ sampleRate: 44100, channels: 1 });
    expect(Math.abs(sink.position - 2500 * 48)).toBeLessThan(60 * 48);
    const { data } = audio.device('headset').recorded();
    const sound = data.subarray(-44100);
    expect(measureTone(sound, 44100, frequency).frequency).toBeCloseTo(frequency, 0);
    expect(findGaps(sound, { sampleRate: 44100, frequency, tolerance: 1e-3 })).toEqual([]);
    await sink.setDevice('speakers');
    audio.device('speakers').record();
    await run(1000);
    const back = audio
      .device('speakers')
      .recorded()
      .data.filter((_, index) => index % 2 === 0);
    const gaps = findGaps(back.subarray(9600), { sampleRate: 48000, frequency, tolerance: 1e-3 });
    expect(gaps).toEqual([]);
    await Promise.all([mic.close(), sink.close()]);
    mixer.destroy();
  });

  it('every stream survives a restart of the server, and a created microphone is created again', async () => {
    const mic = open();
    const mixer = new Mixer();
    const sink = new VirtualMicSink({ backend: audio, name: 'Robot' });
    mic.pipe(mixer.createInput());
    mixer.pipe(sink);
    await Promise.all([mic.ready, sink.ready]);
    const happened = [log(mic), log(sink)];
    await run(1000);
    audio.serverGone();
    await run(3000);
    expect(happened).toEqual([['rebuild'], ['rebuild']]);
    audio.serverBack();
    await run(1000);
    expect(happened).toEqual([
      ['rebuild', 'recovered'],
      // A device that is created again is another device.
      ['rebuild', 'deviceChange', 'recovered'],
    ]);
    expect(sink.microphone?.name).toContain('Robot');
    const listener = open({ device: sink.microphone });
    const sound = collect(listener);
    await listener.ready;
    await run(1000);
    const tail = sound().subarray(-24000);
    expect(findGaps(tail, { sampleRate: 48000, frequency, tolerance: 1e-3 })).toEqual([]);
    await listener.close();
    await Promise.all([mic.close(), sink.close()]);
    mixer.destroy();
  });

  it('after two default changes at once it is on the last default', async () => {
    const mic = open().resume();
    await mic.ready;
    for (let i = 0; i < 50; i++) {
      audio.device(i % 2 ? 'mic' : 'webcam').setDefault();
      if (i % 7 === 0) await run(1);
    }
    await run(300);
    expect(mic.device?.id).toBe('mic');
    expect(mic.destroyed).toBe(false);
    await mic.close();
  });
});

describe('on any system', () => {
  let system: System;
  beforeAll(async () => {
    system = await openSystem();
  });
  afterAll(() => system.close());

  it('a stream continues when its unplugged microphone returns', async () => {
    const { backend, microphone: device } = system;
    const stop = await system.play('microphone', frequency);
    const mic = new MicSource({ backend, device });
    const sound = collect(mic);
    const holes: Discontinuity[] = [];
    mic.on('discontinuity', (hole) => holes.push(hole));
    await mic.ready;
    await until(() => sound().length > 48000, 'a second of sound');
    const rebuild = event(mic, 'rebuild');
    const plug = await system.unplugMicrophone();
    await rebuild;
    const recovered = event(mic, 'recovered');
    await plug();
    await recovered;
    const from = mic.stats().frames;
    await until(() => sound().length > from + 48000, 'a second more');
    await stop();
    expect(mic.device?.name).toBe(device);
    const lost = holes.filter(({ reason }) => reason === 'deviceLost');
    expect(lost.length).toBeGreaterThan(0);
    const counted = holes.reduce((sum, { frames }) => sum + frames, 0);
    expect(mic.stats().lostFrames).toBe(counted);
    const late = Number(process.hrtime.bigint() - mic.timeAt(mic.stats().frames)) / 1e6;
    expect(Math.abs(late)).toBeLessThan(500);
    await mic.close();
  });

  it('setDevice() also works for the speakers', async () => {
    const { backend, speakers } = system;
    const loopback = new LoopbackSource({ backend, device: speakers });
    const sound = collect(loopback);
    await loopback.ready;
    await loopback.setDevice('default');
    const stop = await system.play('speakers', 443);
    await until(() => loopback.level().peakDb > -14, 'the tone');
    const from = sound().length;
    await until(() => sound().length > from + 48000, 'a second of it');
    const tail = sound().subarray(-36000);
    expect(typicalTone(tail, 48000, 443).frequency).toBeCloseTo(443, 0);
    await stop();
    await loopback.close();
  });
});
