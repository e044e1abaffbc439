// Streams that fail while an app awaits one of their promises, and has no `error` listener. Prints what it caught.
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import { Gain, MicSource, SpeakerSink, VirtualMicSink, WavReader, WavWriter } from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

const backend = new SimulatedAudio();
const device = 'no such device';
const format = { sampleRate: 48000, channels: 2, sampleFormat: 's16' };
const file = '/no/such/folder/a.wav';
const thisFile = fileURLToPath(import.meta.url);
const afterMs = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const scenes = {
  ready: () => new MicSource({ backend, device }).ready,
  sinkReady: () => new SpeakerSink({ backend, device }).ready,
  writerReady: () => new WavWriter(file, { format }).ready,
  signal: () => new MicSource({ backend, signal: AbortSignal.abort() }).ready,
  open: () => MicSource.open({ backend, device }),
  sinkOpen: () => VirtualMicSink.open({ backend, device }),
  close: () => new WavWriter(file, { format }).close(),
  readerClose: () => WavReader.fromFile(file).close(),
  micClose: () => new MicSource({ backend, device }).close(),
  destroyed() {
    const gain = new Gain({ from: format });
    gain.destroy(Object.assign(new Error('the app failed it'), { code: 'ERR_OF_THE_APP' }));
    return gain.close();
  },
  destroyedLater() {
    const mic = new MicSource({ backend });
    const closed = mic.close();
    mic.destroy(Object.assign(new Error('the app failed it'), { code: 'ERR_OF_THE_APP' }));
    return closed;
  },
  async partial() {
    const gain = new Gain({ from: format });
    gain.write(Buffer.alloc(3));
    await gain.close();
  },
  async all() {
    const mic = new MicSource({ backend, device });
    await Promise.all([mic.ready, new SpeakerSink({ backend }).ready]);
  },
  // A pipe listens to its destination's errors, and emits them again if nobody else listens.
  pipe: () => new MicSource({ backend }).pipe(new WavWriter(file)).ready,
  nodePipe: () => createReadStream(thisFile).pipe(new WavWriter(file, { format })).ready,
  readerPipe: () => WavReader.fromFile(thisFile).ready,
  transformPipe: () =>
    new MicSource({ backend }).pipe(new Gain()).pipe(new WavWriter(file)).close(),
  linkedSink: () => new MicSource({ backend }).pipe(new SpeakerSink({ backend, device })).ready,
  copiedSink: () =>
    createReadStream(thisFile).pipe(new SpeakerSink({ backend, device, format })).ready,
  async played() {
    const second = Readable.from([Buffer.alloc(4 * 48000)]);
    const sink = second.pipe(new SpeakerSink({ backend, format }));
    await sink.ready;
    const played = sink.played();
    setTimeout(() => sink.destroy(Object.assign(new Error('mine'), { code: 'MINE' })), 10);
    await played;
  },
  async onceBehindPipe() {
    const writer = new MicSource({ backend }).pipe(new WavWriter(file));
    throw await new Promise((resolve) => writer.once('error', resolve));
  },
  // It is not awaited, and there is a listener: no unhandledRejection.
  async listener() {
    const writer = new WavWriter(file, { format });
    void writer.close();
    throw await new Promise((resolve) => writer.on('error', resolve));
  },
  // Nothing is awaited: the error is unhandled.
  async nobody() {
    void new MicSource({ backend, device }).ready;
    await afterMs(3000);
  },
  async nobodyBehindPipe() {
    void new MicSource({ backend }).pipe(new WavWriter(file)).ready;
    await afterMs(3000);
  },
  async nobodyBehindNodePipe() {
    createReadStream(thisFile).pipe(new WavWriter(file, { format }));
    await afterMs(3000);
  },
};
try {
  await scenes[process.argv[2]]();
} catch (error) {
  console.log('caught', error.code);
  // An error of a stream comes a turn later.
  await afterMs(100);
  process.exit();
}
