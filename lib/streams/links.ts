import type { Readable } from 'node:stream';

import type { AudioStream } from './audio-stream.js';
import type { NativeHost, NativeProducer } from '../engine/native.js';

// The protocol by which `pipe()` between classes of this package becomes a link inside the engine. The symbols are
// registered, so that streams of the ESM build and of the CommonJS build link with each other.

/** Marks a class whose instances may be linked. It is an own property of the class, so a subclass does not have it. */
export const linkable: unique symbol = Symbol.for('patchcord.linkable') as never;

/** The receiving side of a link. */
export const linkTarget: unique symbol = Symbol.for('patchcord.linkTarget') as never;

/** The sending side of a link: a source, a mixer, or a transform in a live path. */
export interface Linkable extends AudioStream {
  readonly producer: NativeProducer;
  /** The audio system whose clock the stream follows, if any. */
  readonly host: NativeHost | undefined;
  unpipe(destination?: NodeJS.WritableStream): unknown;
}

/** The part of a linkable stream that its destinations use. */
export type LinkSource = Readable & Linkable;

/** The part of a mixer's input, a transform or a sink that a piped stream uses. */
export interface LinkTarget {
  readonly [linkTarget]: {
    /**
     * Links the stream. If that is not possible, returns the reason, and the bytes are copied through JavaScript.
     * Throws if the pipe is not possible at all.
     *
     * @param end whether the destination ends with the stream.
     */
    connect(source: LinkSource, end: boolean): string | undefined;
    disconnect(source: LinkSource): void;
  };
}

/**
 * A method of readables, for a consumer with a deadline that is neither a route nor a reader. The consumer calls the result
 * when it has ended.
 */
export const readInTime: unique symbol = Symbol.for('patchcord.readInTime') as never;

/** The streams that are piped into this one, to detect cycles and feedback. */
export const upstreams: unique symbol = Symbol.for('patchcord.upstreams') as never;

/** The `upstreams` whose audio does not reach the output of a stream, such as an echo canceller's reference. */
export const unheard: unique symbol = Symbol.for('patchcord.unheard') as never;

export function isLinkTarget(stream: object): stream is LinkTarget {
  return linkTarget in stream;
}

/** A stream into which others may be piped at any time. Streams downstream can watch it for changes. */
export interface Watchable {
  /** Calls `callback` when other streams flow in. */
  watch(callback: () => void): void;
  unwatch(callback: () => void): void;
}

export function isWatchable(stream: object): stream is Watchable {
  return 'unwatch' in stream;
}

/** The kind of a stream, also for one of the package's other build, for which `instanceof` fails. */
export const streamKind: unique symbol = Symbol.for('patchcord.streamKind') as never;

/** Whether a stream has a class of this package itself. A subclass may read or change the bytes. */
export function isUnsubclassed(stream: object): boolean {
  return Object.hasOwn(stream.constructor, linkable);
}

/**
 * All streams that flow into a stream, by pipes between classes of this package, the nearest first.
 *
 * @param heard whether to omit streams whose audio does not reach its output.
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
