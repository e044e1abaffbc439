import { AsyncResource } from 'node:async_hooks';

import type { NativeHost } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';

// How long programs may take until they play again after their output was made anew.
const returnWithinMs = 60_000;

/**
 * The programs that play to an output which was made. When it goes, the system moves them to another output; when it
 * has been made anew, they are moved back to it.
 */
export class PlayingPrograms {
  readonly #host: NativeHost;
  #outputId = '';
  /** Who plays to it, or did when it went. */
  readonly #here = new Set<number>();
  /** Who has not come back to it yet. */
  readonly #away = new Set<number>();
  #watch: number | undefined;
  #work: Promise<void> | undefined;
  #isStale = false;
  #stopped = false;

  constructor(host: NativeHost) {
    this.#host = host;
  }

  /** The output was made, or made anew. */
  follow(outputId: string): void {
    if (this.#stopped) return;
    this.#outputId = outputId;
    for (const pid of this.#here) this.#away.add(pid);
    this.#here.clear();
    if (this.#away.size > 0) {
      timersOf(this.#host).after(returnWithinMs, () => this.#away.clear(), false);
    }
    this.#watch ??= this.#host.watchProcesses(AsyncResource.bind(() => this.#look()));
    this.#look();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#watch !== undefined) this.#host.unwatchProcesses(this.#watch);
    this.#watch = undefined;
  }

  #look(): void {
    if (this.#stopped) return;
    this.#isStale = this.#work !== undefined;
    this.#work ??= this.#refresh()
      // The stream itself reports a server that has gone.
      .catch(() => {})
      .finally(() => {
        this.#work = undefined;
        if (this.#isStale) this.#look();
      });
    timersOf(this.#host).during(this.#work);
  }

  async #refresh(): Promise<void> {
    const outputId = this.#outputId;
    if (this.#away.size > 0) {
      const moved = await this.#host.moveProcesses([...this.#away], outputId);
      for (const pid of moved) this.#away.delete(pid);
    }
    const processes = await this.#host.listProcesses({ running: false, levels: false });
    // Asked behind it: while the output is gone, its programs are elsewhere and not forgotten.
    const devices = await this.#host.listDevices();
    if (outputId !== this.#outputId || !devices.some(({ id }) => id === outputId)) return;
    this.#here.clear();
    for (const { pid, devices: its } of processes) {
      if (its.includes(outputId)) this.#here.add(pid);
    }
  }
}
