import type { AudioFormat } from '../format/format.js';

/** The changes that wait with the written bytes in Node's buffer: their formats, and bytes that `clear()` discarded. */
export class BufferedChanges {
  readonly #formats: { behind: number; format: Readonly<AudioFormat> }[] = [];
  #discard = 0;

  /** Bytes written from now on have this format. Node still buffers `behind` bytes of the format before. */
  setFormat(format: Readonly<AudioFormat>, behind: number): void {
    this.#formats.push({ behind, format });
  }

  /** The bytes that Node buffers now, `behind` of them, are discarded. */
  discard(behind: number): void {
    this.#discard = behind;
    for (const change of this.#formats) change.behind = 0;
  }

  /**
   * Takes a chunk out of Node's buffer, and calls `change` for the formats that begin before it. Returns whether the
   * chunk is discarded.
   */
  take(bytes: number, change: (format: Readonly<AudioFormat>) => void): boolean {
    if (this.#discard > 0) {
      this.#discard -= bytes;
      return true;
    }
    while (this.#formats.length > 0 && this.#formats[0].behind <= 0) {
      change((this.#formats.shift() as { format: AudioFormat }).format);
    }
    for (const waiting of this.#formats) waiting.behind -= bytes;
    return false;
  }
}
