import type { CableUse, NativeHost } from '../engine/native.js';

/**
 * The claim of one stream to the cable that it uses. A virtual speaker and a virtual microphone of one process must not
 * use the same cable, because the microphone would carry what the speaker plays.
 */
export class CableClaim {
  readonly #host: NativeHost;
  readonly #use: CableUse;
  #renderId: string | undefined;
  #ended = false;

  constructor(host: NativeHost, use: CableUse) {
    this.#host = host;
    this.#use = use;
  }

  /** Takes a cable in place of the present one, unless a stream of this process has it for the other use. */
  take(renderId: string): boolean {
    return this.#take(renderId, false);
  }

  /** Takes the cable that the app has selected, whatever uses it. */
  share(renderId: string): void {
    this.#take(renderId, true);
  }

  /** Called when the stream is destroyed. A device that it still finds then is not claimed. */
  end(): void {
    this.#leave();
    this.#ended = true;
  }

  #leave(): void {
    if (this.#renderId !== undefined) this.#host.unclaimCable(this.#renderId, this.#use);
    this.#renderId = undefined;
  }

  #take(renderId: string, isShared: boolean): boolean {
    if (renderId === this.#renderId || this.#ended) return true;
    if (!this.#host.claimCable(renderId, this.#use, isShared)) return false;
    this.#leave();
    this.#renderId = renderId;
    return true;
  }
}
