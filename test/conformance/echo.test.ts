// The echo canceller: live on the simulated system with a manual clock, and between two recordings.
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { describe, expect, it } from 'vitest';

import {
  EchoCanceller,
  fromFloat32,
  Gain,
  listDevices,
  LoopbackSource,
  MicSource,
  Mixer,
  ProcessSource,
  Resampler,
  SpeakerSink,
  ToneSource,
  VirtualMicSink,
  WavEncoder,
  WavReader,
  withFormat,
  type AudioError,
  type EchoCancellerOptions,
  type EchoWarning,
  type MicOptions,
} from 'patchcord';
import { pcm, SimulatedAudio, tone } from 'patchcord/testing';

import {
  distortionDb,
  echoRoom,
  powerDb,
  randomPortions,
  seededRandom,
  toFloat,
  type EchoRoom,
} from '../instruments/index.js';
import { block, event } from './wait.js';

const rate = 48_000;
const mono = { sampleRate: rate, channels: 1, sampleFormat: 'f32' } as const;

function world(room: EchoRoom, { ppm = 0 } = {}): SimulatedAudio {
  const audio = new SimulatedAudio({ clock: 'manual' });
  audio
    .device('speakers')
    .play(pcm(room.far), { program: 'call' })
    .drift(-ppm / 2);
  audio
    .device('mic')
    .play(pcm(room.microphone), { program: 'air' })
    .drift(ppm / 2);
  return audio;
}

/** All that a stream gives from now on, as samples once it is asked for. */
function collected(stream: Readable): () => Float32Array {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => mono32(Buffer.concat(chunks));
}

const mono32 = (bytes: Buffer): Float32Array => toFloat(bytes, mono)[0];

/** In steps that no reader is too slow for. */
async function advance(audio: SimulatedAudio, ms: number): Promise<void> {
  for (let done = 0; done < ms; done += 500) await audio.advance(Math.min(500, ms - done));
}

async function opened(audio: SimulatedAudio, options: Partial<EchoCancellerOptions> = {}) {
  const mic = new MicSource({ backend: audio, ...mono });
  const reference = options.reference ?? new LoopbackSource({ backend: audio });
  const canceller = mic.pipe(new EchoCanceller({ reference, ...options }));
  await Promise.all([mic.ready, reference.ready]);
  return { mic, reference, canceller };
}

function thrown(action: () => unknown): AudioError {
  try {
    action();
  } catch (error) {
    return error as AudioError;
  }
  throw new Error('nothing was thrown');
}

describe('live', () => {
  for (const ppm of [0, 100]) {
    it(`takes the echo out and leaves the talker, clocks ${ppm} ppm apart`, async () => {
      const room = echoRoom(12, { nearFrom: 8, ppm });
      const audio = world(room, { ppm });
      const { mic, reference, canceller } = await opened(audio);
      const heard = collected(mic);
      const cancelled = collected(canceller);
      // A reader of the reference that pauses does not hold the canceller up.
      reference.resume();
      await advance(audio, 500);
      reference.pause();
      await advance(audio, 7000);
      const { erleDb, converged, doubleTalk, delayMs } = canceller.stats();
      await advance(audio, 4500);
      const [before, after] = [heard(), cancelled()];
      const erle = (from: number, to: number) =>
        powerDb(before, from, to) - powerDb(after, from, to);
      expect(erle(0.5, 1.5)).toBeGreaterThan(25);
      expect(erle(5, 7.5)).toBeGreaterThan(35);
      expect(erleDb).toBeGreaterThan(32);
      expect(converged).toBe(true);
      expect(doubleTalk).toBe(false);
      expect(Math.abs(delayMs - 5)).toBeLessThan(0.3);
      // The microphone's sound is room.microphone from its first frame on.
      expect(distortionDb(after, room.near, 9, 11.5)).toBeGreaterThan(14);
      expect(canceller.stats().reference).toMatchObject({ starvations: 0, resyncs: 0 });
      expect(canceller.stats().reference.driftPpm).toBeCloseTo(-ppm, 0);
      await Promise.all([mic.close(), reference.close()]);
    });
  }

  it('gives the same bits while the event loop is blocked, in a path that a device plays', async () => {
    const play = async (disturb: boolean) => {
      const room = echoRoom(4, { nearFrom: 2 });
      const audio = world(room);
      const { mic, canceller } = await opened(audio);
      const sink = new VirtualMicSink({ backend: audio, device: 'cable-input' });
      canceller.pipe(sink);
      expect(mic.stats().link[0]).toMatchObject({ to: 'EchoCanceller', linked: true });
      await sink.ready;
      audio.device('cable-input').record();
      const done = audio.advance(3500);
      if (disturb) block(1500);
      await done;
      const { starvedFrames = 0, waitMs = 0 } = canceller.stats().reference;
      expect(waitMs).toBeLessThan(45);
      expect(starvedFrames).toBeLessThan(rate / 10);
      const { data } = audio.device('cable-input').recorded();
      await Promise.all([mic.close(), sink.close()]);
      return Buffer.from(data.buffer);
    };
    const calm = await play(false);
    expect(calm.some((byte) => byte !== 0)).toBe(true);
    expect((await play(true)).equals(calm)).toBe(true);
  });

  it('follows a reference of any rate and channels: a mix that a sink plays, a resampled program', async () => {
    const room = echoRoom(5);
    for (const kind of ['mixer', 'resampler'] as const) {
      const audio = world(room);
      const loopback = new LoopbackSource({ backend: audio, sampleRate: 44_100 });
      let reference;
      if (kind === 'mixer') {
        reference = new Mixer({ sampleRate: rate, limiter: false });
        loopback.pipe(reference.createInput());
      } else {
        reference = loopback.pipe(new Resampler({ sampleRate: 16_000, channels: 1 }));
      }
      const { mic, canceller } = await opened(audio, { reference });
      const heard = collected(mic);
      const cancelled = collected(canceller);
      await advance(audio, 5000);
      const [before, after] = [heard(), cancelled()];
      expect(powerDb(before, 2.5, 4.5) - powerDb(after, 2.5, 4.5)).toBeGreaterThan(24);
      await Promise.all([mic.close(), loopback.close()]);
    }
  });

  it('gives the microphone bit for bit while nothing plays, and where the reference has ended', async () => {
    const room = echoRoom(3);
    const audio = new SimulatedAudio({ clock: 'manual' });
    audio.device('mic').play(pcm(room.far));
    const { mic, reference, canceller } = await opened(audio);
    const warnings: EchoWarning[] = [];
    canceller.on('warning', (warning) => warnings.push(warning));
    const heard = collected(mic);
    const cancelled = collected(canceller);
    await advance(audio, 1000);
    reference.destroy();
    await advance(audio, 1000);
    await mic.close();
    await advance(audio, 100);
    const [before, after] = [heard(), cancelled()];
    expect(after.length).toBe(before.length);
    expect(after).toEqual(before);
    expect(warnings.map(({ code }) => code)).toEqual(['REFERENCE_ENDED']);
  });

  it('continues while the reference or the microphone is unplugged, with gaps of the same length', async () => {
    const room = echoRoom(9);
    const audio = world(room);
    const { mic, reference, canceller } = await opened(audio);
    const heard = collected(mic);
    const cancelled = collected(canceller);
    await advance(audio, 3000);
    audio.device('speakers').unplug();
    await advance(audio, 1000);
    audio.device('speakers').plug();
    audio.device('mic').unplug();
    await advance(audio, 500);
    audio.device('mic').plug();
    await advance(audio, 3000);
    await Promise.all([mic.close(), reference.close()]);
    await advance(audio, 100);
    const [before, after] = [heard(), cancelled()];
    expect(after.length).toBe(before.length);
    const silent = before.findIndex(
      (_, i) => i > rate && before.subarray(i, i + 9600).every((s) => s === 0),
    );
    expect(silent).toBeGreaterThan(0);
    expect(powerDb(after, (silent + 2400) / rate, (silent + 7200) / rate)).toBeLessThan(-190);
  });

  it('warns if the microphone contains nothing of the reference, and names the outputs that play', async () => {
    const audio = new SimulatedAudio({ clock: 'manual' });
    audio.addDevice({ id: 'hdmi', name: 'HDMI', flow: 'output' });
    audio.device('hdmi').play(tone(300), { program: 'call' });
    audio.device('speakers').play(pcm(echoRoom(16, { seed: 5 }).far));
    audio.device('mic').play(pcm(echoRoom(16, { seed: 6 }).far));
    const { mic, canceller } = await opened(audio);
    const warnings: EchoWarning[] = [];
    canceller.on('warning', (warning) => warnings.push(warning)).resume();
    await advance(audio, 8000);
    expect(warnings).toEqual([]);
    await advance(audio, 7000);
    expect(warnings.map(({ code }) => code)).toEqual(['REFERENCE_UNRELATED']);
    const [{ message, devices }] = warnings;
    expect(message).toContain("programs play at 'HDMI'");
    expect(devices).toMatchObject([{ id: 'hdmi' }]);
    await mic.close();
  });

  it('warns in other words if nothing else plays, or if no output is recorded', async () => {
    for (const kind of ['loopback', 'program', 'all'] as const) {
      const audio = new SimulatedAudio({ clock: 'manual' });
      const program = audio.addProcess({ name: 'call' });
      program.play(pcm(echoRoom(16, { seed: 5 }).far), { device: 'speakers' });
      audio.device('mic').play(pcm(echoRoom(16, { seed: 6 }).far));
      const reference =
        kind !== 'program'
          ? new LoopbackSource({ backend: audio, device: kind === 'all' ? 'all' : 'default' })
          : new ProcessSource({ backend: audio, process: program.pid });
      const { mic, canceller } = await opened(audio, { reference });
      const warnings: EchoWarning[] = [];
      canceller.on('warning', (warning) => warnings.push(warning)).resume();
      await advance(audio, 15_000);
      expect(warnings).toMatchObject([{ code: 'REFERENCE_UNRELATED', devices: [] }]);
      expect(warnings[0].message).toContain('headphones');
      await Promise.all([mic.close(), reference.close()]);
    }
  });

  it('passes a microphone whose echo the system cancels, bit for bit, also after a change of the device', async () => {
    const room = echoRoom(8);
    const audio = world(room);
    audio.addDevice({ id: 'cancelled', flow: 'input', cancelsEcho: true });
    audio.device('cancelled').play(pcm(room.microphone));
    const mic = new MicSource({ backend: audio, device: 'cancelled', ...mono });
    const canceller = mic.pipe(
      new EchoCanceller({ reference: new LoopbackSource({ backend: audio }) }),
    );
    await mic.ready;
    expect(mic.granted?.echoCancellation).toBe(true);
    const heard = collected(mic);
    const cancelled = collected(canceller);
    await advance(audio, 3000);
    expect(canceller.stats()).toMatchObject({ cancelledBySystem: true, converged: false });
    const [before, after] = [heard(), cancelled()];
    expect(after.length).toBeGreaterThan(2 * rate);
    expect(after).toEqual(before.subarray(0, after.length));
    await mic.setDevice('mic');
    expect(mic.granted?.echoCancellation).toBe(false);
    await advance(audio, 3000);
    expect(canceller.stats()).toMatchObject({ cancelledBySystem: false, converged: true });
    await mic.close();
  });

  it("asks for the reference of the system's canceller", async () => {
    const audio = new SimulatedAudio({ clock: 'manual' });
    audio.addDevice({ id: 'cancelled', flow: 'input', cancelsEcho: true });
    const reasonOf = async (options: MicOptions) => {
      const mic = await MicSource.open({ backend: audio, ...options });
      const { reasons } = mic.granted;
      await mic.close();
      return reasons.echoReference;
    };
    const [output] = await listDevices({ backend: audio, flow: 'output' });
    expect(await reasonOf({ device: 'cancelled', echoReference: output })).toBeUndefined();
    expect(await reasonOf({ device: 'cancelled', echoReference: 'gone' })).toContain('output');
    expect(await reasonOf({ device: 'mic', echoReference: output })).toContain('echo');
    for (const echoReference of [1, '', {}, { id: 'mic', flow: 'input' }]) {
      const options = { backend: audio, echoReference } as MicOptions;
      expect(thrown(() => new MicSource(options))).toMatchObject({
        code: expect.stringMatching(/ERR_INVALID_ARG_(TYPE|VALUE)/) as string,
      });
    }
  });

  it('rejects references that would cancel themselves, close a cycle, or have no times', async () => {
    const audio = new SimulatedAudio({ clock: 'manual' });
    audio.device('mic').play(tone(440));
    const mic = new MicSource({ backend: audio });
    const second = new MicSource({ backend: audio });
    await Promise.all([mic.ready, second.ready]);
    const mixed = new Mixer();
    mic.pipe(new Gain()).pipe(mixed.createInput());
    for (const reference of [mic, second, mixed]) {
      const { code, message } = thrown(() => mic.pipe(new EchoCanceller({ reference })));
      expect(code).toBe('ERR_AUDIO_FEEDBACK');
      expect(message).toContain('MicSource');
    }
    const fed = new Mixer();
    const loopback = new LoopbackSource({ backend: audio });
    loopback.pipe(fed.createInput());
    const circular = new EchoCanceller({ reference: fed });
    expect(thrown(() => circular.pipe(fed.createInput())).code).toBe('ERR_AUDIO_GRAPH_CYCLE');
    const still = new EchoCanceller({ reference: new ToneSource() });
    expect(thrown(() => mic.pipe(still)).code).toBe('ERR_AUDIO_UNSUPPORTED');
    const written = new EchoCanceller({ reference: loopback, from: mono });
    written.write(Buffer.alloc(4));
    expect((await event<AudioError>(written, 'error')).code).toBe('ERR_AUDIO_UNSUPPORTED');
    await Promise.all([mic.close(), second.close(), loopback.close()]);
  });

  it('may play to the output that its reference records, which is not feedback', async () => {
    const audio = world(echoRoom(1));
    const { mic, canceller } = await opened(audio);
    const sink = new SpeakerSink({ backend: audio });
    canceller.pipe(sink);
    await sink.ready;
    await advance(audio, 500);
    expect(sink.destroyed).toBe(false);
    await Promise.all([mic.close(), sink.close()]);
  });
});

describe('between two recordings', () => {
  const room = echoRoom(6, { nearFrom: 4 });
  const wav = async (signal: Float32Array, sampleRate = rate): Promise<Buffer> => {
    const pcm16 = fromFloat32(signal, { sampleFormat: 's16' });
    const parts: Buffer[] = [];
    await pipeline(
      withFormat(Readable.from([pcm16], { objectMode: false }), {
        ...mono,
        sampleRate,
        sampleFormat: 's16',
      }),
      new WavEncoder(),
      async (encoded) => {
        for await (const part of encoded) parts.push(part);
      },
    );
    return Buffer.concat(parts);
  };
  const cancel = async (
    microphone: Readable,
    reference: Readable,
    options: Partial<EchoCancellerOptions> = {},
  ): Promise<Buffer> => {
    const parts: Buffer[] = [];
    const far = reference.pipe(new WavReader());
    await pipeline(
      microphone,
      new WavReader(),
      new EchoCanceller({ reference: far, ...options }),
      async (out) => {
        for await (const part of out) parts.push(part);
      },
    );
    return Buffer.concat(parts);
  };
  const s16 = (bytes: Buffer): Float32Array => toFloat(bytes, { ...mono, sampleFormat: 's16' })[0];

  it('removes one from the other, with the same bits however both are cut', async () => {
    const [microphone, far] = await Promise.all([wav(room.microphone), wav(room.far)]);
    const random = seededRandom(4);
    const cut = (bytes: Buffer) =>
      Readable.from(randomPortions(bytes, random), { objectMode: false });
    const whole = await cancel(Readable.from([microphone]), Readable.from([far]));
    const out = s16(whole);
    expect(out.length).toBe(room.microphone.length);
    expect(powerDb(room.microphone, 2, 4) - powerDb(out, 2, 4)).toBeGreaterThan(30);
    expect(distortionDb(out, room.near, 4.5, 6)).toBeGreaterThan(14);
    const again = await cancel(cut(microphone), cut(far));
    expect(again.equals(whole)).toBe(true);
  });

  it('accepts a reference of another rate; one that ends sooner is silent from there on', async () => {
    const microphone = await wav(room.microphone);
    const slow: Buffer[] = [];
    const resampler = new Resampler({ sampleRate: 16_000, from: mono });
    await pipeline(
      Readable.from([Buffer.from(room.far.buffer, 0, 3 * rate * 4)]),
      resampler,
      async (part) => {
        for await (const one of part) slow.push(one);
      },
    );
    const far = await wav(mono32(Buffer.concat(slow)), 16_000);
    const out = s16(await cancel(Readable.from([microphone]), Readable.from([far])));
    expect(out.length).toBe(room.microphone.length);
    expect(powerDb(room.microphone, 1.5, 3) - powerDb(out, 1.5, 3)).toBeGreaterThan(15);
    const tail = out.subarray(3.5 * rate);
    expect(tail).toEqual(
      s16(fromFloat32(room.microphone, { sampleFormat: 's16' })).subarray(3.5 * rate),
    );
  });

  it('fails with the error of a reference that fails', async () => {
    const microphone = await wav(room.microphone);
    const broken = Readable.from([Buffer.from('this is no WAV file, whatever its name says')]);
    const failing = cancel(Readable.from([microphone]), broken);
    await expect(failing).rejects.toMatchObject({ code: 'ERR_AUDIO_FORMAT_UNSUPPORTED' });
  });

  it('says what is wrong with its arguments', () => {
    const reference = new ToneSource();
    const code = (options: unknown) =>
      thrown(() => new EchoCanceller(options as EchoCancellerOptions)).code as string;
    expect(code(undefined)).toBe('ERR_INVALID_ARG_TYPE');
    expect(code({})).toBe('ERR_INVALID_ARG_TYPE');
    expect(code({ reference: {} })).toBe('ERR_INVALID_ARG_TYPE');
    expect(code({ reference: new (class {} as { new (): Writable })() })).toBe(
      'ERR_INVALID_ARG_TYPE',
    );
    expect(code({ reference, suppression: 'some' })).toBe('ERR_INVALID_ARG_VALUE');
    expect(code({ reference, tailMs: 10 })).toBe('ERR_OUT_OF_RANGE');
    expect(code({ reference, referenceChannels: 3 })).toBe('ERR_OUT_OF_RANGE');
    expect(code({ reference, maxWaitMs: -1 })).toBe('ERR_OUT_OF_RANGE');
    expect(code({ reference, delayMs: 20 })).toBe('ERR_INVALID_ARG_VALUE');
    const canceller = new EchoCanceller({ reference, from: { ...mono, channels: 31 } });
    expect(thrown(() => canceller.format).code).toBe('ERR_AUDIO_FORMAT_UNSUPPORTED');
    expect(canceller.stats()).toMatchObject({ erleDb: 0, converged: false, reference: {} });
  });
});
