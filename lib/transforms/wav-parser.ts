import { AudioError } from '../errors.js';
import type { AudioFormat, SampleFormat } from '../format/format.js';
import { subFormatTail, tagExtensible, tagFloat, tagPcm } from '../format/wave-tags.js';

// How samples lie in the file, and as what they are delivered.
interface Encoding {
  bytes: number;
  sampleFormat: SampleFormat;
  /** Only where the two differ. */
  convert?: (samples: Buffer) => Buffer;
}

const pcm: Readonly<Record<number, Encoding>> = {
  1: { bytes: 1, sampleFormat: 's16', convert: widenU8 },
  2: { bytes: 2, sampleFormat: 's16' },
  3: { bytes: 3, sampleFormat: 's24' },
  4: { bytes: 4, sampleFormat: 's32' },
};
const float: Readonly<Record<number, Encoding>> = {
  4: { bytes: 4, sampleFormat: 'f32' },
  8: { bytes: 8, sampleFormat: 'f32', convert: narrowF64 },
};

const formatTags: Readonly<Record<number, string>> = {
  0x02: 'ADPCM',
  0x06: 'A-law',
  0x07: 'mu-law',
  0x11: 'IMA ADPCM',
  0x31: 'GSM',
  0x50: 'MPEG',
  0x55: 'MP3',
  0xff: 'AAC',
};
const unknownSize = 0xffffffff;
const maxFmtBytes = 40;

/**
 * Reads WAVE in any portions: RIFF and RF64, PCM of 8 to 32 bits, floats of 32 and 64. Sizes in the
 * header are claims, used to find the next chunk and never to allocate; at most one header or one
 * frame is held back.
 */
export class WavParser {
  /** Known when the `data` chunk begins. */
  format: Readonly<AudioFormat> | undefined;
  /** What the header promises; undefined where it was written before the length was known. */
  declaredFrames: number | undefined;

  readonly #name: string;
  #pending: Buffer = Buffer.alloc(0);
  #offset = 0;
  #state: (() => boolean | Buffer) | undefined = this.#readRiff;
  #skip = 0;
  #riffSize = 0;
  #dataSize64: number | undefined;
  #encoding: Encoding | undefined;
  #fmt: { sampleRate: number; channels: number } | undefined;
  #audioLeft = 0;

  /** @param name of what is read, for messages. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Gives the audio that is in `bytes`, in `format`; each piece is valid until the next is asked for. */
  *push(bytes: Buffer): Generator<Buffer> {
    this.#pending = this.#pending.length > 0 ? Buffer.concat([this.#pending, bytes]) : bytes;
    yield* this.#parse();
    this.#pending = Buffer.from(this.#pending); // `bytes` are the caller's again
  }

  *#parse(): Generator<Buffer> {
    while (this.#state) {
      if (this.#skip > 0) {
        this.#skip -= this.#take(Math.min(this.#skip, this.#pending.length)).length;
        if (this.#skip > 0) return;
      }
      const result = this.#state();
      if (result === false) return;
      if (result !== true) yield result;
    }
    this.#pending = Buffer.alloc(0); // past the audio there is nothing of interest
  }

  /** Nothing more comes. @returns bytes of a last, incomplete frame. */
  end(): number {
    if (this.format) return this.#pending.length;
    if (this.#offset + this.#pending.length === 0) throw this.#refuse('is empty');
    throw this.#refuse('ended before its audio began (no data chunk)');
  }

  // Each state consumes what it needs and sets the next one: true to go on at once, false to wait for
  // more bytes.

  #readRiff(): boolean {
    if (this.#pending.length < 12) {
      // Garbage is told from a short read at the first four bytes.
      if (this.#pending.length >= 4) this.#checkMagic(this.#pending);
      return false;
    }
    const header = this.#take(12);
    this.#checkMagic(header);
    const form = header.toString('latin1', 8, 12);
    if (form !== 'WAVE') throw this.#refuse(`is a RIFF file of kind ${quote(form)}, not WAVE`);
    this.#riffSize = header.readUInt32LE(4);
    this.#state = this.#readChunk;
    return true;
  }

  #checkMagic(header: Buffer): void {
    const magic = header.toString('latin1', 0, 4);
    if (magic === 'RIFF' || magic === 'RF64' || magic === 'BW64') return;
    if (magic === 'RIFX') throw this.#refuse('is a big-endian WAV file (RIFX)');
    throw this.#refuse(`is not a WAV file: it begins with ${quote(magic)}`);
  }

  #readChunk(): boolean {
    if (this.#pending.length < 8) return false;
    const header = this.#take(8);
    const id = header.toString('latin1', 0, 4);
    const size = header.readUInt32LE(4);
    if (id === 'data') return this.#beginData(size);
    if (id === 'fmt ' && !this.#fmt) {
      this.#state = () => this.#readFmt(size);
    } else if (id === 'ds64') {
      this.#state = () => this.#readDs64(size);
    } else {
      this.#skip = size + (size % 2);
    }
    return true;
  }

  #readDs64(size: number): boolean {
    if (size < 16) throw this.#refuse(`has a ds64 chunk of ${size} bytes, too short for its sizes`);
    if (this.#pending.length < 16) return false;
    const body = this.#take(16);
    this.#riffSize = Number(body.readBigUInt64LE(0));
    this.#dataSize64 = Number(body.readBigUInt64LE(8));
    return this.#nextChunk(size, 16);
  }

  #readFmt(size: number): boolean {
    if (size < 16) throw this.#refuse(`has a fmt chunk of ${size} bytes, which must have 16`);
    const used = Math.min(size, maxFmtBytes);
    if (this.#pending.length < used) return false;
    this.#interpretFmt(this.#take(used));
    return this.#nextChunk(size, used);
  }

  #nextChunk(size: number, used: number): boolean {
    this.#skip = size - used + (size % 2);
    this.#state = this.#readChunk;
    return true;
  }

  #interpretFmt(fmt: Buffer): void {
    let tag = fmt.readUInt16LE(0);
    const channels = fmt.readUInt16LE(2);
    const sampleRate = fmt.readUInt32LE(4);
    const blockAlign = fmt.readUInt16LE(12);
    const bits = fmt.readUInt16LE(14);
    if (tag === tagExtensible) {
      if (fmt.length < maxFmtBytes) throw this.#refuse('has an incomplete extensible header');
      tag = fmt.readUInt16LE(24);
      if (!fmt.subarray(26, 40).equals(subFormatTail)) {
        throw this.#refuse(`has samples of a foreign kind (${fmt.toString('hex', 24, 40)})`);
      }
    }
    if (channels < 1 || channels > 32) throw this.#refuse(`has ${channels} channels, not 1 to 32`);
    if (sampleRate < 8000 || sampleRate > 384000) {
      throw this.#refuse(`runs at ${sampleRate} Hz, not 8000 to 384000`);
    }
    // The container counts, which may be wider than the valid bits (20 in 24, 24 in 32): the bits are
    // the high ones, so the container can be read as samples of its own width.
    const width =
      blockAlign > 0 && blockAlign % channels === 0 ? blockAlign / channels : Math.ceil(bits / 8);
    const known = tag === tagPcm ? pcm : tag === tagFloat ? float : {};
    const encoding = known[width];
    if (!encoding || bits < 1 || bits > 8 * width) {
      const kind = tag === tagPcm ? 'integer' : tag === tagFloat ? 'float' : undefined;
      throw this.#refuse(
        kind
          ? `has ${kind} samples of ${bits} bits in ${width} bytes`
          : `has ${formatTags[tag] ?? `format ${tag}`} samples`,
      );
    }
    this.#encoding = encoding;
    this.#fmt = { sampleRate, channels };
  }

  #beginData(size: number): boolean {
    if (!this.#fmt || !this.#encoding) {
      throw this.#refuse('has audio before it says of what format (no fmt chunk before data)');
    }
    const frameBytes = this.#encoding.bytes * this.#fmt.channels;
    // A program that writes as it records leaves a size of 0 or of all ones until it is done. Zero is
    // believed only when the file claims to have more behind the audio.
    const claimed = size === unknownSize ? (this.#dataSize64 ?? unknownSize) : size;
    const claimsMore = this.#riffSize !== unknownSize && this.#riffSize + 8 > this.#offset;
    const unknown = claimed === unknownSize ? this.#dataSize64 === undefined : claimed === 0;
    const open = unknown && !(claimed === 0 && claimsMore);
    this.declaredFrames = open ? undefined : Math.floor(claimed / frameBytes);
    this.#audioLeft = open ? Infinity : claimed - (claimed % frameBytes);
    this.format = Object.freeze({ ...this.#fmt, sampleFormat: this.#encoding.sampleFormat });
    this.#state = () => this.#readAudio(frameBytes);
    return true;
  }

  #readAudio(frameBytes: number): boolean | Buffer {
    if (this.#audioLeft === 0) {
      this.#state = undefined;
      return true;
    }
    const available = Math.min(this.#audioLeft, this.#pending.length);
    const whole = available - (available % frameBytes);
    if (whole === 0) return false;
    this.#audioLeft -= whole;
    const samples = this.#take(whole);
    return this.#encoding?.convert?.(samples) ?? samples;
  }

  #take(bytes: number): Buffer {
    const taken = this.#pending.subarray(0, bytes);
    this.#pending = this.#pending.subarray(bytes);
    this.#offset += bytes;
    return taken;
  }

  #refuse(what: string): AudioError {
    return new AudioError('ERR_AUDIO_FORMAT_UNSUPPORTED', `${this.#name} ${what}`, {
      remedy:
        'WavReader reads WAV and RF64 with PCM of 8, 16, 24 or 32 bits or floats of 32 or 64, ' +
        '8000 to 384000 Hz, 1 to 32 channels: convert it first, for example with ffmpeg',
    });
  }
}

function quote(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
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
