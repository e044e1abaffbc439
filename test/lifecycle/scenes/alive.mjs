// Keeps its process alive in one way and no other: `node alive.mjs WHAT`.
import { DeviceMonitor, listDevices, LoopbackSource, MicSource, Mixer } from 'patchcord';
import { SpeakerSink, VirtualMicSink } from 'patchcord';

const open = {
  mic: () => new MicSource(),
  loopback: () => new LoopbackSource(),
  speaker: () => new SpeakerSink(),
  virtualMic: () => new VirtualMicSink(),
};

const [what] = process.argv.slice(2);
const [name, how] = what.split('.');
if (name === 'monitor') {
  const monitor = await new DeviceMonitor().ready;
  process.on('exit', () => monitor.close());
} else if (name === 'mixer') {
  new Mixer().createInput();
} else if (name === 'listing') {
  await listDevices();
} else if (name === 'written') {
  // Nothing live, no file, no timer: only bytes that are mixed.
  const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' };
  const mixer = new Mixer();
  let frames = 0;
  mixer.on('data', (chunk) => (frames += chunk.length / 8));
  mixer.on('end', () => console.log(`${frames} frames mixed`));
  for (let i = 0; i < 2; i++) mixer.createInput({ format }).end(Buffer.alloc(8 * 96_000));
} else if (name === 'tail') {
  // The rest of a closed source that a mixer has not mixed yet still arrives.
  const mic = new MicSource();
  const mixer = new Mixer();
  mic.pipe(mixer.createInput());
  mixer.on('data', () => {}).on('end', () => console.log('the mix has ended'));
  await new Promise((resolve) => mixer.once('data', resolve));
  await mic.close();
} else if (name === 'chunks') {
  // Nothing but the mix itself keeps the process alive for its last chunk, which is not full.
  const mixer = new Mixer({ chunkMs: 100 });
  for (const Source of [MicSource, LoopbackSource]) {
    new Source({ durationMs: 530 }).pipe(mixer.createInput());
  }
  let frames = 0;
  for await (const chunk of mixer) frames += chunk.length / 8;
  console.log(
    `${frames} frames mixed, ${mixer.stats().frames - mixer.firstFrame - frames} not read`,
  );
} else {
  const stream = open[name]();
  if (how === 'unref') stream.unref();
  if (how === 'ref') stream.unref().ref();
  await stream.ready;
  if (how === 'close') await stream.close();
  if (how === 'destroy') stream.destroy();
}
console.log('ready');
