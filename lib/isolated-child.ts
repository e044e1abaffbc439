// The program that holds the device of a source with `isolation: 'process'`. Its standard input and output are pipes to
// the process that has started it; without that process it ends.
import { once } from 'node:events';

import type { BackendName } from './engine/backend.js';
import {
  encode,
  encodePacket,
  kinds,
  MessageReader,
  toRecord,
  type DeviceState,
  type Message,
  type OpenRequest,
} from './isolation/messages.js';
import { chunkFlags, LoopbackSource, MicSource, type AudioSource } from './index.js';

const stateMs = 250;
const { stdin, stdout } = process;
let isGreeted = false;

// Another program that writes to the standard output would disturb the audio.
console.log = console.info = console.debug = console.error;
// The parent has ended, even if it was killed.
for (const event of ['end', 'close', 'error']) stdin.on(event, () => process.exit());
stdout.on('error', () => process.exit());
// The parent decides when this program ends, also if a terminal interrupts both.
process.on('SIGINT', () => {});

const reader = new MessageReader(receive);
stdin.on('data', (bytes: Buffer) => reader.add(bytes));

function receive({ kind, body }: Message): void {
  if (kind === kinds.hello) {
    isGreeted = true;
    stdout.write(encode(kinds.hello, String(body)));
  } else if (kind === kinds.open && isGreeted) {
    capture(JSON.parse(String(body)) as OpenRequest).catch((error: unknown) => {
      stdout.write(encode(kinds.failed, toRecord(error)));
    });
  }
}

async function capture(request: OpenRequest): Promise<void> {
  const source = open(request);
  // The loop over the chunks reports it.
  source.on('error', () => {});
  setInterval(() => stdout.write(encode(kinds.state, stateOf(source))), stateMs);
  await source.ready;
  stdout.write(encode(kinds.opened, source.streamInfo as object));
  for await (const { data, frame, frames, time, flags } of source.chunks()) {
    // A later position shows the parent that they were lost.
    if (flags & (chunkFlags.hole | chunkFlags.lost)) continue;
    const silent = (flags & chunkFlags.silence) !== 0 && data.every((byte) => byte === 0);
    if (!stdout.write(encodePacket({ frame, frames, time, silent }, data))) {
      await once(stdout, 'drain');
    }
  }
}

function open({ loopback, deviceId, options, backend, ...format }: OpenRequest): AudioSource {
  const { exclusive, lowLatency, raw, category } = options;
  const { sampleRate, channels, maxWaitMs } = format;
  const given = {
    device: deviceId,
    sampleRate,
    channels,
    sampleFormat: 'f32',
    maxWaitMs,
    // While the parent's event loop is blocked, the audio waits here.
    bufferMs: 60_000,
    // The frames of an incomplete chunk wait for the rest, which is latency.
    chunkMs: lowLatency ? 2 : 4,
    lowLatency,
    // The parent finds a device again.
    recover: false,
    ...(backend !== undefined && { backend: backend as BackendName }),
  } as const;
  if (loopback) return new LoopbackSource(given);
  const shareMode = exclusive ? 'exclusive' : 'shared';
  return new MicSource({ ...given, shareMode, raw, category: category as 'other' });
}

function stateOf(source: AudioSource): DeviceState {
  const { deviceVolume, devicePeakDb } = source.stats();
  return {
    muted: source.muted,
    ...(deviceVolume !== undefined && { volume: deviceVolume }),
    ...(devicePeakDb !== undefined && { peakDb: devicePeakDb }),
  };
}
