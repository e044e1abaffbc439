// Which devices are virtual microphones, by everything that a system may tell of them.
import { describe, expect, it } from 'vitest';

import { listVirtualMics, VirtualMicSink, type AudioError } from 'patchcord';
import { SimulatedAudio, type SimulatedDeviceOptions } from 'patchcord/testing';

import { driverMissing } from '../../lib/devices/virtual-mics.js';
import { event } from '../conformance/wait.js';
import { setups, told } from '../windows/known-cables.js';

describe('what is installed', () => {
  it.each(setups)('$name', async ({ devices, expected }) => {
    const listed = devices.flatMap(({ of, ends }, device) =>
      ends.map(([flow, name], end): SimulatedDeviceOptions => ({
        id: `${device}-${end}-${flow}`,
        name,
        flow,
        origin: of,
      })),
    );
    const backend = new SimulatedAudio({ devices: listed });
    expect(told(await listVirtualMics({ backend }))).toEqual(expected);
  });

  it('is recognised by the service if nothing else is known', async () => {
    const of = { parent: 'ROOT\\MEDIA\\0000', service: 'EuMusDesignVirtualAudioCableWdm' };
    const backend = new SimulatedAudio({
      devices: [
        { id: 'out', name: 'Kabel', flow: 'output', origin: of },
        { id: 'in', name: 'Mikrofon', flow: 'input', origin: of },
      ],
    });
    const [mic] = await VirtualMicSink.list({ backend });
    expect(mic).toMatchObject({
      driver: 'virtual-audio-cable',
      recognisedBy: 'service',
      pairedBy: 'parent',
      capture: { id: 'in' },
    });
  });

  it("is ALSA's loopback card, whose two devices are joined crosswise", async () => {
    const end = (number: string) => ({ service: 'snd_aloop', parent: '1', end: number });
    const backend = new SimulatedAudio({
      devices: [
        { id: 'out0', flow: 'output', origin: end('0') },
        { id: 'in0', flow: 'input', origin: end('0') },
        { id: 'in1', flow: 'input', origin: end('1') },
        { id: 'other', flow: 'output', origin: { ...end('1'), parent: '2' } },
      ],
    });
    const [mic, half] = await listVirtualMics({ backend });
    expect(mic).toMatchObject({
      driver: 'alsa-loopback',
      render: { id: 'out0' },
      capture: { id: 'in1' },
    });
    expect(half.capture).toBeUndefined();
    expect(half.problem).toContain("the card's other device");
  });
});

describe('a setup that cannot be used', () => {
  const cable = { parent: 'ROOT\\MEDIA\\0000', hardwareId: 'VBAudioVACWDM' };
  const output = { id: 'out', name: 'CABLE Input', flow: 'output', origin: cable } as const;
  const input = { id: 'in', name: 'CABLE Output', flow: 'input', origin: cable } as const;

  async function failure(backend: SimulatedAudio, options = {}): Promise<AudioError> {
    return event<AudioError>(
      new VirtualMicSink({ backend, driver: 'vb-cable', ...options }),
      'error',
    );
  }

  it('with its microphone switched off says so', async () => {
    const backend = new SimulatedAudio({ devices: [output, { ...input, state: 'disabled' }] });
    const [mic] = await listVirtualMics({ backend });
    expect(mic.capture).toBeUndefined();
    expect(mic.problem).toBe(
      "the microphone of 'CABLE Input' cannot be used: 'CABLE Output' is disabled",
    );
    const error = await failure(backend);
    expect(error.code).toBe('ERR_AUDIO_DEVICE_NOT_FOUND');
    expect(error.message).toContain("'CABLE Output' is disabled");
    expect(error.message).toContain('Enable both ends');
  });

  it('with its output switched off says so', async () => {
    const backend = new SimulatedAudio({ devices: [{ ...output, state: 'unplugged' }, input] });
    expect((await failure(backend)).message).toContain("its output 'CABLE Input' is unplugged");
  });

  it('with only one side says so', async () => {
    const backend = new SimulatedAudio({ devices: [output] });
    expect((await failure(backend)).message).toContain(
      "the microphone of 'CABLE Input' does not exist",
    );
  });

  it('of another driver than the requested one names what to install', async () => {
    const backend = new SimulatedAudio({ devices: [output, input] });
    const error = await failure(backend, { driver: 'voicemeeter' });
    expect(error.code).toBe('ERR_AUDIO_UNSUPPORTED');
    expect(error.message).toMatch(/voicemeeter\.com|does not exist for/);
    const chosen = await failure(backend, { device: 'CABLE Input', driver: 'voicemeeter' });
    expect(chosen.code).toBe('ERR_AUDIO_UNSUPPORTED');
    expect(chosen.message).toContain("but 'vb-cable'");
  });

  it('given by its wrong end names the right end', async () => {
    const backend = new SimulatedAudio({ devices: [output, input] });
    for (const device of ['in', 'CABLE Output']) {
      const error = await failure(backend, { device, driver: undefined });
      expect(error.code).toBe('ERR_AUDIO_DEVICE_NOT_FOUND');
      expect(error.message).toContain("Play to the other end of the cable, 'CABLE Input'");
    }
  });

  it('that is ambiguous names its candidates', async () => {
    const backend = new SimulatedAudio({
      devices: [output, { ...input, name: 'One' }, { ...input, id: 'in2', name: 'Two' }],
    });
    const [mic] = await listVirtualMics({ backend });
    expect(mic.candidates.map(({ name }) => name)).toEqual(['One', 'Two']);
    const error = await failure(backend);
    expect(error.code).toBe('ERR_AUDIO_DEVICE_NOT_FOUND');
    expect(error.message).toContain("which of 'One', 'Two' carries 'CABLE Input'");
    expect(error.message).toContain('VirtualMicSink.probe()');
  });
});

describe('a driver that does not exist for the system', () => {
  it.each([
    ['vb-cable', 'linux', /does not exist for Linux.*creates its own microphone/],
    ['blackhole', 'win32', /does not exist for this system/],
    ['vb-cable', 'win32', /Install VB-CABLE/],
    ['alsa-loopback', 'linux', /modprobe snd-aloop/],
  ] as const)('%s on %s', (driver, platform, remedy) => {
    expect(driverMissing(driver, platform).message).toMatch(remedy);
  });
});

describe('a cable that is removed while a sink plays to it', () => {
  const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;

  it('for good is an error, and so is a later write', async () => {
    const backend = new SimulatedAudio();
    const options = { backend, device: 'cable-input', format, recover: false };
    const sink = await new VirtualMicSink(options).ready;
    sink.write(Buffer.alloc(48000));
    const lost = event<AudioError>(sink, 'error');
    backend.device('cable-input').remove();
    expect((await lost).code).toBe('ERR_AUDIO_DEVICE_LOST');
    const refused = new Promise((resolve) => sink.write(Buffer.alloc(8), resolve));
    expect(await refused).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
  });

  it('and comes back is played to again, under the same name', async () => {
    const backend = new SimulatedAudio();
    const sink = await new VirtualMicSink({ backend, device: 'cable-input', format }).ready;
    const before = sink.microphone?.id;
    const gone = event(sink, 'rebuild');
    backend.device('cable-input').setState('disabled');
    await gone;
    const back = event(sink, 'recovered');
    backend.device('cable-input').setState('active');
    await back;
    expect(sink.microphone?.id).toBe(before);
    sink.destroy();
  });
});

describe('a microphone that cannot be heard', () => {
  it('causes a warning when it is opened, when it happens, and when it happens again', async () => {
    const backend = new SimulatedAudio({ clock: 'manual' });
    backend.device('cable-output').mute();
    const sink = new VirtualMicSink({ backend, device: 'cable-input' });
    const codes: string[] = [];
    sink.on('warning', ({ code }) => codes.push(code));
    await backend.advance(100);
    expect(codes).toEqual(['muted']);
    const changes: [() => unknown, string[]][] = [
      [() => backend.device('cable-output').mute(false), []],
      [() => backend.device('cable-output').volume(0.2), []],
      [() => backend.device('cable-input').volume(0.2), ['quiet']],
      [() => backend.device('cable-input').volume(0.2), []],
      [() => backend.device('cable-input').mute(), ['muted']],
    ];
    for (const [change, expected] of changes) {
      codes.length = 0;
      change();
      await backend.advance(100);
      expect(codes).toEqual(expected);
    }
    sink.destroy();
  });
});

describe('of several cables', () => {
  const cables = ['A', 'B'].map((letter) => ({
    renderId: `out-${letter}`,
    renderName: `CABLE-${letter} Input (VB-Audio Cable ${letter})`,
    captureId: `in-${letter}`,
    captureName: `CABLE-${letter} Output (VB-Audio Cable ${letter})`,
    hidesPair: true,
  }));

  it('each sink takes a free one', async () => {
    const backend = new SimulatedAudio({ cables });
    const options = { backend, driver: 'vb-cable' } as const;
    const one = await new VirtualMicSink(options).ready;
    const two = await new VirtualMicSink(options).ready;
    expect([one, two].map((sink) => sink.microphone?.id)).toEqual(['in-A', 'in-B']);
    // More sinks than cables: the system mixes them.
    const three = await new VirtualMicSink(options).ready;
    expect(three.microphone?.id).toBe('in-A');
    await Promise.all([one, two, three].map((sink) => sink.close()));
  });

  it('a probe finds the microphone that carries the tone, and ignores the others', async () => {
    const of = { parent: 'ROOT\\MEDIA\\0000', hardwareId: 'VBAudioVACWDM' };
    const backend = new SimulatedAudio({
      devices: [{ id: 'deaf', name: 'One', flow: 'input', origin: of }],
      cables: [
        {
          renderId: 'out',
          renderName: 'Robot',
          captureId: 'in',
          captureName: 'Two',
          renderOrigin: of,
          captureOrigin: of,
          hidesPair: true,
        },
      ],
    });
    const [mic] = await listVirtualMics({ backend });
    expect(mic.capture).toBeUndefined();
    const found = await VirtualMicSink.probe(mic, { backend });
    expect(found).toMatchObject({ capture: { id: 'in' }, pairedBy: 'probe' });
    expect(found.problem).toBeUndefined();
  });

  it('a probe that records nothing returns the cable unchanged', async () => {
    const of = { parent: 'ROOT\\MEDIA\\0000', hardwareId: 'VBAudioVACWDM' };
    const backend = new SimulatedAudio({
      devices: [
        { id: 'out', name: 'Robot', flow: 'output', origin: of },
        { id: 'in1', name: 'One', flow: 'input', origin: of },
        { id: 'in2', name: 'Two', flow: 'input', origin: of },
      ],
    });
    const [mic] = await listVirtualMics({ backend });
    expect(await VirtualMicSink.probe(mic, { backend })).toEqual(mic);
  });
});
