// WAV files for tests, byte by byte.
import { Readable } from 'node:stream';

import { expect } from 'vitest';

import { AudioError } from '../../lib/errors.js';
import { type AudioFormat } from '../../lib/format/format.js';
import { WavReader } from '../../lib/transforms/wav-reader.js';
import { seededRandom } from '../instruments/random.js';

export const stereo: AudioFormat = { sampleRate: 48000, channels: 2, sampleFormat: 's16' };

export function randomBytes(length: number, seed: number): Buffer {
  const random = seededRandom(seed);
  return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
}

export function chunk(id: string, body: Buffer, size = body.length): Buffer {
  const header = Buffer.alloc(8);
  header.write(id, 'latin1');
  header.writeUInt32LE(size, 4);
  return Buffer.concat([header, body, Buffer.alloc(body.length % 2)]);
}

export function fmt(
  tag: number,
  channels: number,
  bits: number,
  width = Math.ceil(bits / 8),
): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt16LE(tag, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(44100, 4);
  body.writeUInt32LE(44100 * channels * width, 8);
  body.writeUInt16LE(channels * width, 12);
  body.writeUInt16LE(bits, 14);
  return chunk('fmt ', body);
}

export function riff(chunks: Buffer[], { magic = 'RIFF', size = -1 } = {}): Buffer {
  const body = Buffer.concat([Buffer.from('WAVE'), ...chunks]);
  return chunk(magic, body, size < 0 ? body.length : size);
}

export function warningsOf(reader: WavReader): string[] {
  const codes: string[] = [];
  reader.on('warning', ({ code }) => codes.push(code));
  return codes;
}

export async function read(portions: Iterable<Buffer>, reader = new WavReader()) {
  const warnings = warningsOf(reader);
  const chunks: Buffer[] = await Readable.from(portions).pipe(reader).toArray();
  const audio = Buffer.concat(chunks);
  return { format: reader.format, audio, chunks, stats: reader.stats(), warnings };
}

export async function failure(promise: Promise<unknown>): Promise<AudioError> {
  const error: unknown = await promise.then(
    () => expect.fail('must be refused'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AudioError);
  return error as AudioError;
}
