// Brings streams to a state and ends the process there in one of several ways:
// `node states.mjs STATE exit|throw|wait`. With `wait` it prints `ready` and is killed from outside.
import { DeviceMonitor, listDevices, LoopbackSource, MicSource, Mixer } from 'patchcord';
import { SpeakerSink, VirtualMicSink } from 'patchcord';

const [state, way] = process.argv.slice(2);

function end() {
  if (way === 'exit') process.exit(7);
  if (way === 'throw') throw new Error('thrown on purpose');
  process.stdout.write('ready\n');
}

const data = (stream) => new Promise((resolve) => stream.once('data', resolve));
const closed = (stream) => new Promise((resolve) => stream.once('close', resolve));

async function meeting() {
  const [mic, loopback, mixer] = [new MicSource(), new LoopbackSource(), new Mixer()];
  const sink = new VirtualMicSink();
  mic.pipe(mixer.createInput());
  loopback.pipe(mixer.createInput());
  mixer.pipe(sink);
  await Promise.all([mic.ready, loopback.ready, sink.ready, data(mixer)]);
  return { mic, loopback, mixer, sink };
}

// Each leaves the streams in its state; what must not be collected is returned.
const states = {
  imported: () => {},
  opening: () => [new MicSource(), new LoopbackSource(), new VirtualMicSink(), new SpeakerSink()],
  ready: async () => {
    const sink = await new VirtualMicSink().ready;
    return [await new MicSource().ready, sink];
  },
  flowing: async () => {
    const mic = new MicSource();
    await data(mic);
    return mic;
  },
  inHandler: () => new Promise((resolve) => new MicSource().on('data', () => resolve(end()))),
  linked: meeting,
  written: async () => {
    const sink = new SpeakerSink({
      format: { sampleRate: 48000, channels: 2, sampleFormat: 's16' },
    });
    await new Promise((resolve) => sink.write(Buffer.alloc(19200), resolve));
    return sink;
  },
  paused: async () => {
    const mic = new MicSource();
    await data(mic);
    return mic.pause();
  },
  closing: async () => {
    const streams = await meeting();
    for (const stream of Object.values(streams)) void stream.close();
    return streams;
  },
  closed: async () => {
    const streams = await meeting();
    const all = Object.values(streams).map(closed);
    await streams.mic.close();
    await streams.loopback.close();
    await Promise.all(all);
  },
  destroyed: async () => {
    const streams = await meeting();
    const all = Object.values(streams).map(closed);
    for (const stream of Object.values(streams)) stream.destroy();
    await Promise.all(all);
  },
  destroying: async () => {
    const streams = await meeting();
    for (const stream of Object.values(streams)) stream.destroy();
    return streams;
  },
  listing: () => void listDevices(),
  monitoring: async () => await new DeviceMonitor().ready,
  failed: async () => {
    const mic = new MicSource({ device: 'no such device' });
    await new Promise((resolve) => mic.once('error', resolve));
    return mic;
  },
};

const kept = await states[state]();
if (state !== 'inHandler') end();
// Until the signal comes.
setInterval(() => kept, 60_000);
