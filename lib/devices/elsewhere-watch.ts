import type { NativeHost } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';
import { askDevices, toPublic, type AudioDevice } from './devices.js';

const periodMs = 500;
// Speech and music have pauses, in which a meter shows nothing.
const pauseMs = 2000;

/** The id that stands for all outputs together. */
export const everyOutput = 'all';

/** Checks regularly at which other outputs programs play, and reports when these outputs have changed. */
export class ElsewhereWatch {
  readonly #host: NativeHost;
  readonly #recorded: () => string | undefined;
  readonly #isWanted: () => boolean;
  readonly #report: (devices: AudioDevice[]) => void;
  /** When each output was last heard, in ns of the host's clock. */
  readonly #heard = new Map<string, bigint>();
  #reported = '';
  #stop: (() => void) | undefined;

  /**
   * @param recorded the id of the output that is recorded; undefined while there is none.
   * @param isWanted whether somebody listens. When nobody does, the watch stops.
   */
  constructor(
    host: NativeHost,
    recorded: () => string | undefined,
    isWanted: () => boolean,
    report: (devices: AudioDevice[]) => void,
  ) {
    this.#host = host;
    this.#recorded = recorded;
    this.#isWanted = isWanted;
    this.#report = report;
  }

  /** Starts the watch again. It then reports the outputs at which programs play already. */
  start(): void {
    this.stop();
    let stopped = false;
    const look = (): void => {
      if (!this.#isWanted()) return this.stop();
      const looking = this.#look(() => stopped || !this.#isWanted())
        // The server is gone, or has no such list. The stream itself reports a server that is gone.
        .catch(() => {})
        .then(() => {
          if (!stopped) cancel = timersOf(this.#host).after(periodMs, look, false);
        });
      timersOf(this.#host).during(looking);
    };
    let cancel = timersOf(this.#host).after(0, look, false);
    this.#stop = () => {
      stopped = true;
      cancel();
    };
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#heard.clear();
    this.#reported = '';
  }

  async #look(isStopped: () => boolean): Promise<void> {
    const recorded = this.#recorded();
    if (recorded === undefined || recorded === everyOutput) return;
    const playing = await this.#host.listPlaying();
    const now = this.#host.now();
    for (const id of playing) this.#heard.set(id, now);
    for (const [id, time] of this.#heard) {
      if (id === recorded || now - time > BigInt(pauseMs) * 1_000_000n) this.#heard.delete(id);
    }
    const ids = JSON.stringify([...this.#heard.keys()].sort());
    if (isStopped() || ids === (this.#reported || '[]')) return;
    const devices = (await askDevices(this.#host)).filter(({ id }) => this.#heard.has(id));
    if (isStopped()) return;
    this.#reported = ids;
    this.#report(devices.map(toPublic));
  }
}
