import { spawn, type ChildProcess } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { dirname, extname } from 'node:path';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';

import {
  AudioError,
  WavEncoder,
  WavReader,
  WavWriter,
  withFormat,
  type AudioFormat,
  type AudioReadable,
} from '../index.js';

const mostText = 10_000;

/** Whether a name means a WAV file. */
export function isWav(file: string): boolean {
  return extname(file).toLowerCase() === '.wav';
}

/**
 * Writes a stream, or only its next frames, to a file: WAV, or any format that ffmpeg has for its extension, or WAV on
 * standard output (`-`). Resolves when the file is complete.
 */
export async function writeFile(
  stream: AudioReadable,
  file: string,
  frames?: number,
): Promise<void> {
  const input =
    frames === undefined ? stream : withFormat(Readable.from(next(stream, frames)), stream.format);
  if (isWav(file)) {
    await pipeline(input, WavWriter.toFile(file));
  } else if (file === '-') {
    await finished(input.pipe(new WavEncoder()).pipe(process.stdout, { end: false }), {
      writable: false,
      readable: false,
    });
  } else await encode(input, file);
}

async function* next(stream: AudioReadable, frames: number): AsyncGenerator<Buffer> {
  let left = frames;
  for await (const chunk of stream.chunks()) {
    const bytes = chunk.data.length / chunk.frames;
    yield chunk.data.subarray(0, left * bytes);
    left -= chunk.frames;
    if (left <= 0) return;
  }
}

async function encode(stream: Readable, file: string): Promise<void> {
  const output = startFfmpeg(['-y', '-f', 'wav', '-i', 'pipe:0', path(file)], file, [
    'pipe',
    'ignore',
  ]);
  stream.pipe(new WavEncoder()).pipe(output.child.stdin!);
  // The end of ffmpeg says why it no longer reads.
  output.child.stdin!.on('error', () => {});
  await output.ended;
}

/** Checks a path before a device is opened for it. Rejects with Node's own error. */
export async function checkPath(file: string): Promise<void> {
  if (file !== '-') await access(dirname(file), constants.W_OK);
}

/** The audio of a file, of standard input (`-`), or of what ffmpeg decodes. */
export function readFile(file: string, raw: AudioFormat | undefined): Readable {
  if (file === '-' && raw) return withFormat(process.stdin, raw);
  if (file === '-') return process.stdin.pipe(new WavReader());
  if (isWav(file)) return WavReader.fromFile(file);
  if (raw) return withFormat(createReadStream(file), raw);
  const wav = ['-c:a', 'pcm_f32le', '-f', 'wav', 'pipe:1'];
  const { child, ended } = startFfmpeg(['-i', path(file), ...wav], file, ['ignore', 'pipe']);
  return decoded(child, ended);
}

/** A text as speech, from espeak-ng. */
export function speak(text: string, voice: string): Readable {
  const { child, ended } = start('espeak-ng', ['-v', voice, '--stdin', '--stdout'], {
    purpose: 'speech needs espeak-ng',
    remedy: 'Install it (Debian: apt-get install espeak-ng)',
    stdio: ['pipe', 'pipe'],
  });
  child.stdin!.on('error', () => {});
  // Not as an argument, because it could look like an option.
  child.stdin!.end(text);
  return decoded(child, ended);
}

// A failure of the program is the error of the stream.
function decoded(child: ChildProcess, ended: Promise<void>): Readable {
  const reader = child.stdout!.pipe(new WavReader());
  ended.catch((error: Error) => reader.destroy(error));
  return reader;
}

interface Started {
  child: ChildProcess;
  /** Resolves when the program has succeeded. */
  ended: Promise<void>;
}

function startFfmpeg(args: string[], file: string, stdio: ('pipe' | 'ignore')[]): Started {
  return start('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', ...args], {
    purpose: `'${file}' is not a WAV file, and needs ffmpeg`,
    remedy: 'Install ffmpeg, or choose a file name that ends in .wav',
    stdio,
  });
}

function start(
  program: string,
  args: string[],
  { purpose, remedy, stdio }: { purpose: string; remedy: string; stdio: ('pipe' | 'ignore')[] },
): Started {
  // No signal of the terminal reaches it, so that it completes its file after Ctrl-C.
  const child = spawn(program, args, { stdio: [...stdio, 'pipe'], detached: true });
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < mostText) said += text;
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new AudioError('ERR_AUDIO_UNSUPPORTED', purpose, { remedy, cause })),
    );
    child.once('close', (code, signal) => {
      // ffmpeg also succeeds if it cannot write the end of a file. It prints only errors.
      if (code === 0 && said.trim() === '') return resolve();
      const reason =
        said.trim().replace(/\[[^\]]* @ 0x\w+\] /g, '') || `it ended with ${signal ?? code}`;
      reject(new AudioError('ERR_AUDIO_BACKEND', `${program} failed: ${reason}`));
    });
  });
  ended.catch(() => {}); // the caller gets the error too
  return { child, ended };
}

// ffmpeg takes a name with a colon for a protocol, and one that begins with a dash for an option.
function path(file: string): string {
  return `file:${file}`;
}
