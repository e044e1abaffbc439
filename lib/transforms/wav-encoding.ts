import { usualMask } from '../format/channel-map.js';
import type { SampleFormat } from '../format/format.js';
import {
  ambisonicTail,
  nameOfTag,
  subFormatTail,
  tagALaw,
  tagExtensible,
  tagFloat,
  tagMuLaw,
  tagPcm,
} from '../format/wave-tags.js';

/** The encoding of samples in a WAV file, and the format in which they are delivered. */
export interface WavEncoding {
  sampleRate: number;
  channels: number;
  /** The speaker positions of the channels, if the header gives another layout than the usual one. */
  channelMask?: number;
  /** Bytes of one sample in the file. */
  bytes: number;
  sampleFormat: SampleFormat;
  /** Converts samples of the file to `sampleFormat`; absent if both are the same. */
  convert?: (samples: Buffer) => Buffer;
  /** A contradiction in the header, as the second half of a sentence. */
  contradiction?: string;
}

type Samples = Pick<WavEncoding, 'bytes' | 'sampleFormat' | 'convert'>;

const pcm: Readonly<Record<number, Samples>> = {
  1: { bytes: 1, sampleFormat: 's16', convert: widenU8 },
  2: { bytes: 2, sampleFormat: 's16' },
  3: { bytes: 3, sampleFormat: 's24' },
  4: { bytes: 4, sampleFormat: 's32' },
};
const float: Readonly<Record<number, Samples>> = {
  4: { bytes: 4, sampleFormat: 'f32' },
  8: { bytes: 8, sampleFormat: 'f32', convert: narrowF64 },
};
const muLaw = { bytes: 1, sampleFormat: 's16', convert: companded(fromMuLaw) } as const;
const aLaw = { bytes: 1, sampleFormat: 's16', convert: companded(fromALaw) } as const;

/** The number of meaningful bytes in a `fmt ` chunk. */
export const maxFmtBytes = 40;

/** Why a file cannot be read. */
export interface WavProblem {
  /** The second half of a sentence about the file. */
  problem: string;
  /** Whether no program can read the file, so that converting it does not help. */
  isDamaged: boolean;
}

/**
 * Reads the body of a `fmt ` chunk.
 *
 * @param fmt at least 16 bytes.
 * @returns the encoding, or the problem.
 */
export function readFmt(fmt: Buffer): WavEncoding | WavProblem {
  let tag = fmt.readUInt16LE(0);
  const channels = fmt.readUInt16LE(2);
  const sampleRate = fmt.readUInt32LE(4);
  const blockAlign = fmt.readUInt16LE(12);
  const bits = fmt.readUInt16LE(14);
  let mask = 0;
  if (tag === tagExtensible) {
    if (fmt.length < maxFmtBytes) {
      return { problem: 'has an incomplete extensible header', isDamaged: true };
    }
    mask = fmt.readUInt32LE(20);
    tag = fmt.readUInt16LE(24);
    const tail = fmt.subarray(26, 40);
    if (!tail.equals(subFormatTail) && !tail.equals(ambisonicTail)) {
      const kind = fmt.toString('hex', 24, 40);
      return { problem: `has samples of an unknown kind (sub-format ${kind})`, isDamaged: false };
    }
  }
  if (channels < 1 || channels > 32) {
    return { problem: `has ${channels} channels, not 1 to 32`, isDamaged: channels === 0 };
  }
  if (sampleRate < 8000 || sampleRate > 384000) {
    const problem = `has a sample rate of ${sampleRate} Hz, not 8000 to 384000`;
    return { problem, isDamaged: sampleRate === 0 };
  }
  const aligned = blockAlign % channels === 0 ? blockAlign / channels : 0;
  const samples = samplesOf(tag, bits, aligned);
  if (typeof samples === 'string') return { problem: samples, isDamaged: false };
  const expected = channels * samples.bytes;
  const contradiction =
    blockAlign === expected
      ? undefined
      : `says that a frame has ${blockAlign} bytes, but ${channels} times ${samples.bytes} is ${expected}`;
  return {
    sampleRate,
    channels,
    ...(mask !== 0 && mask !== usualMask(channels) && { channelMask: mask }),
    ...samples,
    ...(contradiction && { contradiction }),
  };
}

// The bits per sample determine the width, because careless writers set the block align wrong. The block align determines
// it only if the container is wider than the samples (20 or 24 valid bits in 32), or if there are no bits per sample.
function samplesOf(tag: number, bits: number, aligned: number): Samples | string {
  switch (tag) {
    case tagALaw:
      return aLaw;
    case tagMuLaw:
      return muLaw;
    case tagPcm: {
      const least = Math.ceil(bits / 8);
      const mayBeWider = bits === 0 || bits === 24 || bits % 8 !== 0;
      const width = mayBeWider && aligned >= least ? aligned : least;
      return pcm[width] ?? `has integer samples of ${bits} bits in ${width} bytes`;
    }
    case tagFloat: {
      const width = bits === 0 ? aligned : bits / 8;
      return float[width] ?? `has float samples of ${bits} bits`;
    }
    default:
      return `has samples in ${nameOfTag(tag)}`;
  }
}

function widenU8(samples: Buffer): Buffer {
  const wide = Buffer.allocUnsafe(samples.length * 2);
  for (let i = 0; i < samples.length; i++) wide.writeInt16LE((samples[i] - 128) << 8, 2 * i);
  return wide;
}

function narrowF64(samples: Buffer): Buffer {
  const narrow = Buffer.allocUnsafe(samples.length / 2);
  for (let i = 0; i < narrow.length; i += 4) narrow.writeFloatLE(samples.readDoubleLE(2 * i), i);
  return narrow;
}

function companded(decode: (byte: number) => number): (samples: Buffer) => Buffer {
  const table = Int16Array.from({ length: 256 }, (_, byte) => decode(byte));
  return (samples) => {
    const wide = Buffer.allocUnsafe(samples.length * 2);
    for (let i = 0; i < samples.length; i++) wide.writeInt16LE(table[samples[i]], 2 * i);
    return wide;
  };
}

// ITU-T G.711, mu-law. The bits are inverted; a chord of 3 bits shifts a step of 4 bits. The 14 bits of the result are
// the high bits of 16.
function fromMuLaw(byte: number): number {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84;
  return code & 0x80 ? -magnitude : magnitude;
}

// ITU-T G.711, A-law. Every second bit is inverted. The 13 bits of the result are the high bits of 16.
function fromALaw(byte: number): number {
  const code = byte ^ 0x55;
  const chord = (code & 0x70) >> 4;
  const step = ((code & 0x0f) << 4) + 8;
  const magnitude = chord === 0 ? step : (step + 0x100) << (chord - 1);
  return code & 0x80 ? magnitude : -magnitude;
}
