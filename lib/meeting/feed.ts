import type { AudioSource } from '../sources/audio-source.js';
import type { AudioChunk } from '../streams/chunk-reader.js';
import type { EchoCanceller, EchoCancellerOptions } from '../transforms/echo-canceller.js';

/** Options for removing the echo from the microphone of a meeting. */
export type MeetingEchoOptions = Pick<
  EchoCancellerOptions,
  'suppression' | 'tailMs' | 'referenceChannels'
>;

/** The parts of a feed. */
export interface FeedParts {
  source: AudioSource;
  /** The frame of the meeting at which the source begins. */
  offset: number;
  /** Removes the echo from the source. */
  canceller?: EchoCanceller | undefined;
}

/** The callbacks of a feed. */
export interface FeedListener {
  /** Called for each chunk, whose `frame` is an index of the meeting. */
  took(feed: Feed, chunk: AudioChunk): void;
  /** Called when the feed has ended, with the `error` if it has failed. */
  over(feed: Feed, error: Error | undefined): void;
}

/** An open source of one side of a meeting, with its echo canceller, and the loop that reads it. */
export class Feed {
  readonly source: AudioSource;
  readonly offset: number;
  readonly canceller: EchoCanceller | undefined;
  readonly #listener: FeedListener;
  #error: Error | undefined;
  #left = false;

  constructor({ source, offset, canceller }: FeedParts, listener: FeedListener) {
    this.source = source;
    this.offset = offset;
    this.canceller = canceller;
    this.#listener = listener;
    if (canceller) source.pipe(canceller);
    source.on('error', (error) => {
      this.#error ??= error;
      this.canceller?.destroy();
    });
    void this.#read();
  }

  /** The stream that the loop reads: the source or the canceller. */
  get stream(): AudioSource | EchoCanceller {
    return this.canceller ?? this.source;
  }

  /** Whether the loop has stopped reading it. */
  get left(): boolean {
    return this.#left;
  }

  /** When a frame of the meeting is, or was, heard. */
  timeAt(frame: number): bigint {
    return this.source.timeAt(frame - this.offset);
  }

  /** The frame of the meeting that is heard at a time. */
  frameAt(time: bigint): number {
    return this.source.frameAt(time) + this.offset;
  }

  /** Stops reading, and releases the device. */
  leave(): void {
    this.#left = true;
    this.source.destroy();
    this.canceller?.destroy();
  }

  // The loop begins before the constructor returns, so that it reads from the first frame on.
  async #read(): Promise<void> {
    try {
      for await (const chunk of this.stream.chunks()) {
        if (this.#left) return;
        this.#listener.took(this, { ...chunk, frame: chunk.frame + this.offset });
      }
    } catch (error) {
      this.#error ??= error as Error;
    }
    if (!this.#left) this.#listener.over(this, this.#error);
  }
}

/** How far a meeting may fall behind its devices while the event loop is blocked. */
export const bufferMs = 30_000;
