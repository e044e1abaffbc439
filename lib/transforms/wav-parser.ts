import { AudioError } from '../errors.js';
import type { AudioFormat } from '../format/format.js';
import { kindBytes, nameOfKind } from './file-kinds.js';
import { maxFmtBytes, readFmt, type WavEncoding } from './wav-encoding.js';

/** A contradiction in a WAV file, and how the file was read in spite of it. */
export interface WavWarning {
  /**
   * - `BLOCK_ALIGN`: the header contradicts itself in the size of a frame. The reader used its bits per sample.
   * - `LENGTH_UNKNOWN`: the program that wrote the header did not know the length yet. The file was read to its end.
   * - `LENGTH_WRONG`: the audio continues beyond the length in the header. It was read too.
   * - `PAD_MISSING`: a chunk of odd length lacks the byte that must follow it.
   * - `TRUNCATED`: the file ends before the length in its header.
   */
  code: 'BLOCK_ALIGN' | 'LENGTH_UNKNOWN' | 'LENGTH_WRONG' | 'PAD_MISSING' | 'TRUNCATED';
  /** A text for people: what was found, and how it was read. */
  message: string;
}

/** Information about the input. */
export interface WavInput {
  /** The name for messages, usually the path. */
  name: string;
  /** The size of the whole file, if it is known. */
  bytes?: number | undefined;
  onWarning?: ((warning: WavWarning) => void) | undefined;
}

const unknownSize = 0xffffffff;
const pcmRemedy =
  'WavReader reads WAV and RF64 with PCM of 8, 16, 24 or 32 bits, floats of 32 or 64, A-law or mu-law, ' +
  '8000 to 384000 Hz, 1 to 32 channels. Convert the file first: ffmpeg -i INPUT -c:a pcm_s24le OUTPUT.wav';
const damagedRemedy =
  'The file is damaged or incomplete. Copy it again, or write it again with its program';
const unknownRemedy =
  'Pass a WAV or RF64 file. For samples without a header, use a ReadStream and withFormat(stream, format)';

// Chunks that may follow the audio, even if the sizes in the header do not include them.
const knownChunks = new Set(
  (
    'LIST,JUNK,junk,PAD ,FLLR,fact,cue ,plst,smpl,inst,bext,iXML,aXML,axml,chna,cart,levl,PEAK,id3 ,ID3 ,' +
    'acid,strc,DISP,umid,minf,elm1,regn,r64m,ds64,_PMX,LGWV,MD5 ,afsp,SAUR,fmt ,data'
  ).split(','),
);
// Tags that other programs append to a whole file.
const trailers = ['TAG', 'ID3', 'APETAGEX', 'LYRICS', 'RIFF', 'RF64', 'BW64'];
// No program pads a file with more zeros than this. More zeros are recorded silence.
const mostPadding = 65_536;

/**
 * Reads RIFF, RF64 and BW64 in portions of any size. The parser uses sizes in the header only to find the next chunk,
 * never for an allocation. If the bytes contradict them, the bytes decide. The parser buffers at most a header or a
 * frame.
 */
export class WavParser {
  /** Known when the `data` chunk begins. */
  format: Readonly<AudioFormat> | undefined;
  /** The number of frames in the header; undefined if it is not plausible. */
  declaredFrames: number | undefined;

  readonly #input: WavInput;
  #pending: Buffer = Buffer.alloc(0);
  #offset = 0;
  #ended = false;
  #state: (() => boolean | Buffer) | undefined = this.#readRiff;
  #skip = 0;
  #afterOdd: string | undefined; // the id of a chunk of odd length that has just ended
  #riffSize = 0;
  #dataSize64: number | undefined;
  #encoding: WavEncoding | undefined;
  #frameBytes = 0;
  #audioLeft = 0; // bytes of whole frames that remain by the header's length
  #dataRest = 0; // bytes of the data chunk after them
  #partialBytes = 0;

  constructor(input: WavInput) {
    this.#input = input;
  }

  /** Yields the audio in `bytes`, in `format`. Each piece is valid until the next one is requested. */
  *push(bytes: Buffer): Generator<Buffer> {
    this.#pending = this.#pending.length > 0 ? Buffer.concat([this.#pending, bytes]) : bytes;
    yield* this.#parse();
    this.#pending = Buffer.from(this.#pending); // a copy, because the caller may reuse `bytes`
  }

  /** Called at the end of the input. @returns the number of bytes of an incomplete last frame. */
  *end(): Generator<Buffer, number> {
    this.#ended = true;
    yield* this.#parse();
    if (!this.format) {
      const isEmpty = this.#offset + this.#pending.length === 0;
      throw this.#refuse(
        isEmpty ? 'is empty' : 'ended before its audio began (no data chunk)',
        damagedRemedy,
      );
    }
    if (this.#audioLeft > 0 && this.#audioLeft !== Infinity) {
      const missing = this.#audioLeft / this.#frameBytes;
      this.#warn('TRUNCATED', `ends ${missing} frames before the length in its header`);
    }
    return this.#state ? this.#pending.length : this.#partialBytes;
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
    this.#pending = Buffer.alloc(0); // the bytes after the audio are not needed
  }

  // Each state consumes the bytes that it needs and sets the next state. It returns true to continue at once, and false
  // to wait for more bytes.

  #readRiff(): boolean {
    if (this.#pending.length < kindBytes) {
      // The first four bytes show whether this is a WAV file.
      if (this.#pending.length >= 4 && this.#ended) this.#checkMagic(this.#pending);
      return false;
    }
    const header = this.#take(kindBytes);
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
    const kind = nameOfKind(header);
    throw this.#refuse(
      kind ? `is ${kind}, not a WAV file` : `is not a WAV file: it begins with ${quote(magic)}`,
      kind ? pcmRemedy : unknownRemedy,
    );
  }

  #readChunk(): boolean {
    if (this.#afterOdd !== undefined && !this.#passPadding(this.#afterOdd)) return false;
    if (this.#pending.length < 8) return false;
    const header = this.#take(8);
    const id = header.toString('latin1', 0, 4);
    const size = header.readUInt32LE(4);
    if (id === 'data') return this.#beginData(size);
    if (id === 'fmt ' && !this.#encoding) {
      this.#state = () => this.#readFmt(id, size);
    } else if (id === 'ds64') {
      this.#state = () => this.#readDs64(id, size);
    } else {
      this.#leaveChunk(id, size, 0);
    }
    return true;
  }

  // A pad byte follows a chunk of odd length. Careless writers omit it.
  #passPadding(id: string): boolean {
    if (this.#pending.length < 9) {
      if (!this.#ended || this.#pending.length < 8) return false;
      this.#afterOdd = undefined;
      return true;
    }
    const [padded, bare] = [idAt(this.#pending, 1), idAt(this.#pending, 0)];
    const isPadded =
      knownChunks.has(padded) || (!knownChunks.has(bare) && (isId(padded) || !isId(bare)));
    if (isPadded) this.#take(1);
    else this.#warn('PAD_MISSING', `lacks the byte that must follow its chunk ${quote(id)}`);
    this.#afterOdd = undefined;
    return true;
  }

  #leaveChunk(id: string, size: number, used: number): void {
    this.#skip = size - used;
    this.#afterOdd = size % 2 ? id : undefined;
    this.#state = this.#readChunk;
  }

  #readDs64(id: string, size: number): boolean {
    if (size < 16) {
      throw this.#refuse(
        `has a ds64 chunk of ${size} bytes, too short for its sizes`,
        damagedRemedy,
      );
    }
    if (this.#pending.length < 16) return false;
    const body = this.#take(16);
    this.#riffSize = Number(body.readBigUInt64LE(0));
    this.#dataSize64 = Number(body.readBigUInt64LE(8));
    this.#leaveChunk(id, size, 16);
    return true;
  }

  #readFmt(id: string, size: number): boolean {
    if (size < 16) {
      throw this.#refuse(`has a fmt chunk of ${size} bytes, which must have 16`, damagedRemedy);
    }
    const used = Math.min(size, maxFmtBytes);
    if (this.#pending.length < used) return false;
    const encoding = readFmt(this.#take(used));
    if ('problem' in encoding) {
      throw this.#refuse(encoding.problem, encoding.isDamaged ? damagedRemedy : pcmRemedy);
    }
    if (encoding.contradiction) {
      this.#warn('BLOCK_ALIGN', `${encoding.contradiction}; its bits per sample were used`);
    }
    this.#encoding = encoding;
    this.#leaveChunk(id, size, used);
    return true;
  }

  #beginData(size: number): boolean {
    if (!this.#encoding) {
      throw this.#refuse('has audio before its format (no fmt chunk before data)', damagedRemedy);
    }
    const { bytes, sampleRate, channels, sampleFormat, channelMask } = this.#encoding;
    this.#frameBytes = bytes * channels;
    const claimed = size === unknownSize ? (this.#dataSize64 ?? unknownSize) : size;
    if (this.#isPlaceholder(claimed)) {
      this.#warn(
        'LENGTH_UNKNOWN',
        'was written before its length was known; it was read to its end',
      );
      this.#readToTheEnd();
    } else {
      this.#dataRest = claimed % this.#frameBytes;
      this.#audioLeft = claimed - this.#dataRest;
      this.declaredFrames = this.#audioLeft / this.#frameBytes;
    }
    const mask = channelMask !== undefined && { channelMask };
    this.format = Object.freeze({ sampleRate, channels, sampleFormat, ...mask });
    this.#state = this.#readAudio;
    return true;
  }

  // Programs that write into a pipe set the size to the largest number: all ones, or 2 GiB less a page as sox
  // and espeak-ng do. A file that is really that long has that many bytes.
  #isPlaceholder(size: number): boolean {
    if (size === unknownSize) return true;
    const isLarge = (size >= 0x7ffff000 && size <= 0x7fffffff) || size >= 0xfffff000;
    if (!isLarge) return false;
    if (size > 0xffffffff && size < 2 ** 53) return false; // from a ds64 chunk, which programs write last
    const { bytes } = this.#input;
    return bytes === undefined || this.#offset + size > bytes;
  }

  #readToTheEnd(): void {
    this.#audioLeft = Infinity;
    this.#dataRest = 0;
    this.declaredFrames = undefined;
  }

  #readAudio(): boolean | Buffer {
    if (this.#audioLeft === 0) return this.#judgeEnd();
    const available = Math.min(this.#audioLeft, this.#pending.length);
    const whole = available - (available % this.#frameBytes);
    if (whole === 0) return false;
    this.#audioLeft -= whole;
    const samples = this.#take(whole);
    return this.#encoding?.convert?.(samples) ?? samples;
  }

  // Called at the end of the header's length. After a crash that length is too short, and beyond 4 GiB it wraps. Then the
  // bytes that follow are audio, not a chunk.
  #judgeEnd(): boolean {
    const behind = this.#pending.subarray(this.#dataRest);
    if (behind.length < 9 && !this.#ended) return false;
    if (this.#goesOn(behind)) {
      this.#warn(
        'LENGTH_WRONG',
        'continues beyond the length in its header; it was read to its end',
      );
      this.#readToTheEnd();
      return true;
    }
    this.#partialBytes = Math.min(this.#dataRest, this.#pending.length);
    this.#state = undefined;
    return true;
  }

  #goesOn(behind: Buffer): boolean {
    if (behind.length < 8) return false;
    const dataEnd = this.#offset + this.#dataRest;
    const isOdd = (this.declaredFrames! * this.#frameBytes + this.#dataRest) % 2 === 1;
    if (this.#isChunk(behind, 0, dataEnd) || (isOdd && this.#isChunk(behind, 1, dataEnd + 1))) {
      return false;
    }
    const riffEnd = this.#riffSize + 8;
    const isComplete = riffEnd === dataEnd || riffEnd === dataEnd + 1;
    if (isComplete && trailers.some((trailer) => idAt(behind, 0, trailer.length) === trailer)) {
      return false;
    }
    const left = this.#input.bytes === undefined ? Infinity : this.#input.bytes - dataEnd;
    return !(left <= mostPadding && behind.subarray(0, 8).every((byte) => byte === 0));
  }

  #isChunk(behind: Buffer, at: number, offset: number): boolean {
    if (behind.length < at + 8) return false;
    const id = idAt(behind, at);
    if (knownChunks.has(id)) return true;
    const end = offset + 8 + behind.readUInt32LE(at + 4);
    const last = Math.min(this.#riffSize + 8, this.#input.bytes ?? Infinity);
    return isId(id) && this.#riffSize !== unknownSize && end <= last + 1;
  }

  #take(bytes: number): Buffer {
    const taken = this.#pending.subarray(0, bytes);
    this.#pending = this.#pending.subarray(bytes);
    this.#offset += bytes;
    return taken;
  }

  #warn(code: WavWarning['code'], what: string): void {
    this.#input.onWarning?.({ code, message: `${this.#input.name} ${what}` });
  }

  #refuse(what: string, remedy = pcmRemedy): AudioError {
    return new AudioError('ERR_AUDIO_FORMAT_UNSUPPORTED', `${this.#input.name} ${what}`, {
      remedy,
    });
  }
}

function idAt(bytes: Buffer, at: number, length = 4): string {
  return bytes.toString('latin1', at, at + length);
}

function isId(id: string): boolean {
  return /^[!-~][ -~]{3}$/.test(id);
}

function quote(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
