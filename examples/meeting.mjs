// Records a meeting. It mixes the microphone and what the computer plays, writes the mix to a WAV file and plays it into
// a virtual microphone. It shows level meters, and at the end a report and a picture.
//
//     node examples/meeting.mjs [--seconds 10] [--backend pulse|wasapi|simulated] [--out PLACE]
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';

import { AudioError, captureMeeting, getDefaultDevice, VirtualMicSink } from 'patchcord';

import { Meters } from './meters.mjs';
import { drawRecording } from './recording-picture.mjs';
import { reportLines } from './report.mjs';
import { simulatedRoom } from './simulated-room.mjs';

const usage = `usage: node examples/meeting.mjs [OPTIONS]

  --seconds N      how long to record (default: 10); Ctrl-C ends it earlier
  --backend NAME   pulse, wasapi or simulated (default: the system's own, or simulated if there is none)
  --out PLACE      a folder, or a file that ends in .wav (default: out)`;

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

/** The requested audio system, or else that of the machine, with the devices to record. */
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
  throw new AudioError(
    'ERR_AUDIO_DEVICE_NOT_FOUND',
    `there is no default ${missing === 'microphone' ? missing : 'output'}`,
  );
}

async function record({ name, backend, microphone, speakers }, { seconds, wav }) {
  const stopping = new AbortController();
  // A second signal ends the process as usual.
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopping.abort());
  mkdirSync(dirname(wav), { recursive: true });

  // Created first, so that nothing is lost in the meantime.
  const virtualMic = await openVirtualMic(backend);

  const meeting = captureMeeting({
    // The meeting gets the devices themselves, so that a change of the default has no effect.
    mic: { device: microphone },
    system: { device: speakers },
    format: { sampleRate: 48000, channels: 2, sampleFormat: 'f32' },
    backend,
  });

  const marks = [];
  const mark = (label) => (gap) => marks.push({ label, frame: gap.frame, frames: gap.frames });
  meeting.mic.on('discontinuity', mark('mic'));
  meeting.system.on('discontinuity', mark('system'));
  meeting.mix.on('discontinuity', mark('file'));
  virtualMic?.on('underrun', () => mark('underrun')({ frame: meeting.position }));
  meeting.on('state', ({ side, state }) => {
    if (['muted', 'dead', 'absent', 'denied'].includes(state)) console.log(`${side} is ${state}`);
  });

  const failures = [];
  const written = meeting.toFiles({ mix: wav });
  const outputs = [written, virtualMic && finished(virtualMic)].map((output) =>
    Promise.resolve(output).catch((error) => {
      failures.push(error);
      if (output === written) stopping.abort();
    }),
  );
  if (virtualMic) meeting.liveMix.pipe(virtualMic);

  const stop = () => meeting.close().catch(() => {}); // the file tells why it failed
  stopping.signal.addEventListener('abort', () => void stop());
  if (stopping.signal.aborted) await stop();
  meeting.stopAt(meeting.mix.timeAt(seconds * meeting.format.sampleRate));

  console.log(`microphone  ${microphone.name}\nsystem      ${speakers.name}`);
  if (virtualMic)
    console.log(`virtual     select "${virtualMic.microphone.name}" in other programs`);
  console.log(`recording ${seconds} s, Ctrl-C ends it\n`);

  const latencies = [];
  const meters = new Meters(() => {
    const latency = virtualMic?.stats().latencyMs;
    if (latency !== undefined) latencies.push(latency);
    const { mic, system, mix } = meeting;
    return { microphone: mic.level(), system: system.level(), mix: mix.level() };
  });
  await outputs[0];
  meters.stop();
  await stop();
  await Promise.all(outputs);
  const stats = {
    meeting: meeting.stats(),
    mix: meeting.mix.stats(),
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
      format: meeting.format,
      microphone: virtualMic?.microphone,
      latencies,
      stats,
      failures,
    }).join('\n'),
  );
  return failures.length === 0;
}

/** Opens the virtual microphone. If none is possible, prints what to do and returns undefined. */
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
