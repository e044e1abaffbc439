// The unmodified addon on the simulated Windows audio engine. Runs in Wine (mmdevapi.mjs), where
// system32\mmdevapi.dll is ours.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  DeviceMonitor,
  listDevices,
  listVirtualMics,
  LoopbackSource,
  MicSource,
  SpeakerSink,
  ToneSource,
  VirtualMicSink,
  type AudioChunk,
  type AudioDevice,
  type AudioError,
} from 'patchcord';

import { event, until } from '../conformance/wait.js';
import { findGaps, measureTone, toFloat } from '../instruments/index.js';
import { setups, told } from './known-cables.js';
import { steerThisProcess, type SteeredProcess, type Windows } from './steer-this-process.js';

const backend = 'wasapi';
const rate = 48000;
// By which Wine's stamps are early 25.6 hours after the machine was started, and 51.2 hours after that.
const overflows = [1, 2].map((times) => (times * -(2 ** 64)) / 1e7 / 1e4);
const probe = process.env.PATCHCORD_PROCESS_LOOPBACK_PROBE as string;
const engineProbe = process.env.PATCHCORD_ENGINE_PROBE as string;

let windows: Windows;
let here: SteeredProcess;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mmdevapi-'));
  ({ windows, here } = await steerThisProcess());
});
afterAll(async () => {
  await windows.close();
  rmSync(folder, { recursive: true });
});

/** So many frames from the first that is not silence on; `halfway` is called once on the way. */
async function hear(
  source: MicSource | LoopbackSource,
  frames: number,
  halfway: () => unknown = () => {},
) {
  const chunks: AudioChunk[] = [];
  let count = 0;
  for await (const chunk of source.chunks()) {
    if (count === 0 && chunk.data.every((byte) => byte === 0)) continue;
    chunks.push(chunk);
    if (count < frames / 2 && count + chunk.frames >= frames / 2) halfway();
    count += chunk.frames;
    if (count >= frames) break;
  }
  await source.close();
  return {
    chunks,
    channels: toFloat(Buffer.concat(chunks.map(({ data }) => data)), source.format),
  };
}

function expectTone(samples: Float32Array, frequency: number, db: number) {
  const tone = measureTone(samples, rate, frequency);
  console.log(
    `${tone.frequency.toFixed(3)} Hz, ${tone.peakDb.toFixed(2)} dBFS, SNR ${tone.snrDb.toFixed(0)} dB`,
  );
  expect(Math.abs(tone.frequency - frequency)).toBeLessThan(1);
  expect(Math.abs(tone.peakDb - db)).toBeLessThan(0.1);
}

describe('the devices of the world', () => {
  it('are listed with names, formats, defaults and Windows ids', async () => {
    const devices = await listDevices({ backend });
    expect(devices.map(({ name }) => name)).toEqual([
      'Microphone (Simulated)',
      'Speakers (Simulated)',
      'CABLE Input',
      'CABLE Output',
    ]);
    const [mic] = devices;
    expect(mic).toMatchObject({
      id: await here.send('id mic'),
      flow: 'input',
      state: 'active',
      defaultRoles: ['console', 'communications'],
      format: { sampleRate: 48000, channels: 2, sampleFormat: 'f32' },
    });
    expect(mic.id).toMatch(/^\{0\.0\.1\.00000000\}\.\{[\da-f-]{36}\}$/);
  });

  it('are added, removed and made the default, and a monitor reports it', async () => {
    const monitor = new DeviceMonitor({ backend });
    await monitor.ready;
    const told = event<AudioDevice>(monitor, 'add');
    await here.send('device usb input 44100 1 s16 "Headset (USB Audio)"');
    expect((await told).name).toBe('Headset (USB Audio)');
    const changed = event<unknown>(monitor, 'defaultChange');
    await here.send('default usb communications');
    await changed;
    const devices = await listDevices({ backend, flow: 'input' });
    const headset = devices.find(({ name }) => name.startsWith('Headset'));
    expect(headset).toMatchObject({
      defaultRoles: ['communications'],
      format: { sampleRate: 44100, channels: 1, sampleFormat: 's16' },
    });
    const gone = event<AudioDevice>(monitor, 'remove');
    await here.send('remove usb');
    expect((await gone).name).toBe('Headset (USB Audio)');
    monitor.close();
  });
});

describe('virtual cables', () => {
  beforeAll(() => here.send('remove cable-input'));
  afterAll(() =>
    here.send('cable cable-input cable-output 48000 2 f32 "CABLE Input" "CABLE Output"'),
  );

  it.each(setups)('$name', async ({ devices, expected }) => {
    const ids: string[] = [];
    for (const { of, ends } of devices) {
      const origin = [of.parent, of.maker, of.hardwareId].map((word) => `"${word ?? '-'}"`);
      for (const [flow, name] of ends) {
        ids.push(`end-${ids.length}`);
        const device = `${ids.at(-1)} ${flow} 48000 2 f32 "${name}"`;
        await here.send(`device ${device} of ${origin.join(' ')}`);
      }
    }
    const mics = await listVirtualMics({ backend });
    for (const id of ids) await here.send(`remove ${id}`);
    expect(told(mics)).toEqual(expected);
  });

  it('are recognised by the service that Plug and Play has recorded', async () => {
    const path = 'ROOT\\MEDIA\\0009';
    const key = `HKLM\\System\\CurrentControlSet\\Enum\\${path}`;
    const service = 'EuMusDesignVirtualAudioCableWdm';
    expect((await run('reg', ['add', key, '/v', 'Service', '/d', service, '/f'])).code).toBe(0);
    const ids = 'MULTI\\0Other';
    const value = ['/v', 'HardwareID', '/t', 'REG_MULTI_SZ', '/d', ids, '/f'];
    expect((await run('reg', ['add', key, ...value])).code).toBe(0);
    await here.send(`cable service-out service-in 48000 2 f32 Kabel Mikrofon of "${path}" - -`);
    const mics = await listVirtualMics({ backend });
    await here.send('remove service-out');
    expect(told(mics)).toEqual({
      Kabel: ['virtual-audio-cable', 'Virtual Audio Cable', 'Mikrofon', 'service', 'parent'],
    });
  });

  it('that are renamed beyond recognition are probed', async () => {
    const of = 'of ROOT\\MEDIA\\0008 - VBAudioVACWDM';
    await here.send(`cable probed-out probed-in 48000 2 f32 Robot Two ${of}`);
    await here.send(`device deaf input 48000 2 f32 One ${of}`);
    const [mic] = await listVirtualMics({ backend });
    const found = await VirtualMicSink.probe(mic, { backend });
    await here.send('remove probed-out');
    await here.send('remove deaf');
    expect(mic.capture).toBeUndefined();
    expect(found).toMatchObject({ capture: { name: 'Two' }, pairedBy: 'probe' });
  });

  it('that are absent are named, with where to get one', async () => {
    const error = await event<AudioError>(new VirtualMicSink({ backend }), 'error');
    expect(error.code).toBe('ERR_AUDIO_UNSUPPORTED');
    expect(error.message).toContain('https://vb-audio.com/Cable');
  });
});

describe('a microphone', () => {
  it('records the sound of its room, without a gap', async () => {
    await here.send('play mic tone 1000 0.25 channel 0');
    // Its periods are no whole number of frames, so a jump of any length shows.
    await here.send('play mic tone 997 0.25 channel 1 by 1');
    const mic = new MicSource({ backend, device: 'Microphone' });
    const { chunks, channels } = await hear(mic, 3 * rate);
    await here.send('stop mic');
    const [left, right] = channels.map((samples) => samples.subarray(rate / 10));
    expectTone(left, 1000, -12.04);
    expectTone(right, 997, -12.04);
    expect(findGaps(right, { sampleRate: rate, frequency: 997 })).toEqual([]);
    for (let i = 1; i < chunks.length; i++)
      expect(chunks[i].frame).toBe(chunks[i - 1].frame + chunks[i - 1].frames);
    expect(mic.stats().lostFrames).toBe(0);
  });

  it('keeps its timeline when the device position jumps', async () => {
    await here.send('play mic tone 997 0.25');
    const mic = new MicSource({ backend, device: 'Microphone' });
    const told: object[] = [];
    mic.on('discontinuity', (gap) => told.push(gap));
    const { channels } = await hear(mic, 2 * rate, () => here.send('glitch mic 1500'));
    expect(told.at(-1)).toMatchObject({ frames: 1500, filled: true });
    await here.send('stop mic');
    const gaps = findGaps(channels[0].subarray(rate / 10), { sampleRate: rate, frequency: 997 });
    expect(gaps).toHaveLength(1);
    expect(gaps[0]).toMatchObject({ kind: 'silence', frames: 1500 });
    expect(Math.abs(gaps[0].shift as number)).toBeLessThan(0.5);
  });

  it('is timed by the local clock where stamps are flagged as wrong', async () => {
    await here.send('play mic tone 997 0.25');
    await here.send('stamps mic wrong');
    const mic = new MicSource({ backend, device: 'Microphone' });
    const before = process.hrtime.bigint();
    const { chunks, channels } = await hear(mic, rate);
    const after = process.hrtime.bigint();
    await here.send('stamps mic 0');
    await here.send('stop mic');
    expect(chunks[0].time).toBeGreaterThan(before - 1_000_000_000n);
    expect(chunks.at(-1)?.time).toBeLessThan(after);
    const gaps = findGaps(channels[0].subarray(rate / 10), { sampleRate: rate, frequency: 997 });
    expect(gaps).toEqual([]);
  });

  it.each(overflows)('keeps its stamps where Wine overflows, %i ms off', async (offset) => {
    await here.send(`stamps mic ${offset}`);
    const mic = new MicSource({ backend, device: 'Microphone' });
    const reader = mic.chunks();
    let last: AudioChunk | undefined;
    while (!last || last.frame < rate) last = (await reader.next()).value as AudioChunk;
    const now = process.hrtime.bigint();
    const { deviceStamps } = mic.stats();
    await mic.close();
    await here.send('stamps mic 0');
    expect(deviceStamps).toBe(true);
    expect(Number(now - last.time) / 1e6).toBeGreaterThan(0);
    expect(Number(now - last.time) / 1e6).toBeLessThan(300);
  });

  it('fails with an error that says so if access is denied', async () => {
    await here.send('deny mic');
    const mic = new MicSource({ backend, device: 'Microphone' });
    const error = await event<AudioError>(mic, 'error');
    await here.send('allow mic');
    expect(error.code).toBe('ERR_AUDIO_PERMISSION_DENIED');
    expect(error.osCode).toContain('0x80070005');
  });

  it('of another format is converted', async () => {
    await here.send('device usb input 44100 1 s16 "Headset (USB Audio)"');
    await here.send('play usb tone 997 0.25');
    const mic = new MicSource({ backend, device: 'Headset' });
    const { channels } = await hear(mic, rate);
    await here.send('remove usb');
    expect(channels).toHaveLength(2);
    for (const samples of channels) expectTone(samples.subarray(rate / 10), 997, -12.04);
  });

  it('is lost with the audio service', async () => {
    const monitor = new DeviceMonitor({ backend });
    await monitor.ready;
    const mic = new MicSource({ backend, device: 'Microphone', recover: false });
    const failed = event<AudioError>(mic, 'error');
    mic.once('data', () => void here.send('service stopped'));
    const error = await failed;
    expect(error.code).toBe('ERR_AUDIO_BACKEND_UNAVAILABLE');
    expect(error.osCode).toContain('0x88890010');
    const unlisted = await listDevices({ backend }).catch((reason: AudioError) => reason);
    expect(unlisted).toMatchObject({ code: 'ERR_AUDIO_BACKEND_UNAVAILABLE' });
    // After its return it has no client any more. A program that lists the devices connects the monitor too.
    await here.send('service running');
    expect(await listDevices({ backend })).toHaveLength(4);
    const told = event<AudioDevice>(monitor, 'add');
    await here.send('device usb input 44100 1 s16 "Headset (USB Audio)"');
    expect((await told).name).toBe('Headset (USB Audio)');
    await here.send('remove usb');
    monitor.close();
  });

  it('fails as the call fails that a script chose', async () => {
    await here.send('fail mic IAudioClient::Start 0x8889000A times 1');
    const mic = new MicSource({ backend, device: 'Microphone' });
    const error = await event<AudioError>(mic, 'error');
    expect(error).toMatchObject({ code: 'ERR_AUDIO_DEVICE_BUSY', syscall: 'IAudioClient::Start' });
  });

  it('that is unplugged is lost, with what Windows answered, and the program ends well', async () => {
    const program = fileURLToPath(new URL('mmdevapi-unplug.mjs', import.meta.url));
    const { code, stdout } = await run(process.execPath, [program]);
    console.log(stdout);
    expect(code).toBe(0);
    const { events, frames, objects } = JSON.parse(stdout);
    expect(events).toHaveLength(2);
    expect(events[0].code).toBe('ERR_AUDIO_DEVICE_LOST');
    expect(events[0].osCode).toBe('0x88890004 AUDCLNT_E_DEVICE_INVALIDATED');
    expect(events[1]).toBe('close');
    expect(frames).toBeGreaterThan(0);
    expect(objects).toBe(1); // the enumerator: all of the stream is released
  });
});

describe('a driver that hangs', () => {
  const program = fileURLToPath(new URL('mmdevapi-hang.mjs', import.meta.url));
  const cases = [
    ['open', 'ERR_AUDIO_TIMEOUT'],
    ['start', 'ERR_AUDIO_TIMEOUT'],
    ['stop', 'closed'],
    ['list', 'ERR_AUDIO_TIMEOUT'],
    ['meter', 'closed'],
    ['worker', 'terminated'],
  ];

  it.each(cases)(
    'at %s is given up after 10 s, and the program ends well',
    { concurrent: true },
    async (moment, outcome) => {
      const { code, stdout } = await run(process.execPath, [program, moment]);
      console.log(moment, stdout);
      expect(code).toBe(0);
      const { seconds, ...rest } = JSON.parse(stdout);
      expect(rest).toEqual({ outcome });
      expect(seconds).toBeGreaterThan(10);
      expect(seconds).toBeLessThan(15);
    },
  );
});

describe('workers', () => {
  it('that stream are terminated, and the program streams on', async () => {
    const scene = fileURLToPath(new URL('../lifecycle/scenes/workers.mjs', import.meta.url));
    const { code, stdout } = await run(process.execPath, [scene, '40']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ terminated: 40, lost: 0 });
  });
});

describe('a loopback', () => {
  it('hears every program of its output', async () => {
    await here.send('play speakers tone 440 0.25 channel 0 by 1001');
    await here.send('play speakers tone 1000 0.125 channel 1 by 1002');
    const loopback = new LoopbackSource({ backend, device: 'Speakers' });
    const { channels } = await hear(loopback, 2 * rate);
    await here.send('stop speakers');
    expectTone(channels[0].subarray(rate / 10), 440, -12.04);
    expectTone(channels[1].subarray(rate / 10), 1000, -18.06);
  });
});

describe('an output', () => {
  it('plays what is written, and the microphone at the end of its cable hears it', async () => {
    // All of it is queued at once, so that it is not the event loop's pace that is judged.
    const options = { latencyMs: 200, bufferMs: 4000 };
    const sink = new SpeakerSink({ backend, device: 'CABLE Input', ...options });
    new ToneSource({ frequency: 997, gain: 0.25, durationMs: 3000 }).pipe(sink);
    const mic = new MicSource({ backend, device: 'CABLE Output' });
    const { channels } = await hear(mic, 2 * rate);
    const samples = channels[0].subarray(rate / 10);
    expectTone(samples, 997, -12.04);
    expect(findGaps(samples, { sampleRate: rate, frequency: 997 })).toEqual([]);
    await event(sink, 'finish');
  });

  it('counts the time in which it played nothing, down to half a period', async () => {
    const sink = new SpeakerSink({ backend, device: 'CABLE Input', maxLatencyMs: 15 }); // it never holds more
    const mic = new MicSource({ backend, device: 'CABLE Output' });
    new ToneSource({ frequency: 997, gain: 0.25 }).pipe(sink);
    await Promise.all([sink.ready, mic.ready]);
    const wakes = async () => Number((await here.send('stats cable-input')).trim().split(' ')[1]);
    const heard = hear(mic, 5 * rate);
    await until(() => sink.position > rate / 2, 'half a second that is played');
    for (let late = 0; late < 10; late++) {
      const { underruns } = sink.stats();
      await here.send('hang cable-input IAudioClient::GetCurrentPadding');
      while ((await here.send('hanging')).trim() !== '1');
      const end = (await wakes()) + 1;
      while ((await wakes()) < end);
      await here.send('mend');
      await until(() => sink.stats().underruns > underruns, `hole ${late} that is counted`);
    }
    const { channels } = await heard;
    const counted = sink.stats().underrunFrames + mic.stats().lostFrames;
    await sink.close();
    const begun = channels[0].subarray(channels[0].findIndex((sample) => sample !== 0));
    const gaps = findGaps(begun, { sampleRate: rate, frequency: 997 });
    const holes = gaps.filter(({ kind }) => kind === 'silence').map(({ frames }) => frames);
    console.log(`holes of ${holes.join(', ')} frames; counted ${counted}`);
    expect(holes.length).toBeGreaterThan(0);
    expect(Math.abs(counted - holes.reduce((sum, hole) => sum + hole))).toBeLessThan(240);
  });

  it.each([0, ...overflows])('reports its latency when its clock is %i ms off', async (offset) => {
    await here.send(`clock speakers ${offset}`);
    const sink = new SpeakerSink({ backend, device: 'Speakers', latencyMs: 40 });
    await sink.ready;
    await until(() => sink.position > rate / 2, 'half a second that is played');
    const { deviceLatencyMs } = sink.stats();
    await sink.close();
    await here.send('clock speakers 0');
    expect(deviceLatencyMs).toBeGreaterThan(20);
    expect(deviceLatencyMs).toBeLessThan(100);
  });

  it('plays the requested frames some time later when its clock has another time', async () => {
    await here.send('clock speakers 5000');
    const sink = new SpeakerSink({ backend, device: 'Speakers' });
    await sink.ready;
    await until(() => sink.position > 2 * rate, 'two seconds that are played');
    const { deviceLatencyMs, driftPpm } = sink.stats();
    await sink.close();
    await here.send('clock speakers 0');
    expect(deviceLatencyMs).toBeGreaterThanOrEqual(0);
    expect(deviceLatencyMs).toBeLessThan(100);
    expect(Math.abs(driftPpm)).toBeLessThan(10_000);
  });
});

describe('the rest of the engine', () => {
  it('answers as documented', async () => {
    const script = join(folder, 'engine-script');
    const devices = [
      'device usb input 44100 2 s16 "Headset (USB Audio)"',
      'default usb console',
      'exclusive usb allowed',
      'device fast output 48000 2 f32 "Fast" period 128',
      'default fast console',
      'play fast tone 1000 0.25 channel 0 by 1001',
    ];
    writeFileSync(script, `standard\n${devices.join('\n')}\n`);
    process.env.PATCHCORD_MMDEVAPI_SCRIPT = script;
    const { code, stdout } = await run(engineProbe, []);
    delete process.env.PATCHCORD_MMDEVAPI_SCRIPT;
    console.log(stdout);
    expect(code).toBe(0);
    const { halfDb, left, sessionPeak, ...answers } = JSON.parse(stdout);
    expect(sessionPeak).toBeCloseTo(0.25, 2);
    expect(halfDb).toBeCloseTo(-6.02, 2);
    expect(left).toBeCloseTo(0.25, 2);
    expect(answers).toEqual({
      volume: '0x00000000',
      mute: '0x00000000',
      muteAgain: '0x00000001', // S_FALSE
      told: 1,
      unregister: '0x00000000',
      listenerReferences: 1,
      tooLoud: '0x80070057',
      meter: '0x00000000',
      peaks: '0x00000000',
      right: 0,
      threePeaks: '0x80070057',
      manager: '0x00000000',
      sessions: '0x00000000',
      sessionCount: 2,
      noSession: '0x80070057',
      systemSoundsProcess: '0x0889000D', // AUDCLNT_S_NO_SINGLE_PROCESS
      pid: 1001,
      active: 1,
      mutedPeak: 0,
      own: '0x00000000',
      created: 1,
      unregisterSessions: '0x00000000',
      sessionListenerReferences: 1,
      client3: '0x00000000',
      properties: '0x00000000',
      raw: '0x88890027', // AUDCLNT_E_RAW_MODE_UNSUPPORTED
      bufferLimits: '0x88890024', // AUDCLNT_E_OFFLOAD_MODE_ONLY
      enginePeriod: '0x00000000',
      standardPeriod: 480,
      shortestPeriod: 128,
      autoconvert: '0x88890021', // AUDCLNT_E_INVALID_STREAM_FLAG
      locked: '0x88890028', // AUDCLNT_E_ENGINE_PERIODICITY_LOCKED
      tooShort: '0x88890020', // AUDCLNT_E_INVALID_DEVICE_PERIOD
      granted: '0x00000000',
      notStartedWithoutEvent: '0x88890014', // AUDCLNT_E_EVENTHANDLE_NOT_SET
      stopped: '0x00000001', // S_FALSE
      // Shared mode, as Wine's tests have observed Windows.
      mixIsFloat: 1,
      devicePeriod: 101587, // 448 frames at 44.1 kHz
      sharedInteger: '0x00000000',
      sharedPeriod: '0x00000000',
      badBlockAlign: '0x80070057',
      badBytesPerSecond: '0x80070057',
      noValidBits: '0x80070057',
      shortExtensible: '0x80070057',
      plainWithFour: '0x80070057',
      sharedDouble: '0x88890008',
      otherRate: '0x88890008',
      otherRateSupported: '0x00000001', // S_FALSE
      closestRate: 44100,
      otherChannels: '0x88890008',
      converted: '0x00000000',
      unknownFlag: '0x88890021',
      unknownMode: '0x80070057',
      oldProperties: '0x00000000',
      mediaOfMicrophone: '0x80070057', // Microsoft's reference: capture has none of media
      offload: '0x88890022', // AUDCLNT_E_ENDPOINT_OFFLOAD_NOT_CAPABLE
      // Exclusive mode: Microsoft's reference, except where Wine's tests are named.
      exclusiveTooLong: '0x88890020',
      exclusiveUnequal: '0x88890013', // AUDCLNT_E_BUFDURATION_PERIOD_NOT_EQUAL
      exclusiveUnaligned: '0x88890019', // AUDCLNT_E_BUFFER_SIZE_NOT_ALIGNED
      alignedSize: '0x00000000',
      alignedFrames: 448,
      spoilt: '0x88890002', // AUDCLNT_E_ALREADY_INITIALIZED: Wine's tests
      exclusiveAligned: '0x00000000',
      heldExclusively: '0x8889000A', // AUDCLNT_E_DEVICE_IN_USE
      noEvent: '0x80070057',
      event: '0x00000000',
      secondEvent: '0x8007007B', // Wine's tests
      exclusiveEmpty: '0x88890018', // AUDCLNT_E_BUFFER_ERROR
      flagsLeft: 7, // Wine's tests
      firstFlags: 1, // DATA_DISCONTINUITY: Wine's tests
      resetWhileHeld: '0x8889000B', // AUDCLNT_E_BUFFER_OPERATION_PENDING
      reset: '0x00000000',
      exclusiveRefused: '0x8889000E', // AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED
      missingProperty: '0x00000000',
      missingType: 0,
      setProperty: '0x80030005',
      unknownAccess: '0x80070057', // Wine's tests
      // Wine's tests say how a stream starves, stops, and overruns.
      starvedIsAllWritten: 1,
      positionWentBack: 0,
      stopLeavesPadding: 1,
      eventsAfterStop: 1,
      positionStands: 1,
      eventsAfterReset: 1,
      positionAfterReset: 0,
      buffersWholePeriods: 0,
      overrunFills: 1,
      overrunStaysFull: 1,
      oneEnumerator: 1,
      complete: true,
    });
  });
});

describe('process loopback', () => {
  beforeAll(async () => {
    await windows.send('process 2001 2000'); // 2000 started 2001
    await windows.send('play speakers tone 440 0.25 by 1001');
    await windows.send('play speakers tone 997 0.125 by 2001');
  });
  afterAll(() => windows.send('stop speakers'));

  async function capture(pid: number, mode: 'include' | 'exclude', extra: string[] = []) {
    const file = join(folder, 'captured.f32');
    const { code, stdout } = await run(probe, [String(pid), mode, String(rate), file, ...extra]);
    console.log(stdout);
    const format = { sampleRate: rate, channels: 2, sampleFormat: 'f32' } as const;
    // The program begins without a word from us; the tone comes in the midst of a period.
    const heard = () => toFloat(readFileSync(file), format)[0].subarray(rate / 10);
    return { code, answers: JSON.parse(stdout), heard };
  }

  it('hears the tree of a process, and nothing else', async () => {
    const { code, answers, heard } = await capture(2000, 'include');
    expect(code).toBe(0);
    expect(answers).toMatchObject({
      call: '0x00000000',
      completion: '0x00000000',
      activation: '0x00000000',
      getMixFormat: '0x80004001',
      isFormatSupported: '0x80004001',
      getDevicePeriod: '0x80004001',
      getCurrentPadding: '0x80004001',
      audioClient2: '0x80004002',
      audioClock: '0x80004002',
      highestPosition: 0,
    });
    expect(answers.worstStampUs).toBeLessThan(100);
    const samples = heard();
    expectTone(samples, 997, -18.06);
    expect(measureTone(samples, rate, 997).snrDb).toBeGreaterThan(90);
    expect(findGaps(samples, { sampleRate: rate, frequency: 997 })).toEqual([]);
  });

  it('hears everything but a tree', async () => {
    const { code, heard } = await capture(2000, 'exclude');
    expect(code).toBe(0);
    const samples = heard();
    expectTone(samples, 440, -12.04);
    expect(measureTone(samples, rate, 440).snrDb).toBeGreaterThan(90);
  });

  it('is refused to single-threaded apartments and to handlers that are not agile', async () => {
    expect((await capture(2000, 'include', ['sta'])).answers.call).toBe('0x80010106');
    expect((await capture(2000, 'include', ['not-agile'])).answers.call).toBe('0x8000000E');
  });

  it('fails at the call, the completion or the activation, as scripted', async () => {
    for (const [call, field] of [
      ['ActivateAudioInterfaceAsync', 'call'],
      ['IActivateAudioInterfaceAsyncOperation::GetActivateResult', 'completion'],
      ['ActivateAudioInterface', 'activation'],
    ]) {
      const script = join(folder, 'script');
      writeFileSync(script, `standard\nfail process-loopback ${call} 0x88890008 times 1\n`);
      process.env.PATCHCORD_MMDEVAPI_SCRIPT = script;
      const { code, answers } = await capture(2000, 'include');
      delete process.env.PATCHCORD_MMDEVAPI_SCRIPT;
      expect(code).toBe(1);
      expect(answers[field]).toBe('0x88890008');
    }
  });
});

function run(file: string, args: string[]) {
  return new Promise<{ code: number | null; stdout: string }>((resolve) => {
    const child = execFile(file, args, { timeout: 30_000 }, (_, stdout, stderr) => {
      if (stderr) console.log(stderr);
      resolve({ code: child.exitCode, stdout });
    });
  });
}
