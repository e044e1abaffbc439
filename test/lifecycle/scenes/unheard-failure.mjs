// An app with an `uncaughtException` handler that awaits nothing of a stream which fails: `node unheard-failure.mjs HOW`.
import { MicSource, SpeakerSink } from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

process.on('uncaughtException', ({ code }) => console.log(code));
const options = { backend: new SimulatedAudio(), device: 'none of these' };
const scenes = {
  source: () => void new MicSource(options).close(),
  sink: () => void new SpeakerSink(options).close(),
  ready() {
    const mic = new MicSource(options);
    void mic.ready.catch(() => {});
    void mic.close();
  },
  later() {
    const mic = new MicSource(options);
    setTimeout(() => void mic.close());
  },
  destroyed() {
    const mic = new MicSource({ ...options, device: 'default' });
    mic.on('ready', () => {
      mic.destroy(Object.assign(new Error('on purpose'), { code: 'ON_PURPOSE' }));
      void mic.close();
    });
  },
};
scenes[process.argv[2]]();
