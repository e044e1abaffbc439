import { spawn, type ChildProcess } from 'node:child_process';

import { native, type NativePushed, type NativeStreamInfo } from '../engine/native.js';
import { AudioError } from '../errors.js';
import { endChild, unrefChild } from './child-life.js';
import type { IsolatedDevice } from './isolated-capture.js';
import type { OpenRequest } from './messages.js';

/** The input devices of FFmpeg, for the systems that this package supports. */
const formats: Partial<Record<NodeJS.Platform, string>> = { linux: 'pulse', win32: 'dshow' };
const oldest = 4;
const startMs = 8000;
const silentMs = 5000;
const idleMs = 100;
// The engine requests fragments of the same length.
const fragmentMs = 10;
const mostText = 2000;

/** Why FFmpeg cannot record here; undefined if it can. Runs it once. */
export async function whyNoFfmpeg(path: string): Promise<string | undefined> {
  const format = formats[process.platform];
  if (!format) return `FFmpeg is not used on ${process.platform}`;
  const listed = await outputOf(path, ['-devices']);
  if (typeof listed !== 'string')
    return `FFmpeg could not be started as ${path}: ${listed.message}`;
  // A version that was built from the sources of a day has a name without a number.
  const version = /ffmpeg version n?(\d+)\.\S*/.exec(listed);
  if (version && Number(version[1]) < oldest) {
    return `${version[0]} is too old, version ${oldest} or later is needed`;
  }
  const has = new RegExp(`^ *D\\S* +${format} `, 'm').test(listed);
  return has ? undefined : `the FFmpeg at ${path} was built without its input device ${format}`;
}

/** One device that FFmpeg holds, and the stream of the engine that its frames go to. */
export class FfmpegCapture implements IsolatedDevice {
  readonly pushed: NativePushed = new (native().Pushed)();
  readonly opened: Promise<NativeStreamInfo>;
  readonly #request: OpenRequest;
  readonly #lost: (error: AudioError) => void;
  readonly #child: ChildProcess;
  readonly #watch: NodeJS.Timeout;
  #settle!: { resolve(info: NativeStreamInfo): void; reject(error: AudioError): void };
  #isOpen = false;
  #isOver = false;
  #ticks = 0;
  #frames = 0;
  #rest: Buffer = Buffer.alloc(0);
  #text = '';

  /** @param name of the device, by which DirectShow finds it. */
  constructor(path: string, name: string, request: OpenRequest, lost: (error: AudioError) => void) {
    this.#request = request;
    this.#lost = lost;
    this.opened = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#child = spawn(path, argumentsFor(name, request), {
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
    });
    const { stdin, stdout, stderr } = this.#child;
    stdout?.on('data', (bytes: Buffer) => this.#receive(bytes));
    stderr?.on(
      'data',
      (bytes: Buffer) => (this.#text = (this.#text + String(bytes)).slice(-mostText)),
    );
    for (const stream of [stdin, stdout, stderr]) stream?.on('error', () => {}); // `exit` reports it
    this.#child.on('error', (error) =>
      this.#fail(`could not be started as ${path}: ${error.message}`),
    );
    this.#child.on('close', (code, signal) => {
      this.#fail(signal ? `was ended by ${signal}` : `ended with the code ${code}`);
    });
    this.#watch = setInterval(() => this.#look(), idleMs);
    unrefChild(this.#child, this.#watch);
  }

  /** FFmpeg sends what it has. */
  collect(): void {}

  flush(): Promise<void> {
    return Promise.resolve();
  }

  select(): void {}

  /** Resolves when the device is free. */
  async close(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#watch);
    await endChild(this.#child, () => this.#child.kill('SIGKILL'));
  }

  // Time that this process itself stood still does not count, so ticks are counted.
  #look(): void {
    const limit = this.#isOpen ? silentMs : startMs;
    if (++this.#ticks * idleMs > limit) return this.#fail('delivers nothing');
    if (this.#isOpen && this.#ticks > 1) this.pushed.idle();
  }

  #receive(bytes: Buffer): void {
    if (this.#isOver) return;
    this.#ticks = 0;
    const { sampleRate, channels } = this.#request;
    if (!this.#isOpen) {
      this.#isOpen = true;
      const format = { sampleRate, channels, sampleFormat: 'f32' } as const;
      this.#settle.resolve(infoOf(format));
      // The stream of the engine opens in the next turns, and the first frames are old.
      return;
    }
    const frameBytes = 4 * channels;
    const all = Buffer.concat([this.#rest, bytes]);
    const frames = Math.floor(all.length / frameBytes);
    this.#rest = all.subarray(frames * frameBytes);
    if (frames === 0) return;
    // A copy at an address at which samples can be read.
    const samples = new Uint8Array(all.subarray(0, frames * frameBytes));
    this.pushed.packet(samples, frames, this.#frames, undefined);
    this.#frames += frames;
  }

  #fail(what: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#watch);
    this.#child.kill('SIGKILL');
    const text = this.#text.trim().split('\n').at(-1) ?? '';
    const error = new AudioError('ERR_AUDIO_DEVICE_LOST', `FFmpeg ${what}${text && `: ${text}`}`);
    if (this.#isOpen) this.#lost(error);
    else this.#settle.reject(error);
  }
}

function argumentsFor(name: string, { deviceId, sampleRate, channels }: OpenRequest): string[] {
  const format = [`-ar`, `${sampleRate}`, '-ac', `${channels}`];
  // FFmpeg would first listen for five seconds to learn what it records.
  const quickly = ['-probesize', '32', '-analyzeduration', '0'];
  // PulseAudio's input device delivers 16 bits. Its own fragments are far longer.
  const fragment = Math.round((sampleRate * fragmentMs) / 1000) * channels * 2;
  const pulse = ['-fragment_size', `${fragment}`, '-sample_rate', `${sampleRate}`];
  const input =
    process.platform === 'win32'
      ? ['-f', 'dshow', '-audio_buffer_size', `${fragmentMs}`, '-i', `audio=${name}`]
      : ['-f', 'pulse', ...pulse, '-channels', `${channels}`, '-i', deviceId];
  const output = [...format, '-f', 'f32le', '-flush_packets', '1', 'pipe:1'];
  return ['-nostdin', '-hide_banner', '-loglevel', 'error', ...quickly, ...input, ...output];
}

function infoOf(format: NativeStreamInfo['format']): NativeStreamInfo {
  const whyNot = 'FFmpeg holds the device';
  return {
    format,
    periodFrames: Math.round((format.sampleRate * fragmentMs) / 1000),
    deviceId: '',
    realtime: false,
    whyNotRealtime: whyNot,
    exclusive: false,
    lowLatency: whyNot,
    raw: whyNot,
    category: whyNot,
    echoReference: whyNot,
    echoCancelled: false,
  };
}

/** The output of a program until its end, or the error of its start. */
function outputOf(path: string, args: string[]): Promise<string | Error> {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => (output += String(text)));
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), startMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve(error);
    });
    child.on('close', () => {
      clearTimeout(timer);
      resolve(output);
    });
  });
}
