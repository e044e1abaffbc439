import { AsyncResource } from 'node:async_hooks';

import type { NativeHost } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';

// How long programs may take to play again after their output was created again.
const returnWithinMs = 60_000;

/**
 * The programs that play to a created output. If the output is lost, the system moves them to another one. When it has
 * been created again, this class moves them back.
 */
export class PlayingPrograms {
  readonly #host: NativeHost;
  #outputId = '';
  /** The programs that play to the output, or did when it was lost. */
  readonly #here = new Set<number>();
  /** The programs that have not been moved back yet. */
  readonly #away = new Set<number>();
  #watch: number | undefined;
  #work: Promise<void> | undefined;
  #isStale = false;
  #stopped = false;

  constructor(host: NativeHost) {
    this.#host = host;
  }

  /** Called when the output was created, also when it was created again. */
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
      // The stream itself reports a server that is gone.
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
    // Checked after the answer: while the output is gone, its programs play elsewhere, and must be remembered.
    const devices = await this.#host.listDevices();
    if (outputId !== this.#outputId || !devices.some(({ id }) => id === outputId)) return;
    this.#here.clear();
    for (const { pid, devices: its } of processes) {
      if (its.includes(outputId)) this.#here.add(pid);
    }
  }
}
