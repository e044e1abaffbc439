// Streams that fail while an app awaits one of their promises, and has no `error` listener. Prints what it caught.
import { Gain, MicSource, SpeakerSink, VirtualMicSink, WavWriter } from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

const backend = new SimulatedAudio();
const device = 'no such device';
const format = { sampleRate: 48000, channels: 2, sampleFormat: 's16' };
const scenes = {
  ready: () => new MicSource({ backend, device }).ready,
  sinkReady: () => new SpeakerSink({ backend, device }).ready,
  writerReady: () => new WavWriter('/no/such/folder/a.wav', { format }).ready,
  signal: () => new MicSource({ backend, signal: AbortSignal.abort() }).ready,
  open: () => MicSource.open({ backend, device }),
  sinkOpen: () => VirtualMicSink.open({ backend, device }),
  close: () => new WavWriter('/no/such/folder/a.wav', { format }).close(),
  async partial() {
    const gain = new Gain({ from: format });
    gain.write(Buffer.alloc(3));
    await gain.close();
  },
  async all() {
    const mic = new MicSource({ backend, device });
    await Promise.all([mic.ready, new SpeakerSink({ backend }).ready]);
  },
  // Nobody awaits it, and there is a listener: no unhandledRejection.
  async listener() {
    const writer = new WavWriter('/no/such/folder/a.wav', { format });
    void writer.close();
    throw await new Promise((resolve) => writer.on('error', resolve));
  },
  // Nobody waits for anything: it is an error that nobody handled.
  async nobody() {
    void new MicSource({ backend, device }).ready;
    await new Promise((resolve) => setTimeout(resolve, 3000));
  },
};
try {
  await scenes[process.argv[2]]();
} catch (error) {
  console.log('caught', error.code);
  // An error of a stream comes a turn later.
  await new Promise((resolve) => setTimeout(resolve, 100));
  process.exit();
}
