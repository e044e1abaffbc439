import type { Readable, Writable } from 'node:stream';

import { refusal } from '../engine/refusal.js';
import { AudioError } from '../errors.js';
import { formatOf, type AudioFormat } from '../format/format.js';
import { allUpstreams } from './links.js';

/** The one stream that is piped into a destination. Node keeps no record of it in the destination. */
export class Upstream {
  readonly #destination: Writable;
  #source: Readable | undefined;
  #lastFormat: Readonly<AudioFormat> | undefined;
  readonly #noted: (Readonly<AudioFormat> | undefined)[] = [];

  constructor(destination: Writable) {
    this.#destination = destination;
    destination.on('pipe', (source: Readable) => this.#attach(source));
    destination.on('unpipe', (source: Readable) => {
      if (source !== this.#source) return;
      this.#lastFormat = formatOf(source);
      this.#source = undefined;
    });
  }

  /** The stream that is piped in now. */
  get source(): Readable | undefined {
    return this.#source;
  }

  /** The format of the stream that is piped in, if it is known. */
  get format(): Readonly<AudioFormat> | undefined {
    return this.#source && formatOf(this.#source);
  }

  /**
   * The format of the stream that is piped in, or else of the one that was piped in last. `pipeline()` unpipes a stream
   * before it ends the destination.
   */
  get lastFormat(): Readonly<AudioFormat> | undefined {
    return this.format ?? this.#lastFormat;
  }

  /**
   * Must be called when bytes are written. When they are processed, and `takeNoted()` is called, their stream may no
   * longer be piped in.
   */
  note(): void {
    this.#noted.push(this.format);
  }

  /** For a write that threw: the chunk is never processed. */
  forgetNoted(): void {
    this.#noted.pop();
  }

  /** The format that was known when the present chunk was written. */
  takeNoted(): Readonly<AudioFormat> | undefined {
    return this.#noted.shift();
  }

  /** Stops the flow, so that the destination can end without a write after its end. */
  detach(): void {
    this.#source?.unpipe(this.#destination);
  }

  #attach(source: Readable): void {
    const error =
      this.#source && this.#source !== source
        ? secondStream(this.#destination)
        : isCycle(source, this.#destination)
          ? cycle(source, this.#destination)
          : undefined;
    if (error) {
      // Node emits `pipe` when everything is connected, so pipe() throws this exception.
      source.unpipe(this.#destination);
      throw refusal(source, this.#destination, error);
    }
    this.#source = source;
  }
}

/** The error for a second stream that is piped into a destination. */
export function secondStream(destination: Writable): AudioError {
  return new AudioError(
    'ERR_AUDIO_UNSUPPORTED',
    `a second stream was piped into a ${destination.constructor.name}, which takes one at a time`,
    { remedy: 'Mix them: create an input for each stream with Mixer.createInput()' },
  );
}

/** Whether the destination's audio already flows into the source. */
export function isCycle(source: Readable, destination: Writable): boolean {
  return (source as object) === destination || allUpstreams(source).has(destination);
}

export function cycle(source: Readable, destination: Writable): AudioError {
  return new AudioError(
    'ERR_AUDIO_GRAPH_CYCLE',
    `piping this ${source.constructor.name} into this ${destination.constructor.name} would bring its audio back to itself`,
    { remedy: 'Use a separate stream for the audio that returns' },
  );
}
