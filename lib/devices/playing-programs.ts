import { AsyncResource } from 'node:async_hooks';

import type { NativeDevice, NativeHost, NativeProcess, NativeProcessId } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';
import { processKey } from './processes.js';

// How long programs may take to play again after their output was created again.
const returnWithinMs = 60_000;

/**
 * The programs that play to a created output. If the output is lost, the system moves them to another one. When it has
 * been created again, this class moves them back.
 */
export class PlayingPrograms {
  readonly #host: NativeHost;
  readonly #listed: (processes: NativeProcess[], devices: NativeDevice[]) => Promise<void>;
  #outputId = '';
  /** The programs that play to the output, or did when it was lost. */
  readonly #here = new Map<string, NativeProcessId>();
  /** The programs that have not been moved back yet. */
  readonly #away = new Map<string, NativeProcessId>();
  #watch: number | undefined;
  #work: Promise<void> | undefined;
  #isStale = false;
  #stopped = false;

  /** @param listed called when the programs that play, or their outputs, may have changed. */
  constructor(
    host: NativeHost,
    listed: (processes: NativeProcess[], devices: NativeDevice[]) => Promise<void>,
  ) {
    this.#host = host;
    this.#listed = listed;
  }

  /** Called when the output was created, also when it was created again. */
  follow(outputId: string): void {
    if (this.#stopped) return;
    this.#outputId = outputId;
    for (const [key, process] of this.#here) this.#away.set(key, process);
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
      const moved = await this.#host.moveProcesses([...this.#away.values()], outputId);
      for (const process of moved) this.#away.delete(processKey(process));
    }
    const processes = await this.#host.listProcesses({
      inputs: false,
      running: false,
      levels: false,
    });
    // Checked after the answer: while the output is gone, its programs play elsewhere, and must be remembered.
    const devices = await this.#host.listDevices();
    if (outputId !== this.#outputId || !devices.some(({ id }) => id === outputId)) return;
    this.#here.clear();
    for (const process of processes) {
      if (process.devices.includes(outputId)) this.#here.set(processKey(process), process);
    }
    await this.#listed(processes, devices);
  }
}
