// Changes your voice with your own Transform: the virtual microphone sounds like a robot.
//
//     node examples/voice-changer.mjs [--frequency 50] [--seconds 60] [--mic NAME] [--device OUTPUT]
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';

import { MicSource, withFormat } from 'patchcord';

import { fail, openVirtualMic } from './open-virtual-mic.mjs';

const { values } = parseArgs({
  options: {
    frequency: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '60' },
    mic: { type: 'string' },
    device: { type: 'string' },
  },
});

/** Multiplies the voice by a sine (ring modulation). */
class RingModulator extends Transform {
  #frame = 0;
  #step;

  constructor(frequency, sampleRate) {
    super({ readableObjectMode: true }); // otherwise Node.js merges waiting chunks
    this.#step = (2 * Math.PI * frequency) / sampleRate;
  }

  _transform(bytes, _encoding, done) {
    const samples = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let i = 0; i < samples.length; i++) samples[i] *= Math.sin(this.#step * this.#frame++);
    done(null, bytes);
  }
}

// Open the virtual microphone first, so that it is not taken for the default microphone.
const sink = await openVirtualMic({ name: 'Robot', device: values.device, latencyMs: 40 });
const mic = new MicSource({
  device: values.mic,
  channels: 1,
  durationMs: Number(values.seconds) * 1000,
});
// A Transform of another package has no format, so declare it.
const robot = withFormat(new RingModulator(Number(values.frequency), 48000), mic.format);
await pipeline(mic, robot, sink).catch(fail);
