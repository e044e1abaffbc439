import type { SourceEvents } from '../sources/source-reports.js';
import { chunkFlags } from '../streams/chunk-flags.js';
import type { AudioChunk } from '../streams/chunk-reader.js';
import type { EchoWarning } from '../transforms/echo-canceller.js';
import { Condition, type SideChange } from './condition.js';
import { Feed, type FeedListener, type FeedParts } from './feed.js';
import { FrameLine } from './frame-line.js';
import type { SideName } from './mixdown.js';
import { Ramp } from './ramp.js';

/** Events of a source that a side passes on, with frames of the meeting. */
export type PassedOn = Pick<
  SourceEvents,
  'deviceChange' | 'rebuild' | 'recovered' | 'discontinuity'
>;

/** The callbacks of a side. */
export interface SideOwner {
  /** Called when there are more frames, or there will be none. */
  advance(): void;
  changed(side: Side, change: SideChange): void;
  /** Called when its source has failed for good, or has ended by itself. */
  lost(side: Side, error: Error | undefined): void;
  passOn<E extends keyof PassedOn>(side: Side, event: E, ...values: PassedOn[E]): void;
  /** Called for frames that arrived after silence had taken their place. */
  late(side: Side, frame: number, frames: number): void;
  /** Called when another source is heard. */
  fed(side: Side): void;
  /** Whether one way after the other is tried to hear the side: a source that fails is one that did not help. */
  isTrying(side: Side): boolean;
  warning(warning: EchoWarning): void;
}

// While a new stream is opened, the old one continues for this long, because the first packets of a device take some
// time.
const overlapMs = 200;

/** One side of a meeting: its source, which may be replaced while the timeline continues, and its frames. */
export class Side {
  readonly name: SideName;
  readonly condition: Condition;
  /** Silences the side in the modes in which it is not heard. */
  readonly gate: Ramp;
  readonly #owner: SideOwner;
  readonly #channels: number;
  readonly #line: FrameLine;
  readonly #listener: FeedListener;
  #feed: Feed;
  /** The next source. The frame at which it takes over is known when it is open. */
  #next: { feed: Feed; from: number; line: FrameLine } | undefined;
  #isOver = false;

  constructor(name: SideName, owner: SideOwner, isHeard: boolean, parts: FeedParts) {
    const { sampleRate, channels } = parts.source.format;
    this.name = name;
    this.gate = new Ramp(isHeard ? 1 : 0);
    this.#owner = owner;
    this.#channels = channels;
    this.#line = new FrameLine(channels);
    this.condition = new Condition(sampleRate, (change) => owner.changed(this, change));
    this.#listener = {
      took: (feed, chunk) => this.#took(feed, chunk),
      over: (feed, error) => this.#ended(feed, error),
    };
    this.#feed = this.#open(parts);
  }

  /** The present source. */
  get feed(): Feed {
    return this.#feed;
  }

  /** The frame after the last one. */
  get end(): number {
    return this.#line.end;
  }

  /** Whether no more frames follow. */
  get isOver(): boolean {
    return this.#isOver;
  }

  read(frame: number, frames: number): { samples: Float32Array; flags: number } {
    const read = this.#line.read(frame, frames);
    this.gate.apply(read.samples, this.#channels);
    return read;
  }

  /** Replaces a source that delivers nothing. */
  replace(parts: FeedParts): void {
    this.#next?.feed.leave();
    this.#next = undefined;
    this.#feed.leave();
    this.#isOver = false;
    this.#feed = this.#open(parts);
    this.#owner.fed(this);
  }

  /** Replaces the source without a gap: the old one continues until the new one is open. */
  relay(parts: FeedParts): void {
    this.#next?.feed.leave();
    const feed = this.#open(parts);
    const next = { feed, from: Infinity, line: new FrameLine(this.#channels) };
    this.#next = next;
    const { source } = parts;
    source.ready.then(
      () => {
        const overlap = (overlapMs * source.format.sampleRate) / 1000;
        next.from = Math.ceil(feed.frameAt(source.host.now()) + overlap);
      },
      () => {}, // its loop reports it
    );
  }

  /** Ends its streams before a frame. */
  stopAt(frame: number): void {
    for (const feed of [this.#feed, this.#next?.feed]) {
      if (feed && !feed.source.destroyed) feed.source.stopAt(frame - feed.offset);
    }
  }

  /** Stops waiting for a device that is not open yet. */
  stopWaiting(): void {
    if (!this.#feed.source.granted) this.#feed.source.destroy();
  }

  /** Releases its devices; resolves when that is done. */
  async close(): Promise<void> {
    const feeds = [this.#feed, ...(this.#next ? [this.#next.feed] : [])];
    this.#isOver = true;
    for (const feed of feeds) feed.leave();
    // A source that failed has reported its error.
    await Promise.all(feeds.map(({ source }) => source.close().catch(() => {})));
  }

  #open(parts: FeedParts): Feed {
    const { source } = parts;
    const feed = new Feed(parts, this.#listener);
    const isHeard = (): boolean => this.#feed === feed;
    const tell = (callback: () => void) => () => {
      if (isHeard()) callback();
    };
    source.ready.then(
      tell(() => this.condition.opened()),
      () => {}, // its loop reports it
    );
    source.on(
      'mute',
      tell(() => this.condition.muted(true)),
    );
    source.on(
      'unmute',
      tell(() => this.condition.muted(false)),
    );
    source.on(
      'alive',
      tell(() => this.condition.alive()),
    );
    source.on('dead', ({ evidence }) => {
      if (isHeard()) this.condition.dead(evidence);
    });
    source.on('rebuild', (event) => {
      if (!isHeard()) return;
      this.condition.gone(event.error);
      this.#owner.passOn(this, 'rebuild', event);
    });
    source.on('recovered', (event) => {
      if (!isHeard()) return;
      this.condition.opened();
      this.#owner.passOn(this, 'recovered', event);
    });
    source.on('deviceChange', (event) => {
      if (isHeard()) this.#owner.passOn(this, 'deviceChange', event);
    });
    source.on('discontinuity', ({ frame, ...rest }) => {
      if (isHeard()) {
        this.#owner.passOn(this, 'discontinuity', { frame: frame + feed.offset, ...rest });
      }
    });
    // At the end of a meeting the warning that the reference has ended has no use.
    feed.canceller?.on('warning', (warning) => {
      if (isHeard() && warning.code !== 'REFERENCE_ENDED') this.#owner.warning(warning);
    });
    return feed;
  }

  #took(feed: Feed, { data, frame, frames, flags }: AudioChunk): void {
    const samples = new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
    if (feed === this.#next?.feed) {
      this.#next.line.add(frame, samples, flags);
    } else if (feed === this.#feed) {
      let peak = 0;
      for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
      const late = this.#line.add(frame, samples, flags);
      const isSound = (flags & (chunkFlags.silence | chunkFlags.hole)) === 0;
      if (late > 0 && isSound) this.#owner.late(this, frame, late);
      this.condition.heard(frames, peak, flags);
    }
    this.#takeOver();
    this.#owner.advance();
  }

  #takeOver(): void {
    const next = this.#next;
    if (!next) return;
    const isDue = this.#line.end >= next.from && next.line.end >= next.from;
    if (!isDue) return;
    this.#next = undefined;
    this.#feed.leave();
    this.#feed = next.feed;
    this.#line.cutOff(next.from);
    const { samples, flags } = next.line.read(next.from, next.line.end - next.from);
    this.#line.add(next.from, samples, flags);
    this.#owner.fed(this);
  }

  #ended(feed: Feed, error: Error | undefined): void {
    if (feed === this.#next?.feed) {
      this.#next = undefined;
      return;
    }
    if (feed !== this.#feed) return;
    this.#isOver = true;
    if (!this.#owner.isTrying(this)) {
      if (error) this.condition.gone(error);
      this.#owner.lost(this, error);
    }
    this.#owner.advance();
  }
}
