// Records a microphone, a loopback and their mix into three WAV files until SIGINT; for ../recording.mjs.
//
//     node bench/parts/records.mjs FOLDER
import { join } from 'node:path';
import process from 'node:process';

import { LoopbackSource, MicSource, Mixer, WavWriter } from 'patchcord';

const [folder] = process.argv.slice(2);
const sources = {
  mic: new MicSource({ device: 'mic' }),
  loopback: new LoopbackSource({ device: 'speakers' }),
};
const mixer = new Mixer();
for (const source of Object.values(sources)) source.pipe(mixer.createInput());
for (const [name, stream] of Object.entries({ ...sources, mix: mixer })) {
  stream.pipe(new WavWriter(join(folder, `${name}.wav`)));
}
process.once('SIGINT', () => {
  for (const source of Object.values(sources)) void source.close();
});
