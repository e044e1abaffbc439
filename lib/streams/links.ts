import type { Readable } from 'node:stream';

import type { AudioStream } from './audio-stream.js';
import type { NativeHost, NativeProducer } from '../engine/native.js';

// How `pipe()` between our own classes becomes a link inside the engine. The symbols are registered,
// so that streams of the ESM and of the CommonJS build link with each other.

/** Marks, as an own property of it, a class whose instances may be linked; a subclass has none. */
export const linkable: unique symbol = Symbol.for('patchcord.linkable') as never;

/** The receiving side of a link. */
export const linkTarget: unique symbol = Symbol.for('patchcord.linkTarget') as never;

/** The giving side of a link: a source, a mixer, a transform in a live path. */
export interface Linkable extends AudioStream {
  readonly producer: NativeProducer;
  /** The audio system by whose clock it runs, if any. */
  readonly host: NativeHost | undefined;
  unpipe(destination?: NodeJS.WritableStream): unknown;
}

/** A stream that may be linked, as its destinations see it. */
export type LinkSource = Readable & Linkable;

/** What a mixer's input, a transform or a sink offers to a stream that is piped into it. */
export interface LinkTarget {
  readonly [linkTarget]: {
    /**
     * Links, or answers why not: then the bytes are copied through JavaScript. Throws where the pipe
     * would be wrong either way.
     *
     * @param end whether the destination ends when the stream has.
     */
    connect(source: LinkSource, end: boolean): string | undefined;
    disconnect(source: LinkSource): void;
  };
}

/** The streams that are piped into this one, for those who look for loops and feedback. */
export const upstreams: unique symbol = Symbol.for('patchcord.upstreams') as never;

/** Of a stream's `upstreams`, those that it listens to but does not pass on: an echo canceller's reference. */
export const unheard: unique symbol = Symbol.for('patchcord.unheard') as never;

export function isLinkTarget(stream: object): stream is LinkTarget {
  return linkTarget in stream;
}

/** A stream into which others may be piped at any time: those downstream want to know. */
export interface Watchable {
  /** `callback` is called when what flows in changes. */
  watch(callback: () => void): void;
  unwatch(callback: () => void): void;
}

export function isWatchable(stream: object): stream is Watchable {
  return 'unwatch' in stream;
}

/** What a stream is, also one of the package's other build, of which `instanceof` knows nothing. */
export const streamKind: unique symbol = Symbol.for('patchcord.streamKind') as never;

/** Only our classes as they are: a subclass may look at the bytes or change them. */
export function isUnsubclassed(stream: object): boolean {
  return Object.hasOwn(stream.constructor, linkable);
}

/**
 * Everything that flows into a stream, by pipes between our classes, the nearest first.
 *
 * @param heard leaves out what is not heard in the stream.
 */
export function allUpstreams(
  stream: object,
  { found = new Set<object>(), heard = false } = {},
): Set<object> {
  const { [upstreams]: near = [], [unheard]: beside = [] } = stream as {
    [upstreams]?: Iterable<object>;
    [unheard]?: object[];
  };
  for (const upstream of near) {
    if (found.has(upstream) || (heard && beside.includes(upstream))) continue;
    found.add(upstream);
    allUpstreams(upstream, { found, heard });
  }
  return found;
}
