import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';

import { Gain, type AudioSink, SpeakerSink, VirtualMicSink, type AudioFormat } from '../index.js';
import { numberOf, sampleFormats, textOf, UsageError, type Command } from './command.js';
import { readFile, speak } from './files.js';
import { clock, meter } from './terminal.js';

export const play: Command = {
  name: 'play',
  summary: 'plays a file, standard input or speech, on loudspeakers or into a virtual microphone',
  usage: 'FILE|- [OPTIONS]',
  options: {
    mic: { type: 'boolean', help: 'plays into a virtual microphone, for other programs to record' },
    name: { type: 'string', value: 'NAME', help: 'the name of that microphone (Linux)' },
    device: { type: 'string', value: 'NAME', help: 'the output (default: that of the system)' },
    say: {
      type: 'string',
      value: 'TEXT',
      help: 'speaks a text with espeak-ng, in place of a file',
    },
    voice: { type: 'string', value: 'NAME', help: 'the voice of espeak-ng (default: en)' },
    gain: { type: 'string', value: 'DB', help: 'a change of the level, such as --gain=-6' },
    raw: { type: 'string', value: 'R,C,T', help: 'samples without a header: rate, channels, type' },
    quiet: { type: 'boolean', help: 'prints only errors' },
  },
  details: `WAV files and standard input (-, WAV) are read by this package, other files by ffmpeg. --raw 16000,1,s16 means
16000 frames per second, one channel, 16-bit integers.`,
  examples: [
    'play jingle.wav',
    'play --mic music.mp3 --name Jukebox',
    'play --mic --say "Good morning"',
    'play - --raw 24000,1,s16 < speech.pcm',
  ],
  async run(invocation) {
    const { positionals, values, backend, terminal } = invocation;
    const text = textOf(invocation, 'say');
    const [file, ...more] = positionals;
    if ((file === undefined) === (text === undefined)) {
      throw new UsageError('play needs either a file or --say');
    }
    if (more.length > 0) throw new UsageError(`play does not take '${more[0]}'`);
    if (values.name !== undefined && values.mic !== true) {
      throw new UsageError('--name is the name of a virtual microphone: use it with --mic');
    }
    if (values.voice !== undefined && text === undefined) {
      throw new UsageError('--voice is for --say');
    }
    const gainDb = numberOf(invocation, 'gain', -60, 24) ?? 0;
    const raw = rawFormat(textOf(invocation, 'raw'));
    const device = textOf(invocation, 'device');
    const name = textOf(invocation, 'name') ?? 'patchcord';
    const audio: Readable =
      text === undefined ? readFile(file, raw) : speak(text, textOf(invocation, 'voice') ?? 'en');
    // The error of a file that does not exist comes before the device is open.
    audio.on('error', () => {});
    const sink: AudioSink =
      values.mic === true
        ? new VirtualMicSink({ backend, name, ...(device !== undefined && { device }) })
        : new SpeakerSink({ backend, ...(device !== undefined && { device }) });
    const playing = pipeline(audio, new Gain({ gain: 10 ** (gainDb / 20) }), sink);
    playing.catch(() => {}); // awaited below
    if (values.quiet !== true) {
      void sink.ready.then(
        () => {
          if (sink instanceof VirtualMicSink) {
            terminal.print(
              `playing; other programs select the microphone '${sink.microphone!.name}'`,
            );
          } else terminal.print(`playing on ${sink.device!.name}`);
          sink.on('warning', ({ message }) => terminal.print(message));
          const seconds = (): number => (sink.stats().playedFrames ?? 0) / sink.format.sampleRate;
          terminal.status(() => `${clock(seconds())}  ${meter(sink.level().rmsDb)}`);
        },
        () => {}, // `playing` rejects too
      );
    }
    process.once('SIGINT', () => process.exit(130));
    try {
      await playing;
    } finally {
      terminal.stop();
    }
    return 0;
  },
};

function rawFormat(text: string | undefined): AudioFormat | undefined {
  if (text === undefined) return undefined;
  const [rate, count, type, ...more] = text.split(',');
  const [sampleRate, channels] = [Number(rate), Number(count)];
  const sampleFormat = sampleFormats.find((one) => one === type);
  const isRate = Number.isInteger(sampleRate) && sampleRate >= 8000 && sampleRate <= 384_000;
  const isCount = Number.isInteger(channels) && channels >= 1 && channels <= 32;
  if (isRate && isCount && sampleFormat && more.length === 0) {
    return { sampleRate, channels, sampleFormat };
  }
  throw new UsageError(`--raw needs rate, channels and type, such as 16000,1,s16, not '${text}'`);
}
