// Records a meeting: the microphone and what the computer plays, mixed, spoken into a virtual
// microphone and written to a WAV file, with level meters; at the end a report and a picture.
//
//     node examples/meeting.mjs [--seconds 10] [--backend pulse|wasapi|simulated] [--out PLACE]
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { finished, pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';

import {
  AudioError,
  getDefaultDevice,
  LoopbackSource,
  MicSource,
  Mixer,
  VirtualMicSink,
  WavWriter,
} from 'patchcord';

import { Meters } from './meters.mjs';
import { drawRecording } from './recording-picture.mjs';
import { reportLines } from './report.mjs';
import { simulatedRoom } from './simulated-room.mjs';

const usage = `usage: node examples/meeting.mjs [OPTIONS]

  --seconds N      how long to record; 10. Ctrl-C ends it earlier
  --backend NAME   pulse, wasapi or simulated; the system's own, or simulated if there is none
  --out PLACE      a folder, or a file that ends in .wav; out`;

const options = readOptions();
const room = await openRoom(options.backend);
process.exitCode = (await record(room, options)) ? 0 : 1;

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '10' },
        backend: { type: 'string', default: process.env.PATCHCORD_BACKEND || undefined },
        out: { type: 'string', default: 'out' },
        help: { type: 'boolean' },
      },
    });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    const seconds = Number(values.seconds);
    if (!(seconds > 0))
      throw new Error(`--seconds must be a number above 0, not ${values.seconds}`);
    if (values.backend && !['pulse', 'wasapi', 'simulated'].includes(values.backend)) {
      throw new Error(`--backend must be pulse, wasapi or simulated, not ${values.backend}`);
    }
    const wav = extname(values.out) === '.wav' ? values.out : join(values.out, 'meeting.wav');
    return { seconds, backend: values.backend, wav };
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`);
    process.exit(2);
  }
}

/** The audio system that was asked for, else the one that is there, with the devices to record. */
async function openRoom(wanted) {
  if (wanted === 'simulated') return devicesOf('simulated', simulatedRoom());
  try {
    return await devicesOf(wanted ?? "the system's own audio", wanted);
  } catch (error) {
    const absent = ['ERR_AUDIO_BACKEND_UNAVAILABLE', 'ERR_AUDIO_DEVICE_NOT_FOUND'];
    if (!(error instanceof AudioError) || !absent.includes(error.code)) throw error;
    if (wanted) {
      console.error(error.message);
      process.exit(1);
    }
    console.log(`No audio system to record: ${error.message}\nThe demo runs on a simulated one.\n`);
    return devicesOf('simulated', simulatedRoom());
  }
}

async function devicesOf(name, backend) {
  const [microphone, speakers] = await Promise.all([
    getDefaultDevice('input', 'console', { backend }),
    getDefaultDevice('output', 'console', { backend }),
  ]);
  if (microphone && speakers) return { name, backend, microphone, speakers };
  const missing = microphone ? 'loudspeakers' : 'microphone';
  throw new AudioError('ERR_AUDIO_DEVICE_NOT_FOUND', `there are no default ${missing}`);
}

async function record({ name, backend, microphone, speakers }, { seconds, wav }) {
  const stopping = new AbortController();
  // A second signal ends the process as usual.
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopping.abort());
  mkdirSync(dirname(wav), { recursive: true });

  // First, so that nothing is lost while the microphone is being made.
  const virtualMic = await openVirtualMic(backend);

  // The devices are named, so that a default that changes meanwhile does not matter.
  const durationMs = seconds * 1000;
  const mic = new MicSource({ device: microphone, backend, durationMs });
  const system = new LoopbackSource({ device: speakers, backend, durationMs });
  const mixer = new Mixer();
  const micInput = mixer.createInput();
  const systemInput = mixer.createInput();
  const file = WavWriter.toFile(wav);

  const marks = [];
  const mark = (label, frame, frames) => marks.push({ label, frame, frames });
  // A source's frame is at the same time another frame of the mix.
  const markHole = (source, label) => (hole) => {
    mark(label, mixer.frameAt(source.timeAt(hole.frame)), hole.frames);
  };
  mic.on('discontinuity', markHole(mic, 'mic'));
  system.on('discontinuity', markHole(system, 'system'));
  mixer.on('discontinuity', ({ frame, frames }) => mark('file', frame, frames));
  virtualMic?.on('underrun', () => mark('underrun', mixer.stats().frames));

  const failures = [];
  const outputs = [file, virtualMic].filter(Boolean).map((sink) =>
    finished(sink).catch((error) => {
      failures.push(error);
      if (sink === file) stopping.abort();
    }),
  );
  mixer.pipe(file);
  if (virtualMic) mixer.pipe(virtualMic);
  const inputs = Promise.allSettled([pipeline(mic, micInput), pipeline(system, systemInput)]);

  stopping.signal.addEventListener('abort', () => void Promise.all([mic.close(), system.close()]));
  if (stopping.signal.aborted) await Promise.all([mic.close(), system.close()]);

  console.log(`microphone  ${microphone.name}\nsystem      ${speakers.name}`);
  if (virtualMic)
    console.log(`virtual     select "${virtualMic.microphone.name}" in other programs`);
  console.log(`recording ${seconds} s, Ctrl-C ends it\n`);

  const latencies = [];
  const meters = new Meters(() => {
    const latency = virtualMic?.stats().latencyMs;
    if (latency !== undefined) latencies.push(latency);
    return { microphone: mic.level(), system: system.level(), mix: mixer.level() };
  });
  for (const { reason } of await inputs) if (reason) failures.push(reason);
  meters.stop();
  await mixer.close();
  await Promise.all(outputs);
  const stats = {
    mic: mic.stats(),
    system: system.stats(),
    micInput: micInput.stats(),
    systemInput: systemInput.stats(),
    mixer: mixer.stats(),
    virtualMic: virtualMic?.stats(),
  };

  const picture = wav.replace(/\.wav$/, '.png');
  const title = `${microphone.name} and ${speakers.name}`;
  const drawn = writePicture(picture, await drawRecording(wav, { title, marks }));
  console.log(
    reportLines({
      system: name,
      wav,
      picture: drawn && picture,
      format: mixer.format,
      frames: file.framesWritten,
      microphone: virtualMic?.microphone,
      latencies,
      stats,
      failures,
    }).join('\n'),
  );
  return failures.length === 0;
}

/** Undefined where no virtual microphone is possible; what to do about it has then been said. */
async function openVirtualMic(backend) {
  const sink = new VirtualMicSink({ name: 'patchcord demo', backend });
  sink.on('error', () => {}); // `ready` or `finished` reports it
  try {
    return await sink.ready;
  } catch (error) {
    if (!(error instanceof AudioError)) throw error;
    console.log(`No virtual microphone: ${error.message}\nThe demo records without one.\n`);
    return undefined;
  }
}

function writePicture(path, png) {
  if (png) writeFileSync(path, png);
  return png !== undefined;
}
