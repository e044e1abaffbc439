// `patchcord/testing` checks its arguments as the main entry does, and is not disturbed by fake timers.
import { mock } from 'node:test';

import { afterEach, describe, expect, it, vi } from 'vitest';

import { listDevices, LoopbackSource, MicSource } from 'patchcord';
import { noise, pcm, SimulatedAudio, sum, tone, type Signal } from 'patchcord/testing';

const world = new SimulatedAudio();
const device = world.device('mic');
const program = world.addProcess({ name: 'player' });
const wrong = (value: unknown): never => value as never;
const type = 'ERR_INVALID_ARG_TYPE';
const value = 'ERR_INVALID_ARG_VALUE';
const range = 'ERR_OUT_OF_RANGE';

describe('arguments', () => {
  it.each<[string, () => unknown, string]>([
    ['tone(440, { gian: 1 })', () => tone(440, wrong({ gian: 1 })), value],
    ['tone(440, { gain: NaN })', () => tone(440, { gain: NaN }), range],
    ["tone(440, { phase: '0' })", () => tone(440, { phase: wrong('0') }), type],
    ['tone(440, { channel: 1.5 })', () => tone(440, { channel: 1.5 }), range],
    ["tone('440')", () => tone(wrong('440')), type],
    ['noise({ seed: -1 })', () => noise({ seed: -1 }), range],
    ['noise({ sed: 1 })', () => noise(wrong({ sed: 1 })), value],
    ['pcm([0, 1])', () => pcm(wrong([0, 1])), type],
    ["pcm(samples, { loop: 'yes' })", () => pcm(new Float32Array(1), { loop: wrong('yes') }), type],
    ["sum('tone')", () => sum(wrong('tone')), type],
    ['device(5)', () => world.device(wrong(5)), type],
    ["play('loud')", () => device.play(wrong('loud')), type],
    ['play(signal, { programm })', () => device.play(noise(), wrong({ programm: 'a' })), value],
    ['stop(5)', () => device.stop(wrong(5)), type],
    ['record({ maxMs: -1 })', () => device.record({ maxMs: -1 }), range],
    ["setState('foo')", () => device.setState(wrong('foo')), value],
    ["setDefault('music')", () => device.setDefault(wrong('music')), value],
    ['setFormat({})', () => device.setFormat(wrong({})), type],
    ["drift('fast')", () => device.drift(wrong('fast')), type],
    ["deny('yes')", () => device.deny(wrong('yes')), type],
    ['die(1)', () => device.die(wrong(1)), type],
    ['mute(null)', () => device.mute(wrong(null)), type],
    ['volume(2)', () => device.volume(2), range],
    ['glitch(0.5)', () => device.glitch(0.5), range],
    ['late(-1)', () => device.late(-1), range],
    ['delay(20_000)', () => device.delay(20_000), range],
    ["jitter('1')", () => device.jitter(wrong('1')), type],
    ['stamps(undefined)', () => device.stamps(wrong(undefined)), type],
    ['play(signal) of a program', () => program.play(noise(), wrong(undefined)), type],
    ['stop({}) of a program', () => program.stop(wrong({})), type],
    ['move(5)', () => program.move(wrong(5)), type],
    ['volume(-1) of a program', () => program.volume(-1), range],
    ["protect('no')", () => program.protect(wrong('no')), type],
    ['processSilence()', () => world.processSilence(wrong(undefined)), type],
    ['addProcess()', () => world.addProcess(wrong(undefined)), type],
    ["addProcess({ name: 'a', pid: 0 })", () => world.addProcess({ name: 'a', pid: 0 }), range],
    ['addDevice({ id })', () => world.addDevice(wrong({ id: 'a' })), value],
    [
      'addDevice({ periodFrame })',
      () => world.addDevice(wrong({ id: 'a', flow: 'input', periodFrame: 1 })),
      value,
    ],
    ['addCable({ renderId })', () => world.addCable(wrong({ renderId: 'a' })), type],
    ['devices: {}', () => new SimulatedAudio({ devices: wrong({}) }), type],
    ['devices: [5]', () => new SimulatedAudio({ devices: [wrong(5)] }), type],
    [
      'devices with an unknown option',
      () => new SimulatedAudio({ devices: [wrong({ id: 'a', flow: 'input', drift: 5 })] }),
      value,
    ],
    [
      'an origin with an unknown transport',
      () =>
        new SimulatedAudio({
          devices: [{ id: 'a', flow: 'input', origin: { transport: wrong('smoke') } }],
        }),
      value,
    ],
    [
      'an origin with an unknown option',
      () =>
        new SimulatedAudio({ devices: [{ id: 'a', flow: 'input', origin: wrong({ make: 1 }) }] }),
      value,
    ],
    ["clock: 'fast'", () => new SimulatedAudio({ clock: wrong('fast') }), value],
    ['startTime: 5', () => new SimulatedAudio({ clock: 'manual', startTime: wrong(5) }), type],
    ['startTime: -1n', () => new SimulatedAudio({ clock: 'manual', startTime: -1n }), range],
    ['startTime of the real clock', () => new SimulatedAudio({ startTime: 5n }), value],
  ])('%s throws', (_call, call, code) => {
    expect(call).toThrow(expect.objectContaining({ code }));
  });

  it('that are right pass', () => {
    const signals: Signal[] = [tone(440, { gain: 1, phase: 1, channel: 0 }), noise({ seed: 7 })];
    const all = sum(...signals, pcm(new Float32Array(2), { channels: 2, loop: true }));
    expect(device.play(all, { program: 'a' }).stop('a').stop()).toBe(device);
    expect(device.stamps(null).stamps(5, 1).stamps(0)).toBe(device);
  });
});

describe('advance()', () => {
  afterEach(() => {
    vi.useRealTimers();
    mock.timers.reset();
  });

  it.each<[string, () => unknown]>([
    ['vitest', () => vi.useFakeTimers()],
    ['node:test', () => mock.timers.enable()],
  ])('goes on under the fake timers of %s', async (_name, fake) => {
    await using audio = new SimulatedAudio({ clock: 'manual' });
    fake();
    const mic = new MicSource({ backend: audio });
    let bytes = 0;
    mic.on('data', (chunk: Buffer) => (bytes += chunk.length));
    await audio.advance(1000);
    expect(bytes).toBeGreaterThan(40_000 * 8);
    mic.destroy();
  });
});

describe('the manual clock', () => {
  it('begins at the startTime that is given', async () => {
    await using audio = new SimulatedAudio({ clock: 'manual', startTime: 5n });
    expect([audio.startTime, audio.now()]).toEqual([5n, 5n]);
  });

  it('begins at the present time of process.hrtime.bigint()', async () => {
    const before = process.hrtime.bigint();
    await using audio = new SimulatedAudio({ clock: 'manual' });
    const after = process.hrtime.bigint();
    expect(audio.startTime).toBeGreaterThanOrEqual(before);
    expect(audio.startTime).toBeLessThanOrEqual(after);
    expect(audio.now()).toBe(audio.startTime);
    await audio.advance(250);
    expect(audio.now()).toBe(audio.startTime + 250_000_000n);
  });

  it('records an app that gives startTime as it does outside of tests', async () => {
    await using audio = new SimulatedAudio({ clock: 'manual' });
    audio.device('mic').play(tone(1000));
    const startTime = process.hrtime.bigint();
    const mic = new MicSource({ backend: audio, startTime });
    const chunks: Buffer[] = [];
    mic.on('data', (chunk) => chunks.push(chunk));
    await mic.ready;
    await audio.advance(2000);
    const heard = Buffer.concat(chunks);
    expect(heard.length / 8 / 48000).toBeGreaterThan(1);
    expect(heard.subarray(-800).some((byte) => byte !== 0)).toBe(true);
    await mic.close();
  });

  it('emits no dead before the startTime of a stream', async () => {
    await using audio = new SimulatedAudio({ clock: 'manual' });
    audio.device('mic').play(tone(1000));
    const mic = new MicSource({ backend: audio, startTime: audio.now() + 5_000_000_000n });
    const events: string[] = [];
    for (const name of ['dead', 'stall', 'discontinuity'] as const) {
      mic.on(name, () => events.push(name));
    }
    let frames = 0;
    mic.on('data', (chunk) => (frames += chunk.length / 8));
    await mic.ready;
    for (let ms = 0; ms < 4900; ms += 100) await audio.advance(100);
    expect({ events, frames }).toEqual({ events: [], frames: 0 });
    for (let ms = 0; ms < 1100; ms += 100) await audio.advance(100);
    expect(frames).toBeGreaterThan(40_000);
    expect(events).toEqual([]);
    await mic.close();
  });
});

it('a simulated device is connected as its origin says', async () => {
  const audio = new SimulatedAudio({
    devices: [
      { id: 'plain', flow: 'input' },
      { id: 'null', flow: 'output', virtual: true },
      { id: 'usb', flow: 'input', origin: { transport: 'usb' } },
      { id: 'headset', flow: 'input', origin: { transport: 'bluetooth', handsFree: true } },
    ],
  });
  const devices = await listDevices({ backend: audio });
  expect(devices.map(({ id, transport, handsFree }) => [id, transport, handsFree])).toEqual([
    ['plain', 'unknown', false],
    ['null', 'virtual', false],
    ['usb', 'usb', false],
    ['headset', 'bluetooth', true],
  ]);
});

it('advance() resolves when a stream that gave up or ended in that time has closed', async () => {
  for (let round = 0; round < 20; round++) {
    await using audio = new SimulatedAudio({ clock: 'manual' });
    const told: string[] = [];
    const gone = new MicSource({ backend: audio, device: 'mic', recover: { giveUpAfterMs: 1000 } });
    gone
      .on('error', () => told.push('error'))
      .on('close', () => told.push('close'))
      .resume();
    await audio.advance(300);
    audio.device('mic').unplug();
    await audio.advance(2000);
    expect(told).toEqual(['error', 'close']);
    const ended = new LoopbackSource({ backend: audio, durationMs: 200 });
    ended
      .on('end', () => told.push('end'))
      .on('close', () => told.push('close'))
      .resume();
    await audio.advance(1000);
    expect(told.slice(2)).toEqual(['end', 'close']);
  }
});
