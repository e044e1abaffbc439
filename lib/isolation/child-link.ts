import { randomBytes } from 'node:crypto';
import type { ChildProcess } from 'node:child_process';

import { AudioError } from '../errors.js';
import { endChild, unrefChild } from './child-life.js';
import { decode, encode, fromRecord, kinds, MessageReader, type Message } from './messages.js';
import { startChild, type ForkFunction } from './start-child.js';

/** The messages of a child after its first one. */
export interface LinkListener {
  message(message: Message): void;
  /** The child has ended, or does not answer any more. The last call. */
  ended(error: AudioError): void;
}

const startMs = 10_000;
// The child sends its state four times a second.
const silentTicks = 5;
const tickMs = 1000;
const mostText = 2000;

/** A child process and its pipes. Nobody else can write into them, because they have no name. */
export class ChildLink {
  readonly #child: ChildProcess;
  readonly #listener: LinkListener;
  readonly #token = randomBytes(16).toString('hex');
  readonly #watch: NodeJS.Timeout;
  #ticks = 0;
  #isGreeted = false;
  #isOver = false;
  #text = '';

  /** @throws `ERR_AUDIO_UNSUPPORTED` */
  constructor(fork: ForkFunction | undefined, listener: LinkListener) {
    this.#listener = listener;
    const child = startChild(fork);
    const { stdin, stdout, stderr } = child;
    if (!stdin || !stdout) {
      child.kill();
      throw new AudioError(
        'ERR_AUDIO_UNSUPPORTED',
        'the child process of isolation: { fork } has no pipes as its standard input and output',
        { remedy: "Start it with stdio: ['pipe', 'pipe', 'pipe']" },
      );
    }
    this.#child = child;
    const reader = new MessageReader((message) => this.#receive(message));
    stdout.on('data', (bytes: Buffer) => {
      try {
        reader.add(bytes);
      } catch (error) {
        this.#fail(`sent something else than audio: ${(error as Error).message}`);
      }
    });
    stderr?.on('data', (bytes: Buffer) => {
      this.#text = (this.#text + String(bytes)).slice(-mostText);
    });
    for (const stream of [stdin, stdout, stderr]) stream?.on('error', () => {}); // `exit` reports it
    child.on('error', (error) => this.#fail(`could not be started: ${error.message}`));
    // After `exit`, bytes may still be in the pipe.
    child.on('close', (code, signal) => {
      this.#fail(signal ? `was ended by ${signal}` : `ended with the code ${code}`);
    });
    // Time that this process itself stood still does not count, so ticks are counted, not seconds.
    const startTicks = startMs / tickMs;
    this.#watch = setInterval(() => {
      if (++this.#ticks > (this.#isGreeted ? silentTicks : startTicks)) {
        this.#fail(this.#isGreeted ? 'does not answer any more' : 'did not begin to answer');
      }
    }, tickMs);
    unrefChild(child, this.#watch);
    stdin.write(encode(kinds.hello, this.#token));
  }

  send(kind: number, body: unknown): void {
    if (!this.#isOver) this.#child.stdin?.write(encode(kind, body));
  }

  /** Ends the child. Resolves when it has ended, so that its device is free. */
  async close(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#watch);
    const child = this.#child;
    let timer: NodeJS.Timeout | undefined;
    await endChild(child, () => {
      timer = setTimeout(() => child.kill('SIGKILL'), 1000);
      // The child ends when its input ends.
      child.stdin?.end();
    });
    clearTimeout(timer);
  }

  #receive(message: Message): void {
    if (this.#isOver) return;
    this.#ticks = 0;
    if (!this.#isGreeted) {
      this.#isGreeted = message.kind === kinds.hello && decode(message) === this.#token;
      if (!this.#isGreeted) this.#fail('is not the one that was started');
      return;
    }
    this.#listener.message(message);
  }

  #fail(what: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#watch);
    this.#child.kill('SIGKILL');
    const text = this.#text.trim();
    this.#listener.ended(
      fromRecord({
        code: 'ERR_AUDIO_DEVICE_LOST',
        message: `The child process that holds the device ${what}${text && `: ${text}`}`,
        details: {},
      }),
    );
  }
}
