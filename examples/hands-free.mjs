// A call without headphones: the virtual microphone carries your voice without the sound of the loudspeakers.
//
//     node examples/hands-free.mjs [--mic NAME] [--speakers NAME] [--seconds 3600] [--stereo] [--device OUTPUT]
import { parseArgs } from 'node:util';

import { EchoCanceller, LoopbackSource, MicSource } from 'patchcord';

import { fail, openVirtualMic } from './open-virtual-mic.mjs';

const { values } = parseArgs({
  options: {
    mic: { type: 'string' },
    speakers: { type: 'string' },
    seconds: { type: 'string', default: '3600' },
    stereo: { type: 'boolean', default: false },
    device: { type: 'string' },
  },
});

// Open the microphone first, so that the virtual one is not taken for the default.
const mic = await MicSource.open({
  device: values.mic,
  channels: 1,
  durationMs: Number(values.seconds) * 1000,
}).catch(fail);
const reference = await LoopbackSource.open({ device: values.speakers }).catch(fail);
const sink = await openVirtualMic({ name: 'Hands-free', device: values.device });

const canceller = new EchoCanceller({ reference, referenceChannels: values.stereo ? 2 : 1 });
canceller.on('warning', ({ message }) => console.error(`Careful: ${message}`));
mic.pipe(canceller).pipe(sink);

const report = setInterval(() => {
  const { converged, erleDb, delayMs, doubleTalk } = canceller.stats();
  const echo = `echo ${erleDb.toFixed(0)} dB lower, ${delayMs.toFixed(0)} ms behind the loudspeakers`;
  console.log(converged ? echo : 'no echo found', doubleTalk ? '(both talk)' : '');
}, 2000);
sink.once('close', () => clearInterval(report));
canceller.once('end', () => void reference.close());
