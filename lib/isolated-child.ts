// The program that holds the device of a source with `isolation: 'process'`. Its standard input and output are pipes to
// the process that has started it; without that process it ends.
import { writeSync } from 'node:fs';

import type { BackendName } from './engine/backend.js';
import type { NativeSelection, NativeStreamInfo, NativeTap } from './engine/native.js';
import {
  decode,
  encode,
  kinds,
  MessageReader,
  PacketMessage,
  toRecord,
  type DeviceState,
  type Message,
  type OpenRequest,
} from './isolation/messages.js';
import {
  chunkFlags,
  LoopbackSource,
  MicSource,
  ProcessSource,
  type AudioSource,
  type SourceOptions,
} from './index.js';

const stateMs = 250;
// While the parent's event loop is blocked, the audio waits here.
const bufferMs = 60_000;
// The longest packet. The parent asks for such packets if it has time.
const mostMs = 100;
// Shorter packets of the device wait for the next one, unless the stream has the shortest period.
const leastMs = 4;
const { stdin, stdout } = process;
let isGreeted = false;
/** Whether the parent does not read. */
let isFull = false;
let packets: Packets | undefined;
let programs: SelectedPrograms | undefined;

// Another program that writes to the standard output would disturb the audio.
console.log = console.info = console.debug = console.error;
// The parent has ended, even if it was killed.
for (const event of ['end', 'close', 'error']) stdin.on(event, () => process.exit());
stdout.on('error', () => process.exit());
stdout.on('drain', () => {
  isFull = false;
  packets?.send();
});
// The parent decides when this program ends, also if a terminal interrupts both.
process.on('SIGINT', () => {});

const reader = new MessageReader(receive);
stdin.on('data', (bytes: Buffer) => reader.add(bytes));

function receive(message: Message): void {
  const { kind } = message;
  if (kind === kinds.hello) {
    isGreeted = true;
    send(encode(kinds.hello, decode(message)));
  } else if (kind === kinds.open && isGreeted) {
    capture(decode(message) as OpenRequest).catch(failed);
  } else if (kind === kinds.select) {
    programs?.select(decode(message) as NativeSelection);
  } else if (kind === kinds.collect) {
    packets?.collect(decode(message) as number);
  } else if (kind === kinds.flush) {
    packets?.send(0);
    send(encode(kinds.flush, null));
  }
}

function failed(error: unknown): void {
  send(encode(kinds.failed, toRecord(error)));
}

async function capture(request: OpenRequest): Promise<void> {
  const source = open(request);
  source.on('error', failed);
  setInterval(() => send(encode(kinds.state, stateOf(source))), stateMs);
  await source.ready;
  send(encode(kinds.opened, source.streamInfo));
  packets = new Packets(source);
  packets.send();
}

/** Captures the programs that the parent selects. */
class SelectedPrograms extends ProcessSource {
  readonly #first: NativeSelection;

  constructor(options: SourceOptions, first: NativeSelection) {
    super({ ...options, device: undefined, process: 0 });
    this.#first = first;
  }

  select(selection: NativeSelection): void {
    this.producer.selectProcesses(selection).catch(failed);
  }

  protected override openTarget(): Promise<NativeStreamInfo> {
    return this.openPrograms(this.#first);
  }

  protected override attended(): void {
    for (const event of this.producer.takeTaps()) send(encode(kinds.tap, event));
  }
}

/** Sends the frames of a source as soon as they are there: a packet of the device, or several short ones. */
class Packets {
  readonly #label = new Float64Array(4);
  readonly #tap: NativeTap;
  readonly #frameBytes: number;
  readonly #message: PacketMessage;
  readonly #framesIn: (ms: number) => number;
  readonly #usual: number;
  #least: number;

  constructor(source: AudioSource) {
    const { sampleRate, channels } = source.format;
    const framesIn = (ms: number): number => Math.ceil((sampleRate * ms) / 1000);
    this.#framesIn = framesIn;
    this.#frameBytes = 4 * channels;
    this.#message = new PacketMessage(framesIn(mostMs) * this.#frameBytes);
    this.#usual = source.granted?.lowLatency ? 1 : framesIn(leastMs);
    this.#least = this.#usual;
    this.#tap = source.openTap(framesIn(bufferMs), this.#label, () => this.send());
  }

  collect(ms: number): void {
    this.#least = Math.max(this.#usual, this.#framesIn(ms));
    this.send();
  }

  send(least = this.#least): void {
    const { samples } = this.#message;
    while (!isFull) {
      const frames = this.#tap.read(samples, least);
      if (!frames) return;
      const [frame, time, flags] = this.#label;
      // A later position shows the parent that they were lost.
      if (flags & (chunkFlags.hole | chunkFlags.lost)) continue;
      const bytes = samples.subarray(0, frames * this.#frameBytes);
      const isSilent = (flags & chunkFlags.silence) !== 0 && bytes.every((byte) => byte === 0);
      send(this.#message.encode({ frame, frames, time, samples: isSilent ? null : bytes }));
    }
  }
}

/** Writes at once if the pipe has room, without the cost of a stream. */
function send(message: Buffer): void {
  let written = 0;
  if (stdout.writableLength === 0) {
    try {
      written = writeSync(stdout.fd, message);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') process.exit();
    }
  }
  // The memory of a packet is used again.
  if (written < message.length) isFull = !stdout.write(Buffer.from(message.subarray(written)));
}

function open({ loopback, deviceId, options, backend, ...rest }: OpenRequest): AudioSource {
  const { exclusive, api, lowLatency, raw, category, echoReference } = options;
  const { sampleRate, channels, maxWaitMs } = rest;
  const given = {
    sampleRate,
    channels,
    sampleFormat: 'f32',
    maxWaitMs,
    lowLatency,
    // The parent finds a device again.
    recover: false,
    ...(backend !== undefined && { backend: backend as BackendName }),
  } as const;
  if (rest.programs) return (programs = new SelectedPrograms(given, rest.programs));
  if (loopback) return new LoopbackSource({ ...given, device: deviceId });
  const shareMode = exclusive ? 'exclusive' : 'shared';
  return new MicSource({
    ...given,
    device: deviceId,
    shareMode,
    api: api as 'mme' | undefined,
    raw,
    category: category as 'other',
    echoReference,
  });
}

function stateOf(source: AudioSource): DeviceState {
  const { deviceVolume, devicePeakDb } = source.stats();
  return {
    muted: source.muted,
    ...(deviceVolume !== undefined && { volume: deviceVolume }),
    ...(devicePeakDb !== undefined && { peakDb: devicePeakDb }),
  };
}
