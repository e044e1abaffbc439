import { extname } from 'node:path';

import {
  captureMeeting,
  LoopbackSource,
  MicSource,
  ProcessSource,
  type AudioReadable,
  type AudioSource,
  type Discontinuity,
  type FormatOptions,
} from '../index.js';
import {
  numberOf,
  oneOf,
  sampleFormats,
  textOf,
  UsageError,
  type Command,
  type Invocation,
} from './command.js';
import { checkPath, writeFile } from './files.js';
import { clock, meter, type Terminal } from './terminal.js';

const kinds = ['mic', 'system', 'program', 'call'] as const;
type Kind = (typeof kinds)[number];

export const record: Command = {
  name: 'record',
  summary: 'records a microphone, what the system plays, a program, or a call',
  usage: 'mic|system|program|call FILE [OPTIONS]',
  options: {
    device: {
      type: 'string',
      value: 'NAME',
      help: 'the microphone; of system: the output, or all',
    },
    output: { type: 'string', value: 'NAME', help: 'of a call: the output to record, or all' },
    program: { type: 'string', value: 'NAME', help: 'the program, by name or process id' },
    tracks: {
      type: 'string',
      value: 'KIND',
      help: 'of a call: mixed, stereo or files (default: mixed)',
    },
    echo: { type: 'boolean', help: 'of a call: removes the echo from the microphone' },
    seconds: { type: 'string', value: 'N', help: 'the length (default: until Ctrl-C)' },
    rate: { type: 'string', value: 'HZ', help: 'the sample rate (default: 48000)' },
    channels: { type: 'string', value: 'N', help: 'the number of channels (default: 2)' },
    format: { type: 'string', value: 'TYPE', help: 's16, s24, s32 or f32 (default: s16)' },
    quiet: { type: 'boolean', help: 'prints only errors' },
  },
  details: `FILE is a WAV file if its name ends in .wav, and otherwise in the format that ffmpeg has for its extension.
With - as FILE the recording is written to standard output, as WAV. With --tracks files, "call.wav" becomes
"call-mic.wav" and "call-system.wav". Ctrl-C ends the recording, and the file is complete.`,
  examples: [
    'record call meeting.wav',
    'record call meeting.wav --tracks files --echo',
    'record mic note.opus --seconds 60',
    'record program game.flac --program Game.exe',
    'record mic - --rate 16000 --channels 1 | whisper',
  ],
  async run(invocation) {
    const [kind, file, ...more] = invocation.positionals;
    if (kind === undefined || file === undefined || file === '') {
      throw new UsageError('record needs a kind and a file');
    }
    if (!isKind(kind)) {
      throw new UsageError(`record needs one of ${kinds.join(', ')}, not '${kind}'`);
    }
    if (more.length > 0) throw new UsageError(`record does not take '${more[0]}'`);
    checkOptions(invocation, kind, file);
    await checkPath(file);
    const { terminal, values } = invocation;
    const recording =
      kind === 'call' ? await call(invocation, file) : await one(invocation, kind, file);
    return follow(recording, terminal, values.quiet === true);
  },
};

/** Files that are being recorded, and what there is to show of them. */
interface Recording {
  title: string;
  streams: Record<string, AudioReadable>;
  seconds: () => number;
  /** The reason why the recording is silent at first, if it is. */
  waitsFor?: string | undefined;
  written: Promise<unknown>;
  stop: () => Promise<unknown>;
}

function isKind(text: string): text is Kind {
  return (kinds as readonly string[]).includes(text);
}

function checkOptions({ values }: Invocation, kind: Kind, file: string): void {
  const owners: Record<string, Kind[]> = {
    device: ['mic', 'system', 'call'],
    output: ['call'],
    program: ['program', 'call'],
    tracks: ['call'],
    echo: ['call'],
  };
  for (const [name, allowed] of Object.entries(owners)) {
    if (values[name] === undefined || allowed.includes(kind)) continue;
    throw new UsageError(`--${name} is not an option of 'record ${kind}'`);
  }
  if (kind === 'program' && values.program === undefined) {
    throw new UsageError("'record program' needs --program");
  }
  if (values.tracks === 'files' && file === '-') {
    throw new UsageError('--tracks files needs the name of a file');
  }
  if (file === '-' && process.stdout.isTTY) {
    throw new UsageError(
      'the recording would be printed on the terminal: redirect standard output',
    );
  }
}

function formatOf(invocation: Invocation): Required<FormatOptions> {
  return {
    sampleRate: numberOf(invocation, 'rate', 8000, 384_000) ?? 48_000,
    channels: numberOf(invocation, 'channels', 1, 32) ?? 2,
    sampleFormat: oneOf(invocation, 'format', sampleFormats) ?? 's16',
  };
}

function programOf(invocation: Invocation): string | number | undefined {
  const program = textOf(invocation, 'program');
  return program !== undefined && /^\d+$/.test(program) ? Number(program) : program;
}

async function one(invocation: Invocation, kind: Kind, file: string): Promise<Recording> {
  const seconds = numberOf(invocation, 'seconds', 0.1, 1e7);
  const device = textOf(invocation, 'device');
  const program = programOf(invocation);
  // As long as a file that a source is piped into may lag behind.
  const options = { backend: invocation.backend, bufferMs: 30_000, ...formatOf(invocation) };
  const source: AudioSource =
    kind === 'mic'
      ? await MicSource.open({ ...options, device })
      : kind === 'system'
        ? await LoopbackSource.open({ ...options, device })
        : await ProcessSource.open({ ...options, process: program!, waitForProcess: true });
  // The file is created when the device is open, so that a failure does not replace an older recording.
  const { sampleRate } = source.format;
  const from = source.stats().frames;
  const frames = seconds === undefined ? undefined : Math.round(seconds * sampleRate);
  const written = writeFile(source, file, frames).then(() => source.close());
  return {
    title: source.device?.name ?? `program ${program}`,
    streams: { [kind]: source },
    seconds: () => (source.stats().frames - from) / sampleRate,
    written,
    stop: () => source.close(),
    ...(kind === 'program' && { waitsFor: waiting(source as ProcessSource, program!) }),
  };
}

async function call(invocation: Invocation, file: string): Promise<Recording> {
  const tracks = oneOf(invocation, 'tracks', ['mixed', 'stereo', 'files']) ?? 'mixed';
  const device = textOf(invocation, 'device');
  const program = programOf(invocation);
  const seconds = numberOf(invocation, 'seconds', 0.1, 1e7);
  const output = textOf(invocation, 'output');
  if (output !== undefined && program !== undefined) {
    throw new UsageError('a call has either --output or --program');
  }
  const meeting = captureMeeting({
    backend: invocation.backend,
    format: formatOf(invocation),
    mic: { device },
    ...(output !== undefined && { system: output === 'all' ? output : { device: output } }),
    ...(program !== undefined && { system: { process: program, waitForProcess: true } }),
    ...(tracks === 'stereo' && { tracks }),
    echo: invocation.values.echo === true,
  });
  await meeting.ready;
  const { mic, system, mix } = meeting;
  const { sampleRate } = meeting.format;
  const from = meeting.position;
  const written =
    tracks === 'files'
      ? Promise.all([
          writeFile(mic!, named(file, 'mic')),
          writeFile(system!, named(file, 'system')),
        ])
      : writeFile(mix, file);
  if (seconds !== undefined) {
    meeting.stopAt(mix.timeAt(from + Math.round(seconds * sampleRate)));
  }
  return {
    title: `${mic!.device!.name} and ${system!.device?.name ?? `program ${program}`}`,
    streams: { mic: mic!, system: system! },
    seconds: () => (meeting.position - from) / sampleRate,
    written,
    stop: () => meeting.close(),
  };
}

// A mistyped name would otherwise go unnoticed.
function waiting(source: ProcessSource, program: string | number): string | undefined {
  if (source.processes.length > 0) return undefined;
  return `${program} does not play: the recording is silent until it does. See 'npx patchcord processes'`;
}

function named(file: string, side: string): string {
  const extension = extname(file);
  return `${file.slice(0, file.length - extension.length)}-${side}${extension}`;
}

async function follow(
  { title, streams, seconds, waitsFor, written, stop }: Recording,
  terminal: Terminal,
  isQuiet: boolean,
): Promise<number> {
  const print = (text: string): void => {
    if (!isQuiet) terminal.print(text);
  };
  let missing = 0;
  for (const [name, stream] of Object.entries(streams)) {
    const { sampleRate } = stream.format;
    stream.on('discontinuity', ({ frame, frames, reason }: Discontinuity) => {
      missing += frames / sampleRate;
      print(`${clock(frame / sampleRate)} ${name}: ${ms(frames / sampleRate)} ms lost (${reason})`);
    });
    const source = stream as AudioSource;
    source.on('deviceChange', ({ to }) => print(`${name}: now ${to?.name ?? 'no device'}`));
    source.on('elsewhere', ({ devices }) => {
      const names = devices.map((one) => `'${one.name}'`).join(', ');
      if (devices.length > 0) print(`${name}: not recorded: programs play on ${names}`);
    });
    source.on('rebuild', ({ error }) => print(`${name}: ${error.message}`));
  }
  let signals = 0;
  const onSignal = (): void => {
    if (++signals > 1) process.exit(130);
    void stop().catch(() => {}); // `written` says why
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  print(`recording ${title}; Ctrl-C ends it`);
  if (waitsFor !== undefined) print(waitsFor);
  if (!isQuiet) {
    const levels = Object.entries(streams);
    terminal.status(() => {
      const meters = levels.map(([name, stream]) => `${name} ${meter(stream.level().rmsDb)}`);
      return [clock(seconds()), ...meters, ...(missing > 0 ? [`${ms(missing)} ms lost`] : [])].join(
        '  ',
      );
    });
  }
  try {
    await written;
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  } finally {
    terminal.stop();
  }
  print(
    `recorded ${clock(Math.round(seconds()))}, ${missing > 0 ? `${ms(missing)} ms lost` : 'nothing lost'}`,
  );
  return 0;
}

function ms(seconds: number): string {
  return (seconds * 1000).toFixed(0);
}
