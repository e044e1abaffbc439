// An app in types only: compiled against the installed package's declarations, as CommonJS and as an ES module.
import { pipeline } from 'node:stream/promises';
import {
  AudioError,
  listDevices,
  LoopbackSource,
  MicSource,
  Mixer,
  Resampler,
  SpeakerSink,
  toFloat32,
  VirtualMicSink,
  WavReader,
  WavWriter,
  type AudioChunk,
  type AudioDevice,
  type AudioFormat,
  type AudioStream,
  type MicOptions,
} from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

const speech: AudioFormat = { sampleRate: 16000, channels: 1, sampleFormat: 's16' };

export async function record(options: MicOptions, backend = new SimulatedAudio()): Promise<bigint> {
  backend.device('mic').play(tone(1000, { gain: 0.5 }));
  const mic: MicSource = await MicSource.open({ ...options, backend });
  mic.on('discontinuity', ({ frames, filled }) => console.log(frames.toFixed(), filled));
  mic.on('data', (chunk) => console.log(chunk.length));
  mic.once('error', (error) => console.log(error instanceof AudioError && error.code));
  const loopback = new LoopbackSource({ backend, device: 'speakers' });
  const mixer = new Mixer({ ...speech, latencyMs: 20 });
  mic.pipe(mixer.createInput({ gain: 0.8 }));
  loopback.pipe(mixer.createInput());
  const sink = mixer.pipe(new VirtualMicSink({ backend, latencyMs: 20 }));
  const device: AudioDevice | undefined = sink.microphone;
  console.log(device?.name);
  const streams: AudioStream[] = [mic, loopback, mixer, sink];
  for (const stream of streams) stream.unref();
  for await (const { data, time } of mic.chunks() as AsyncIterable<AudioChunk>) {
    const samples: Float32Array = toFloat32(data, mic.format);
    if (samples.length > 0) return time;
  }
  await pipeline(WavReader.fromFile('in.wav'), new Resampler(speech), WavWriter.toFile('out.wav'));
  await pipeline(mixer, new SpeakerSink());
  return mic.timeAt(0);
}

export async function names(): Promise<string[]> {
  return (await listDevices({ flow: 'input', backend: 'simulated' })).map((one) => one.name);
}

// These lines must not compile.
export function wrong(): void {
  // @ts-expect-error a name that does not exist
  new MicSource({ gain: 1 });
  // @ts-expect-error no object is a world but a SimulatedAudio
  new MicSource({ backend: {} });
  // @ts-expect-error an option of the wrong type
  new Mixer({ latencyMs: '20' });
}
