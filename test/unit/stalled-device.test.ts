// A device that exists but delivers nothing, or takes nothing: streams end at the right length, and every wait
// ends. On the simulated system with a manual clock.
import { beforeEach, describe, expect, it } from 'vitest';

import {
  LoopbackSource,
  MicSource,
  SpeakerSink,
  type AudioSource,
  type Discontinuity,
} from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

const rate = 48_000;
const format = { sampleRate: rate, channels: 2, sampleFormat: 'f32' } as const;

let audio: SimulatedAudio;
beforeEach(() => {
  audio = new SimulatedAudio({ clock: 'manual' });
  audio.device('mic').play(tone(440));
});

function follow(source: AudioSource): {
  frames: number;
  told: Discontinuity[];
  ended: boolean;
  closed: Promise<unknown>;
} {
  // Releasing a device takes real time, which the manual clock does not move.
  const closed = new Promise((resolve) => source.once('close', resolve));
  const followed = { frames: 0, told: [] as Discontinuity[], ended: false, closed };
  source.on('data', (chunk: Buffer) => (followed.frames += chunk.length / 8));
  source.on('discontinuity', (event) => followed.told.push(event));
  source.on('end', () => (followed.ended = true));
  return followed;
}

/** In steps that no reader is too slow for. */
async function run(ms: number): Promise<void> {
  for (let done = 0; done < ms; done += 100) await audio.advance(100);
}

describe.each(['device', 'host'] as const)('a microphone that stalls (clock: %s)', (clock) => {
  it('is as long as the time that passed when it is closed', async () => {
    const mic = new MicSource({ backend: audio, clock });
    const followed = follow(mic);
    await mic.ready;
    await run(1000);
    audio.device('mic').stall();
    await run(2000);
    const lasted = (Number(audio.now() - mic.timeAt(0)) / 1e9) * rate;
    await mic.close();
    expect(followed.ended).toBe(true);
    // Nobody knows of the last packet whether it was on its way.
    expect(followed.frames).toBeGreaterThan(lasted - 0.04 * rate);
    expect(followed.frames).toBeLessThan(lasted + 1);
    const [{ frame, frames, filled, reason }] = followed.told;
    expect([followed.told.length, filled, reason]).toEqual([1, true, 'device']);
    expect(frame + frames).toBe(followed.frames);
    expect(frames).toBeGreaterThan(1.9 * rate);
    expect(mic.stats().lostFrames).toBe(frames);
  });

  it('ends after durationMs', async () => {
    const mic = new MicSource({ backend: audio, clock, durationMs: 2000 });
    const followed = follow(mic);
    await mic.ready;
    await run(1000);
    audio.device('mic').stall();
    await run(2000);
    await followed.closed;
    expect(followed.ended).toBe(true);
    expect(followed.frames).toBe(2 * rate);
    const [{ frame, frames }] = followed.told;
    expect(followed.told).toHaveLength(1);
    expect(frame + frames).toBe(2 * rate);
    expect(mic.stats().lostFrames).toBe(frames);
  });

  it('ends where stopAt() says', async () => {
    const mic = new MicSource({ backend: audio, clock });
    const followed = follow(mic);
    await mic.ready;
    await run(1000);
    audio.device('mic').stall();
    await run(500);
    const frame = mic.stopAt(audio.now());
    await run(1000);
    await followed.closed;
    expect(followed.ended).toBe(true);
    expect(followed.frames).toBe(frame);
  });

  it('loses no audio that is only late', async () => {
    const mic = new MicSource({ backend: audio, clock, bufferMs: 5000 });
    const followed = follow(mic);
    await mic.ready;
    await run(1000);
    audio.device('mic').delay(3000);
    await run(4000);
    await mic.close();
    expect(followed.told).toEqual([]);
    expect(followed.frames).toBeGreaterThan(4.9 * rate);
  });
});

it('a loopback whose output stalls ends after durationMs', async () => {
  const loopback = new LoopbackSource({ backend: audio, durationMs: 1000 });
  const followed = follow(loopback);
  await loopback.ready;
  await run(500);
  audio.device('speakers').stall();
  await run(2000);
  await followed.closed;
  expect([followed.ended, followed.frames]).toEqual([true, rate]);
});

describe('a sink whose device stalls', () => {
  it.each([
    ['2 s', { giveUpAfterMs: 2000 }, 2000],
    ['5 s where it does not recover', false, 5000],
  ] as const)('fails after %s, and with it all that waits', async (_when, recover, afterMs) => {
    const sink = new SpeakerSink({ backend: audio, format, recover });
    await sink.ready;
    const wrote = new Promise<Error | null | undefined>((resolve) => {
      sink.write(Buffer.alloc(8 * 4 * rate), resolve);
    });
    await run(500);
    audio.device('speakers').stall();
    const played = expect(sink.played()).rejects.toMatchObject({ code: 'ERR_AUDIO_DEVICE_LOST' });
    const closed = expect(sink.close()).rejects.toMatchObject({ code: 'ERR_AUDIO_DEVICE_LOST' });
    await run(afterMs - 200);
    expect(sink.destroyed).toBe(false);
    await run(afterMs / 2);
    await Promise.all([played, closed]);
    expect(await wrote).toMatchObject({ code: 'ERR_AUDIO_DEVICE_LOST' });
  });

  it('continues when the device continues in time', async () => {
    const sink = new SpeakerSink({ backend: audio, format, recover: { giveUpAfterMs: 2000 } });
    await sink.ready;
    sink.write(Buffer.alloc(8 * rate));
    await run(300);
    audio.device('speakers').stall();
    await run(1500);
    audio.device('speakers').resume();
    await Promise.all([sink.played(), run(2000)]);
    expect(sink.stats().playedFrames).toBe(rate);
    await Promise.all([sink.close(), run(200)]);
  });
});

describe('a sink that is written to too slowly', () => {
  it('counts every frame of silence, and emits underrun for it', async () => {
    const sink = new SpeakerSink({ backend: audio, format });
    const told: { frame: number; frames: number }[] = [];
    sink.on('underrun', (event) => told.push(event));
    await sink.ready;
    await run(200);
    const before = sink.stats();
    const chunk = Buffer.alloc(8 * 480, 1);
    for (let i = 0; i < 20; i++) {
      sink.write(chunk);
      await audio.advance(30);
    }
    await run(1000);
    const { frames, silentFrames, underruns, underrunFrames, playedFrames } = sink.stats();
    expect(playedFrames).toBe(20 * 480);
    const silent = silentFrames - before.silentFrames + underrunFrames;
    expect(frames - before.frames).toBe(silent + 20 * 480);
    expect(underruns).toBe(told.length);
    expect(told.reduce((sum, one) => sum + one.frames, 0)).toBe(underrunFrames);
    const ends = [before.frames, ...told.map((one) => one.frame + one.frames)];
    told.forEach((one, i) => expect(one.frame).toBeGreaterThanOrEqual(ends[i]));
    expect(ends.at(-1)).toBeLessThan(frames);
    // The bytes written in 600 ms last for 200.
    expect(underrunFrames).toBeGreaterThan(0.3 * rate);
    await Promise.all([sink.close(), run(200)]);
  });

  it('does not take a pause for an underrun', async () => {
    const sink = new SpeakerSink({ backend: audio, format });
    await sink.ready;
    for (let i = 0; i < 3; i++) {
      sink.write(Buffer.alloc(8 * 4800, 1));
      await run(600);
    }
    const { underruns, silentFrames, frames } = sink.stats();
    expect([underruns, silentFrames]).toEqual([0, frames - 3 * 4800]);
    await Promise.all([sink.close(), run(200)]);
  });
});
