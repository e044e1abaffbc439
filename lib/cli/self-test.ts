import {
  LoopbackSource,
  SpeakerSink,
  ToneSource,
  VirtualSpeakerSource,
  type AudioSource,
  type BackendName,
} from '../index.js';

const frequency = 1000;
const sampleRate = 48_000;
const windowFrames = 9600; // whole periods
const settleFrames = 4800;
const giveUpMs = 5000;

/** The result of a test with a tone of 1000 Hz at -12 dBFS. */
export interface Heard {
  /** Which way the tone took. */
  way: string;
  levelDb: number;
  snrDb: number;
}

/**
 * Plays a tone, and measures what a source records. The tone goes through a new virtual output where the system can create
 * one, and otherwise through a simulation, so that it is not audible.
 */
export async function selfTest(
  backend: BackendName | undefined,
  isReached: boolean,
): Promise<Heard> {
  const isReal = isReached && process.platform === 'linux' && backend !== 'simulated';
  const format = { sampleRate, channels: 1, sampleFormat: 'f32' } as const;
  const source: AudioSource = isReal
    ? await VirtualSpeakerSource.open({
        ...format,
        backend,
        name: 'patchcord doctor',
      })
    : await LoopbackSource.open({ ...format, backend: 'simulated' });
  try {
    const device = source.device!;
    const sink = new SpeakerSink({
      backend: isReal ? backend : 'simulated',
      device,
      allowFeedback: true,
    });
    const tone = new ToneSource({ ...format, frequency, gain: 10 ** (-12 / 20) });
    tone.pipe(sink);
    try {
      const way = isReal ? `a virtual speaker of ${device.driver ?? 'the system'}` : 'a simulation';
      return { way, ...measure(await collect(source)) };
    } finally {
      tone.destroy();
      sink.destroy();
    }
  } finally {
    await source.close();
  }
}

// The window begins after the first sound.
async function collect(source: AudioSource): Promise<Float32Array> {
  const samples = new Float32Array(windowFrames);
  let after = -1;
  const timer = setTimeout(
    () => source.destroy(new Error('no sound arrived within 5 s')),
    giveUpMs,
  );
  try {
    for await (const chunk of source.chunks()) {
      if (after < 0 && chunk.samples.every((sample) => sample === 0)) continue;
      for (const sample of chunk.samples) {
        if (++after < settleFrames) continue;
        if (after - settleFrames === windowFrames) return samples;
        samples[after - settleFrames] = sample;
      }
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Error('the stream ended before the tone arrived');
}

function measure(samples: Float32Array): { levelDb: number; snrDb: number } {
  let [sin, cos, power] = [0, 0, 0];
  samples.forEach((sample, k) => {
    const angle = (2 * Math.PI * frequency * k) / sampleRate;
    sin += sample * Math.sin(angle);
    cos += sample * Math.cos(angle);
    power += sample * sample;
  });
  const amplitude = (2 * Math.hypot(sin, cos)) / samples.length;
  const tone = (amplitude * amplitude) / 2;
  const rest = Math.max(power / samples.length - tone, 1e-20);
  return { levelDb: 20 * Math.log10(amplitude), snrDb: 10 * Math.log10(tone / rest) };
}
