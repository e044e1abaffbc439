// Plays a steady tone into a virtual microphone. This is the simplest way to test that another program records it.
//
//     node examples/tone.mjs [--frequency 440] [--db -12] [--seconds 30] [--device OUTPUT]
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';

import { ToneSource } from 'patchcord';

import { openVirtualMic } from './open-virtual-mic.mjs';

const { values } = parseArgs({
  options: {
    frequency: { type: 'string', default: '440' },
    db: { type: 'string', default: '-12' },
    seconds: { type: 'string', default: '30' },
    device: { type: 'string' },
  },
});

const tone = new ToneSource({
  frequency: Number(values.frequency),
  gain: 10 ** (Number(values.db) / 20),
  durationMs: Number(values.seconds) * 1000,
});
const sink = await openVirtualMic({ name: 'Tone', device: values.device });
await finished(tone.pipe(sink));
