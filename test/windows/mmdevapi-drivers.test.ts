// Unusual results of Windows and its drivers: formats that they refuse, buffers of another size than requested,
// properties that do not go together. On the simulated Windows audio engine; runs in Wine
// (mmdevapi.mjs).
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import {
  DeviceMonitor,
  listDevices,
  LoopbackSource,
  MicSource,
  ProcessSource,
  SpeakerSink,
  ToneSource,
  VirtualMicSink,
  type AudioDevice,
  type AudioError,
  type AudioSource,
} from 'patchcord';

import { levelOf } from '../conformance/tone-level.js';
import { event, until } from '../conformance/wait.js';
import { findGaps, measureTone, toFloat } from '../instruments/index.js';
import { steerThisProcess, type Steering } from './steer-this-process.js';

const backend = 'wasapi';
const refusedFormat = '0x88890008'; // AUDCLNT_E_UNSUPPORTED_FORMAT
const noBuffer = '0x88890018'; // AUDCLNT_E_BUFFER_ERROR

let windows: Steering['windows'];
let send: Steering['send'];
let mend: Steering['mend'];
beforeAll(async () => {
  ({ windows, send, mend } = await steerThisProcess());
});
afterAll(() => windows.close());
afterEach(async () => {
  await mend();
  for (const id of ['mic', 'speakers', 'cable-input']) {
    await send(`mix ${id} accepted`, `exclusive ${id} refused`, `stop ${id}`);
  }
});

/**
 * The peak of 997 Hz on each channel, dBFS, in half a second behind the first sound. A busy machine makes holes in a
 * stream that has little headroom: they are counted, and heard as silence.
 */
async function expectLevels(
  source: AudioSource,
  expected: number[],
  lost = () => source.stats().lostFrames,
) {
  const { sampleRate } = source.format;
  const chunks: Buffer[] = [];
  let frames = 0;
  for await (const chunk of source.chunks()) {
    if (frames === 0 && chunk.data.every((byte) => byte === 0)) continue;
    frames += chunk.frames;
    if (frames > sampleRate / 10) chunks.push(chunk.data);
    if (frames > sampleRate / 2) break;
  }
  const lostFrames = lost();
  source.destroy();
  const heard = toFloat(Buffer.concat(chunks), source.format);
  expect(heard).toHaveLength(expected.length);
  heard.forEach((samples, channel) => {
    if (expected[channel] === -Infinity) {
      expect(levelOf(samples, 997)).toBeLessThan(-60);
      return;
    }
    const gaps = findGaps(samples, { sampleRate, frequency: 997 });
    if (lostFrames === 0) expect(gaps).toEqual([]);
    // Around each hole the tone is faded for 3 ms.
    const quiet = (lostFrames + gaps.length * 0.006 * sampleRate) / samples.length;
    const { peakDb } = measureTone(samples, sampleRate, 997);
    expect(peakDb).toBeLessThan(expected[channel] + 0.05);
    const missing = 20 * Math.log10(Math.max(1e-9, 1 - quiet));
    expect(peakDb).toBeGreaterThan(expected[channel] + missing - 0.05);
  });
}

describe('an exclusive microphone', () => {
  const setUp = ['device usb input 48000 2 s16 "Headset"', 'exclusive usb allowed'];
  const options = { backend, device: 'Headset', shareMode: 'exclusive' } as const;

  it('continues when its buffer is asked for too early', async () => {
    await send(...setUp, 'play usb tone 997 0.25');
    const mic = new MicSource(options);
    const rebuilds: unknown[] = [];
    mic.on('rebuild', (why) => rebuilds.push(why));
    await expectLevels(mic, [-12.04, -12.04]);
    expect(rebuilds).toEqual([]);
  });

  it('is lost when it has no buffer for long', async () => {
    await send(...setUp, 'play usb tone 997 0.25');
    const mic = new MicSource({ ...options, recover: false });
    await mic.ready;
    mic.resume();
    await send(`fail usb IAudioCaptureClient::GetBuffer ${noBuffer}`);
    expect(await event<AudioError>(mic, 'error')).toMatchObject({
      code: 'ERR_AUDIO_DEVICE_LOST',
      osCode: expect.stringContaining(noBuffer),
    });
  });

  it.each([refusedFormat, '0x8889000F'])(
    'takes the next format when Initialize answers %s to one that is supported',
    async (result) => {
      await send(...setUp, 'play usb tone 997 0.25');
      await send(`fail usb IAudioClient::Initialize ${result} times 1`);
      await expectLevels(new MicSource(options), [-12.04, -12.04]);
    },
  );

  it('is opened with the channel mask that its driver knows', async () => {
    await send('device quad input 48000 4 s16 "Array" mask 0', 'exclusive quad allowed');
    await send('play quad tone 997 0.25');
    const mic = new MicSource({ backend, device: 'Array', shareMode: 'exclusive', channels: 4 });
    await expectLevels(mic, [-12.04, -12.04, -12.04, -12.04]);
  });
});

it('an exclusive output whose buffer is eight periods long is no later than others', async () => {
  await send('exclusive cable-input allowed buffer 8');
  const options = { shareMode: 'exclusive', latencyMs: 200, bufferMs: 4000 } as const;
  const sink = new SpeakerSink({ backend, device: 'CABLE Input', ...options });
  new ToneSource({ frequency: 997, gain: 0.25, durationMs: 1500 }).pipe(sink);
  const mic = new MicSource({ backend, device: 'CABLE Output' });
  const lost = () => sink.stats().underrunFrames + mic.stats().lostFrames;
  await expectLevels(mic, [-12.04, -12.04], lost);
  expect(sink.stats().deviceLatencyMs).toBeLessThan(50);
  await event(sink, 'finish');
});

describe('the mix format', () => {
  it('that changes while a microphone opens is read anew', async () => {
    await send('device mono input 48000 1 f32 "Mono"', 'play mono tone 997 0.25');
    await send(`fail mono IAudioClient::Initialize ${refusedFormat} times 1`);
    await expectLevels(new MicSource({ backend, device: 'Mono', channels: 1 }), [-12.04]);
  });

  it('that changes while a microphone recovers is read anew', async () => {
    await send('device mono input 48000 2 f32 "Mono"', 'play mono tone 997 0.25');
    const mic = new MicSource({ backend, device: 'Mono' });
    await mic.ready;
    mic.resume();
    const recovered = event<{ device: AudioDevice } | AudioError>(mic, 'recovered');
    const failed = new Promise((resolve) => mic.once('error', resolve));
    await send(`fail mono IAudioClient::Initialize ${refusedFormat} times 1`);
    await send('format mono 44100 2 f32');
    const outcome = await Promise.race([recovered, failed]);
    expect(outcome).not.toBeInstanceOf(Error);
    mic.destroy();
  });

  it.each([
    ['microphone', 'mic', () => new MicSource({ backend, device: 'Microphone' })],
    ['loopback', 'speakers', () => new LoopbackSource({ backend, device: 'Speakers' })],
  ])('that Initialize refuses is converted by Windows: %s', async (...given) => {
    const [, id, make] = given;
    await send(`mix ${id} refused`, `play ${id} tone 997 0.25`);
    await expectLevels(make(), [-12.04, -12.04]);
  });

  it('that Initialize refuses is converted by Windows: output', async () => {
    await send('mix cable-input refused');
    const sink = new SpeakerSink({ backend, device: 'CABLE Input', bufferMs: 4000 });
    new ToneSource({ frequency: 997, gain: 0.25, durationMs: 1500 }).pipe(sink);
    const mic = new MicSource({ backend, device: 'CABLE Output' });
    const lost = () => sink.stats().underrunFrames + mic.stats().lostFrames;
    await expectLevels(mic, [-12.04, -12.04], lost);
    await event(sink, 'finish');
  });
});

describe('channels', () => {
  it('that stand at no speaker are microphones: each is heard on both sides', async () => {
    await send('device quad input 48000 4 f32 "Array" mask 0', 'play quad tone 997 0.25 channel 3');
    const mic = new MicSource({ backend, device: 'Array' });
    await expectLevels(mic, [-24.08, -24.08]);
  });

  it('are folded by their mask: 0x107 has a back centre in its fourth', async () => {
    const surround = 'device surround input 48000 4 f32 "Surround" mask 0x107';
    await send(surround, 'play surround tone 997 0.25 channel 3');
    const mic = new MicSource({ backend, device: 'Surround' });
    await expectLevels(mic, [-18.06, -18.06]);
  });

  it('are folded by their mask: 0xB has no centre, its third is the subwoofer', async () => {
    const sub = 'device sub output 48000 3 f32 "Two and a sub" mask 0xB';
    await send(sub, 'play sub tone 440 0.25 channel 0', 'play sub tone 997 0.25 channel 2 by 7');
    const loopback = new LoopbackSource({ backend, device: 'Two and a sub' });
    await expectLevels(loopback, [-Infinity, -Infinity]);
  });
});

describe('a category', () => {
  it('that microphones do not have is named by an error, and the microphone is heard', async () => {
    await send('play mic tone 997 0.25');
    const mic = new MicSource({ backend, device: 'Microphone', category: 'media' });
    await mic.ready;
    expect(mic.granted?.category).toBe('other');
    expect(mic.granted?.reasons.category).toMatch(/Initialize/);
    await expectLevels(mic, [-12.04, -12.04]);
  });
});

describe('a loopback whose packets are 45 ms old when they come', () => {
  it('loses nothing of a sound that begins after a pause', async () => {
    await send('stamps speakers -45');
    const loopback = new LoopbackSource({ backend, device: 'Speakers' });
    const chunks: Buffer[] = [];
    const { sampleRate } = loopback.format;
    let frames = 0;
    let told = 0;
    for await (const { data, frames: count } of loopback.chunks()) {
      chunks.push(data);
      frames += count;
      for (const [at, command] of [
        [0.2, 'play speakers tone 997 0.25'],
        [1.2, 'stop speakers'],
        [2.2, 'play speakers tone 997 0.25'],
        [3.2, 'stop speakers'],
      ] as const) {
        if (frames / sampleRate > at && told < at) {
          told = at;
          await send(command);
        }
      }
      if (frames > 4 * sampleRate) break;
    }
    const { lostFrames } = loopback.stats();
    loopback.destroy();
    await send('stamps speakers 0');
    expect(lostFrames).toBe(0);
  });
});

describe('process loopback', () => {
  it('whose rate is refused is asked for 48 kHz and converted', async () => {
    await send('process 3001 1', 'play speakers tone 997 0.25 by 3001');
    await send(`fail process-loopback IAudioClient::Initialize ${refusedFormat} times 1`);
    const source = new ProcessSource({ backend, process: 3001, sampleRate: 96000 });
    await expectLevels(source, [-12.04, -12.04]);
  });
});

describe('an error names what was denied', () => {
  it('an output is no microphone', async () => {
    await send('deny speakers');
    const sink = new SpeakerSink({ backend, device: 'Speakers' });
    const error = await event<AudioError>(sink, 'error');
    await send('allow speakers');
    expect(error.code).toBe('ERR_AUDIO_PERMISSION_DENIED');
    expect(error.message + error.remedy).not.toMatch(/microphone/i);
  });

  it.each([
    ['0x800706BF', 'ERR_AUDIO_BACKEND_UNAVAILABLE'], // RPC_S_CALL_FAILED_DNE
    ['0x80010108', 'ERR_AUDIO_DEVICE_LOST'], // RPC_E_DISCONNECTED
    ['0x800705B4', 'ERR_AUDIO_TIMEOUT'], // ERROR_TIMEOUT
  ])('%s is %s', async (result, code) => {
    // At every attempt: a device that is lost while it is opened is searched again.
    await send(`fail mic IAudioClient::Start ${result}`);
    const mic = new MicSource({ backend, device: 'Microphone' });
    expect(await event<AudioError>(mic, 'error')).toMatchObject({ code });
  });
});

it('a device that its user renames is announced', async () => {
  await send('device usb input 48000 2 f32 "Headset"');
  const monitor = new DeviceMonitor({ backend });
  await monitor.ready;
  const changed = event<AudioDevice>(monitor, 'change');
  await send('rename usb "My headset"');
  expect((await changed).name).toBe('My headset');
  monitor.close();
});

it('an idle DeviceMonitor gets events after the audio service has restarted', async () => {
  const monitor = new DeviceMonitor({ backend });
  await monitor.ready;
  await send('service stopped', 'service running');
  const added = event<AudioDevice>(monitor, 'add');
  await send('device usb input 48000 2 f32 "Headset"');
  expect((await added).name).toBe('Headset');
  const removed = event<AudioDevice>(monitor, 'remove');
  await send('remove usb');
  expect((await removed).name).toBe('Headset');
  monitor.close();
});

describe('how a device is connected', () => {
  it.each([
    ['USB\\VID_046D&PID_0A44\\6', '', 'usb', false],
    ['HDAUDIO\\FUNC_01&VEN_10EC\\4', '', 'builtin', false],
    ['HDAUDIO\\FUNC_01&VEN_10DE\\5', 'form 9', 'hdmi', false],
    ['BTHENUM\\{0000110B}\\7', '', 'bluetooth', false],
    ['BTHHFENUM\\BthHFPAudio\\8', '', 'bluetooth', true],
    ['ROOT\\MEDIA\\0003', '', 'virtual', false],
    ['SWD\\Other\\1', '', 'unknown', false],
  ])('is told by its parent: %s %s', async (parent, form, transport, handsFree) => {
    await send(`device some output 48000 2 f32 "Some" of "${parent}" - - ${form}`);
    const devices = await listDevices({ backend });
    const some = devices.find(({ name }) => name === 'Some');
    expect(some).toMatchObject({ transport, handsFree });
  });
});

describe("this program's own volume on a cable", () => {
  it('that is muted is a warning', async () => {
    const sink = new VirtualMicSink({ backend });
    await sink.ready;
    const warned = event<{ message: string }>(sink, 'warning');
    await until(async () => {
      await send(`session cable-input ${process.pid} mute`).catch(() => {});
      return true;
    }, 'a session');
    expect((await warned).message).toMatch(/mute/i);
    // Both volumes are read again and again, and the devices are not listed for that.
    const quiet = event<{ code: string }>(sink, 'warning');
    await send('fail * IMMDeviceEnumerator::EnumAudioEndpoints 0x80004005');
    await send(`session cable-input ${process.pid} unmute`, 'volume cable-output 0.01');
    expect((await quiet).code).toBe('quiet');
    await send('mend', 'volume cable-output 1');
    await sink.close();
  });
});
