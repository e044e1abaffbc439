// Streams whose device is released while somebody could still read them. Nothing else keeps the process alive.
import { MicSource, Mixer } from 'patchcord';

const [what] = process.argv.slice(2);
const mic = await MicSource.open(what === 'duration' ? { durationMs: 300 } : {});
if (what === 'duration') mic.once('data', () => mic.pause());
if (what === 'paused') mic.once('data', () => mic.pause());
if (what === 'readable') mic.on('readable', () => {});
if (what === 'iterator') void mic[Symbol.asyncIterator]().next();
if (what === 'chunks') void mic.chunks().next();
const mixer = new Mixer();
if (what === 'mix') {
  mixer.once('data', () => mixer.pause());
  mic.pipe(mixer.createInput());
}
console.log('ready');
await new Promise((resolve) => setTimeout(resolve, 200));
if (what !== 'duration') await mic.close();
if (what === 'mix') await mixer.close();
console.log('closed');
