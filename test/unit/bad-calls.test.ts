// Calls that cannot be right, and what the stream does afterwards.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';

import { afterAll, describe, expect, it } from 'vitest';

import {
  Gain,
  MicSource,
  Mixer,
  SpeakerSink,
  ToneSource,
  WavEncoder,
  WavReader,
  WavWriter,
} from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

const format = { sampleRate: 48000, channels: 2, sampleFormat: 's16' } as const;
const folder = mkdtempSync(join(tmpdir(), 'patchcord-bad-calls-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a chunk that is none', () => {
  it('is refused, and the stream that is piped in next has its format and its place', async () => {
    const gain = new Gain().resume();
    expect(() => gain.write(5)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    new ToneSource({ durationMs: 100, ...format }).pipe(gain);
    await gain.ready;
    expect(gain.format).toEqual(format);
    await finished(gain);

    await using audio = new SimulatedAudio({ clock: 'manual' });
    const source = new MicSource({ backend: audio, durationMs: 500, ...format });
    await audio.advance(300);
    const writer = WavWriter.toFile(join(folder, 'late.wav'), { format });
    expect(() => writer.write({})).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    source.pipe(writer);
    await audio.advance(1000);
    await finished(writer);
    expect(writer.startFrame).toBeGreaterThan(10_000);
  });
});

it('what nothing can be written to is no destination of any stream', () => {
  const streams = [new Gain(), new ToneSource(), new WavReader(), new WavEncoder(), new Mixer()];
  for (const stream of streams) {
    for (const destination of [{}, undefined, null, 'speakers']) {
      expect(() => stream.pipe(destination as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    }
    stream.destroy();
  }
});

it('the format of a stream that nothing flows into is not known, whether it is open or not', () => {
  for (const stream of [
    new Gain(),
    new SpeakerSink({ backend: new SimulatedAudio() }),
    new Mixer().createInput(),
  ]) {
    expect(() => stream.format).toThrow(/^the format of this \w+ is not known yet/);
    stream.destroy();
    expect(() => stream.format).toThrow(/^the format of this \w+ is not known yet/);
  }
});
