import type { Readable, Writable } from 'node:stream';

import { AudioError } from '../errors.js';
import { formatOf, type AudioFormat } from '../format/format.js';
import { allUpstreams } from './links.js';

/** The one stream that is piped into a destination; Node itself keeps no record of it there. */
export class Upstream {
  readonly #destination: Writable;
  #source: Readable | undefined;
  readonly #noted: (Readonly<AudioFormat> | undefined)[] = [];

  constructor(destination: Writable) {
    this.#destination = destination;
    destination.on('pipe', (source: Readable) => this.#attach(source));
    destination.on('unpipe', (source: Readable) => {
      if (source === this.#source) this.#source = undefined;
    });
  }

  /** What is piped in now. */
  get source(): Readable | undefined {
    return this.#source;
  }

  /** The format of what is piped in, as far as it is known. */
  get format(): Readonly<AudioFormat> | undefined {
    return this.#source && formatOf(this.#source);
  }

  /**
   * To be called when bytes are handed over: when they get their turn, which `takeNoted()` tells, the
   * stream that they came from may no longer be piped in.
   */
  note(): void {
    this.#noted.push(this.format);
  }

  /** The format that was known when the chunk whose turn it is was handed over. */
  takeNoted(): Readonly<AudioFormat> | undefined {
    return this.#noted.shift();
  }

  /** Stops the flow, so that the destination can end without a write after its end. */
  detach(): void {
    this.#source?.unpipe(this.#destination);
  }

  #attach(source: Readable): void {
    const destination = this.#destination;
    const { name } = destination.constructor;
    if (this.#source && this.#source !== source) {
      destination.destroy(
        new AudioError('ERR_AUDIO_UNSUPPORTED', `two streams were piped into one ${name}`, {
          remedy: 'Mix them: pipe each into an input of a Mixer, and the Mixer into this',
        }),
      );
    } else if ((source as object) === destination || allUpstreams(source).has(destination)) {
      destination.destroy(
        new AudioError(
          'ERR_AUDIO_GRAPH_CYCLE',
          `piping ${source.constructor.name} into this ${name} would bring its audio back to itself`,
          { remedy: 'Send what is to come back through a stream of its own' },
        ),
      );
    }
    this.#source = source;
  }
}
