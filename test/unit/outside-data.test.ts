// Data from outside the process, in random variations: it is read, or it is an error, and nothing else happens. Each
// failure names its seed. PATCHCORD_FUZZ_SECONDS makes it run longer, with other seeds.
import { finished } from 'node:stream/promises';

import { describe, expect, it, vi } from 'vitest';

import { AudioError, WavReader } from 'patchcord';

import {
  decode,
  decodePacket,
  encode,
  kinds,
  MessageReader,
  PacketMessage,
} from '../../lib/isolation/messages.js';
import { randomPortions, seededRandom } from '../instruments/random.js';
import { chunk } from '../instruments/wav-bytes.js';

const seconds = Number(process.env.PATCHCORD_FUZZ_SECONDS ?? 0);
const rounds = 2000;
vi.setConfig({ testTimeout: 60_000 + seconds * 2000 });

/** Whole numbers from 0 to below a limit. */
function below(seed: number): (limit: number) => number {
  const next = seededRandom(seed);
  return (limit) => Math.floor(next() * limit);
}

async function repeat(work: (below: (limit: number) => number) => unknown): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let seed = seconds > 0 ? Math.floor(performance.timeOrigin) : 1;
  let count = 0;
  for (; count < rounds || performance.now() < end; ++count, ++seed) {
    try {
      await work(below(seed));
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  return count;
}

/** The bytes with up to eight of them changed, removed or doubled. */
function vary(bytes: Buffer, below: (limit: number) => number): Buffer {
  let varied = Buffer.from(bytes);
  for (let k = below(8); k >= 0; --k) {
    const at = below(varied.length);
    const way = below(4);
    if (way < 2) varied[at] = way === 0 ? below(256) : [0, 255, 1, 128][below(4)];
    else if (way === 2) varied = Buffer.concat([varied.subarray(0, at), varied.subarray(at + 1)]);
    else varied = Buffer.concat([varied.subarray(0, at), varied.subarray(Math.max(0, at - 4))]);
    if (varied.length === 0) return varied;
  }
  return varied;
}

function wav(below: (limit: number) => number): Buffer {
  const extensible = below(2) === 0;
  const format = Buffer.alloc(extensible ? 40 : 16);
  format.writeUInt16LE(extensible ? 0xfffe : [1, 3, 6, 7][below(4)], 0);
  format.writeUInt16LE(1 + below(3), 2);
  format.writeUInt32LE(48_000, 4);
  format.writeUInt16LE(4, 12);
  format.writeUInt16LE([8, 16, 24, 32, 64][below(5)], 14);
  if (extensible) format.writeUInt16LE(22, 16);
  const chunks = [chunk('fmt ', format), chunk('LIST', Buffer.alloc(below(9) * 2))];
  const body = Buffer.concat([Buffer.from('WAVE'), ...chunks, chunk('data', Buffer.alloc(96, 7))]);
  return chunk(['RIFF', 'RF64', 'BW64', 'RIFX'][below(4)], body);
}

describe('data from outside in random variations', () => {
  it('is a WAV file, or an error with a code', async () => {
    let read = 0;
    const count = await repeat(async (below) => {
      const reader = new WavReader();
      reader.on('error', () => {}); // `finished` reports it
      reader.resume();
      const done = finished(reader);
      for (const piece of randomPortions(vary(wav(below), below), () => below(1000) / 1000))
        reader.write(piece);
      reader.end();
      try {
        await done;
        ++read;
      } catch (error) {
        expect(error).toBeInstanceOf(AudioError);
      }
    });
    // Most variations are in the samples, or can be read anyway.
    expect(read).toBeGreaterThan(count / 20);
    expect(read).toBeLessThan(count);
  });

  it('is a message of a child process, or an error', async () => {
    const packet = new PacketMessage(64);
    packet.samples.fill(1);
    const place = { frame: 480, frames: 8, time: 1e9 };
    const bytes = Buffer.concat([
      encode(kinds.hello, 'token'),
      encode(kinds.state, { muted: false, volume: 1 }),
      packet.encode({ ...place, samples: packet.samples }),
      encode(kinds.tap, { process: { pid: 1, startTime: 123n } }),
      packet.encode({ ...place, samples: null }),
    ]);
    let messages = 0;
    let failures = 0;
    await repeat((below) => {
      const reader = new MessageReader((message) => {
        ++messages;
        if (message.kind === kinds.packet) {
          const { frames, samples } = decodePacket(message, 2);
          expect(samples === null || samples.length === frames * 8).toBe(true);
        } else decode(message);
      });
      try {
        for (const piece of randomPortions(vary(bytes, below), () => below(1000) / 1000))
          reader.add(piece);
      } catch (error) {
        if (!(error instanceof RangeError) && !(error instanceof SyntaxError)) throw error;
        ++failures;
      }
    });
    expect(messages).toBeGreaterThan(rounds);
    expect(failures).toBeGreaterThan(rounds / 20);
  });
});
