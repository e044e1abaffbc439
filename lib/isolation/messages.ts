import { AudioError, type AudioErrorCode } from '../errors.js';
import type { NativeOpenOptions } from '../engine/native.js';

// The messages between a process and its child that holds a device, over the child's standard input and output. A
// message is one byte for its kind, four bytes for the length of its body, and the body. Both ends are the same build
// on the same machine, so the messages have no version. Times are those of `process.hrtime`, whose clock all processes of
// a machine share.

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
} as const;

/** The device that a child opens. */
export interface OpenRequest {
  loopback: boolean;
  deviceId: string;
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
export interface PacketHead {
  /** The position of the first frame. A jump means that frames were lost. */
  frame: number;
  frames: number;
  /** When the first frame was heard, in ns. */
  time: bigint;
  /** Whether the packet is silence, in which case it has no samples. */
  silent: boolean;
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

const headBytes = 5;
/** The length of a packet's head. A multiple of 4, because samples follow. */
const packetBytes = 24;
// Longer than a second of 32 channels at 384 kHz.
const mostBytes = 64 * 1024 * 1024;

export function encode(kind: number, body: string | object, samples?: Uint8Array): Buffer {
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const length = bytes.length + (samples?.length ?? 0);
  const message = Buffer.allocUnsafe(headBytes + length);
  message.writeUInt8(kind, 0);
  message.writeUInt32LE(length, 1);
  message.set(bytes, headBytes);
  if (samples) message.set(samples, headBytes + bytes.length);
  return message;
}

export function encodePacket(head: PacketHead, samples: Uint8Array): Buffer {
  const bytes = Buffer.alloc(packetBytes);
  bytes.writeDoubleLE(head.frame, 0);
  bytes.writeBigInt64LE(head.time, 8);
  bytes.writeUInt32LE(head.frames, 16);
  bytes.writeUInt32LE(head.silent ? 1 : 0, 20);
  return encode(kinds.packet, bytes, head.silent ? undefined : samples);
}

/** @throws if the body is not a packet of this number of channels. */
export function decodePacket(
  body: Buffer,
  channels: number,
): PacketHead & { samples: Buffer | null } {
  const head = {
    frame: body.readDoubleLE(0),
    time: body.readBigInt64LE(8),
    frames: body.readUInt32LE(16),
    silent: body.readUInt32LE(20) !== 0,
  };
  const samples = body.subarray(packetBytes);
  const expected = head.silent ? 0 : head.frames * channels * 4;
  if (head.frames === 0 || samples.length !== expected || !(head.frame >= 0)) {
    throw new RangeError('a packet has another length than its head says');
  }
  return { ...head, samples: head.silent ? null : samples };
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
      const length = all.readUInt32LE(1);
      if (length > mostBytes) throw new RangeError('a message is longer than any message can be');
      if (all.length < headBytes + length) break;
      // A copy at an address at which samples can be read.
      const body = Buffer.from(new Uint8Array(all.subarray(headBytes, headBytes + length)).buffer);
      const kind = all[0];
      all = all.subarray(headBytes + length);
      this.#onMessage({ kind, body });
    }
    this.#rest = all;
  }
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
