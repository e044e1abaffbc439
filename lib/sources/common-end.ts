import type { NativeHost } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';

/** A source, as those see it that end together with it. */
export interface Ending {
  /** The time behind the frames that it has delivered, ns; undefined: none. */
  reached(): bigint | undefined;
}

interface Group {
  readonly open: Set<WeakRef<Ending>>;
  /** The end that was found for each time that was asked for. */
  readonly found: Map<bigint, bigint>;
}

// Audio of an output is delivered before it is heard, and what a reader has cannot be taken back. So the end lies ahead
// of all that any of the streams has, by more than the calls of several `stopAt()` and one more packet take.
const aheadNs = 50_000_000n;

// One of each clock: real streams share the host's.
const groups = new WeakMap<object, Group>();

function groupOf(host: NativeHost): Group {
  const clock = timersOf(host);
  let group = groups.get(clock);
  if (!group) groups.set(clock, (group = { open: new Set(), found: new Map() }));
  return group;
}

/** Counts a source among those that may end together, until it is collected or the returned function is called. */
export function joinEnds(host: NativeHost, source: Ending): () => void {
  const { open } = groupOf(host);
  const reference = new WeakRef(source);
  open.add(reference);
  return () => void open.delete(reference);
}

/** When streams end that are asked to end at a time: the same for all of them, and none has delivered more. */
export function commonEnd(host: NativeHost, at: bigint): bigint {
  const { open, found } = groupOf(host);
  const now = host.now();
  for (const [asked, end] of found) if (end < now) found.delete(asked);
  let end = found.get(at);
  if (end !== undefined) return end;
  end = at;
  for (const reference of open) {
    const source = reference.deref();
    if (!source) open.delete(reference);
    const reached = source?.reached();
    if (reached === undefined) continue;
    const earliest = (reached > now ? reached : now) + aheadNs;
    if (earliest > end) end = earliest;
  }
  found.set(at, end);
  return end;
}
