import { AudioError, type AudioErrorCode } from '../errors.js';
import type { NativeOpenOptions, NativeSelection } from '../engine/native.js';

// The messages between a process and its child that holds a device, over the child's standard input and output. A
// message is four bytes for its kind, four bytes for the length of its body, and the body. Every length is a multiple of
// 8, so that samples can be read and written where they are. Both ends are the same build on the same machine, so the
// messages have no version. Times are those of `process.hrtime`, whose clock all processes of a machine share.

/** The kinds of messages. */
export const kinds = {
  /** The first message in both directions: the token that the parent has made for this child. */
  hello: 1,
  /** To the child: an {@link OpenRequest}. */
  open: 2,
  /** From the child: the device is open; what the engine says about it. */
  opened: 3,
  /** From the child: the device cannot be opened, or is lost; an {@link ErrorRecord}. */
  failed: 4,
  /** From the child: frames of the device. */
  packet: 5,
  /** From the child, four times a second: a {@link DeviceState}. */
  state: 6,
  /** To the child: the programs to capture from now on, a `NativeSelection`. */
  select: 7,
  /** From the child: a `NativeTapEvent`. */
  tap: 8,
  /** To the child: how many ms of frames it collects before it sends them; 0: as few as it can without haste. */
  collect: 9,
  /** To the child: send what there is. The child answers with the same kind. */
  flush: 10,
} as const;

/** The device, or the programs, that a child opens. */
export interface OpenRequest {
  loopback: boolean;
  deviceId: string;
  programs: NativeSelection | undefined;
  /** The format of the device, in which the child delivers its frames. */
  sampleRate: number;
  channels: number;
  maxWaitMs: number;
  options: NativeOpenOptions;
  backend: string | undefined;
}

/** The system's state of the device. */
export interface DeviceState {
  muted: boolean;
  /** Linear; undefined if the system does not report the state. */
  volume?: number;
  peakDb?: number;
}

/** Frames of the device. */
export interface Packet {
  /** The position of the first frame. A jump means that frames were lost. */
  frame: number;
  frames: number;
  /** When the first frame was heard, in ns. */
  time: number;
  /** 32-bit floats; null: the packet is silence. */
  samples: Buffer | null;
}

export interface Message {
  kind: number;
  body: Buffer;
}

export interface ErrorRecord {
  code: AudioErrorCode;
  message: string;
  details: Record<string, unknown>;
}

const unit = 8;
const headBytes = 8;
const packetBytes = 24;
// Longer than a second of 32 channels at 384 kHz.
const mostBytes = 64 * 1024 * 1024;

export function encode(kind: number, body: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(body, packBigInt));
  const message = Buffer.alloc(headBytes + padded(text.length), ' ');
  writeHead(message, kind);
  message.set(text, headBytes);
  return message;
}

/** @throws if the body is no JSON. */
export function decode({ body }: Message): unknown {
  return JSON.parse(String(body), unpackBigInt);
}

/** Memory for the packets that a child sends. */
export class PacketMessage {
  readonly #message: Buffer;
  readonly #samples: Buffer;

  constructor(mostSampleBytes: number) {
    const bytes = headBytes + packetBytes + padded(mostSampleBytes);
    this.#message = Buffer.allocUnsafeSlow(bytes);
    this.#samples = this.#message.subarray(headBytes + packetBytes).subarray(0, mostSampleBytes);
  }

  /** The place for the samples of the next packet. */
  get samples(): Buffer {
    return this.#samples;
  }

  /** The message. It is valid until the next packet. */
  encode({ frame, frames, time, samples }: Packet): Buffer {
    const sampleBytes = padded(samples?.length ?? 0);
    const message = this.#message.subarray(0, headBytes + packetBytes + sampleBytes);
    writeHead(message, kinds.packet);
    message.writeDoubleLE(frame, headBytes);
    message.writeDoubleLE(time, headBytes + 8);
    message.writeUInt32LE(frames, headBytes + 16);
    message.writeUInt32LE(samples?.length ?? 0, headBytes + 20);
    return message;
  }
}

/** @throws if the body is not a packet of this number of channels. */
export function decodePacket({ body }: Message, channels: number): Packet {
  if (body.length < packetBytes) throw new RangeError('a packet is too short');
  const frame = body.readDoubleLE(0);
  const time = body.readDoubleLE(8);
  const frames = body.readUInt32LE(16);
  const sampleBytes = body.readUInt32LE(20);
  const isLong = sampleBytes === 0 || sampleBytes === frames * channels * 4;
  if (!isLong || frames === 0 || body.length !== packetBytes + padded(sampleBytes)) {
    throw new RangeError('a packet has another length than its head says');
  }
  if (!(frame >= 0 && time >= 0)) throw new RangeError('a packet has no position');
  if (sampleBytes === 0) return { frame, frames, time, samples: null };
  const samples = body.subarray(packetBytes, packetBytes + sampleBytes);
  // Node.js reads to the beginning of a buffer. Other runtimes may not.
  return { frame, frames, time, samples: samples.byteOffset % 4 ? copyOf(samples) : samples };
}

/** Divides a stream of bytes into messages. */
export class MessageReader {
  readonly #onMessage: (message: Message) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onMessage: (message: Message) => void) {
    this.#onMessage = onMessage;
  }

  /** @throws if the bytes are no messages. */
  add(bytes: Buffer): void {
    let all = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    while (all.length >= headBytes) {
      const kind = all.readUInt32LE(0);
      const length = all.readUInt32LE(4);
      if (length > mostBytes || length % unit !== 0) {
        throw new RangeError('a message has a length that no message can have');
      }
      if (all.length < headBytes + length) break;
      const body = all.subarray(headBytes, headBytes + length);
      all = all.subarray(headBytes + length);
      this.#onMessage({ kind, body });
    }
    this.#rest = all;
  }
}

function writeHead(message: Buffer, kind: number): void {
  message.writeUInt32LE(kind, 0);
  message.writeUInt32LE(message.length - headBytes, 4);
}

// JSON has no big integers, which the start times of processes are.
function packBigInt(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? { bigint: String(value) } : value;
}

function unpackBigInt(_key: string, value: unknown): unknown {
  const packed = (value as { bigint?: unknown } | null)?.bigint;
  return typeof packed === 'string' ? BigInt(packed) : value;
}

function padded(length: number): number {
  return Math.ceil(length / unit) * unit;
}

function copyOf(bytes: Buffer): Buffer {
  return Buffer.from(new Uint8Array(bytes).buffer);
}

export function toRecord(error: unknown): ErrorRecord {
  if (!(error instanceof AudioError)) {
    return { code: 'ERR_AUDIO_BACKEND', message: (error as Error).message, details: {} };
  }
  const { code, message, syscall, osCode, deviceId, remedy } = error;
  return { code, message, details: { syscall, osCode, deviceId, remedy } };
}

export function fromRecord({ code, message, details }: ErrorRecord): AudioError {
  // The message ends with the details already.
  const error = new AudioError(code, message);
  for (const [key, value] of Object.entries(details)) {
    if (value) Object.defineProperty(error, key, { value, enumerable: true, configurable: true });
  }
  return error;
}
