import type { AudioSource } from '../sources/audio-source.js';
import type { AudioChunk } from '../streams/chunk-reader.js';
import type { EchoCanceller, EchoCancellerOptions } from '../transforms/echo-canceller.js';

/** How the echo is taken out of the microphone of a meeting. */
export type MeetingEchoOptions = Pick<
  EchoCancellerOptions,
  'suppression' | 'tailMs' | 'referenceChannels'
>;

/** What a feed is made of. */
export interface FeedParts {
  source: AudioSource;
  /** The frame of the meeting at which the source begins. */
  offset: number;
  /** Takes the echo out of the source. */
  canceller?: EchoCanceller | undefined;
}

/** What a feed tells of its life. */
export interface FeedListener {
  /** The frame of the chunk is one of the meeting. */
  took(feed: Feed, chunk: AudioChunk): void;
  /** It has ended; `error`: it has failed. */
  over(feed: Feed, error: Error | undefined): void;
}

/** An open source of one side of a meeting, with what stands behind it, and the loop that reads it. */
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

  /** What is read: the source, or what the canceller makes of it. */
  get stream(): AudioSource | EchoCanceller {
    return this.canceller ?? this.source;
  }

  /** Whether nothing is taken of it any more. */
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

  /** Takes nothing of it any more, and releases the device. */
  leave(): void {
    this.#left = true;
    this.source.destroy();
    this.canceller?.destroy();
  }

  // From its first frame on: the loop begins before the constructor returns.
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
