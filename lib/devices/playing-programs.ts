import { AsyncResource } from 'node:async_hooks';

import type { NativeDevice, NativeHost, NativeProcess } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';
import { processKey } from './processes.js';

// How long programs may take to play again after their output was created again.
const returnWithinMs = 60_000;

interface Program {
  process: NativeProcess;
  /** Whether no other program looked like it. */
  isOnly: boolean;
}

/**
 * The programs that play to a created output. If the output is lost, the system moves them to another one. When it has
 * been created again, this class moves them back.
 *
 * A program in a container has another id when it has connected to a new server. It is recognised by what it reports of
 * itself, unless several programs report the same.
 */
export class PlayingPrograms {
  readonly #host: NativeHost;
  readonly #listed: (processes: NativeProcess[], devices: NativeDevice[]) => Promise<void>;
  #outputId = '';
  /** The programs that play to the output, or did when it was lost. */
  readonly #here = new Map<string, Program>();
  /** The programs that have not been moved back yet. */
  readonly #away = new Map<string, Program>();
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
    for (const [key, program] of this.#here) this.#away.set(key, program);
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
    if (this.#away.size > 0) await this.#bringBack(outputId);
    const processes = await this.#list();
    // Checked after the answer: while the output is gone, its programs play elsewhere, and must be remembered.
    const devices = await this.#host.listDevices();
    if (outputId !== this.#outputId || !devices.some(({ id }) => id === outputId)) return;
    this.#here.clear();
    for (const process of processes) {
      if (!process.devices.includes(outputId)) continue;
      const isOnly = processes.filter((one) => looksLike(one, process)).length === 1;
      this.#here.set(processKey(process), { process, isOnly });
    }
    await this.#listed(processes, devices);
  }

  async #bringBack(outputId: string): Promise<void> {
    const present = await this.#list();
    const found = new Map<string, NativeProcess>();
    for (const [key, program] of this.#away) {
      const process = find(program, present);
      if (process) found.set(key, process);
    }
    const moved = await this.#host.moveProcesses([...found.values()], outputId);
    const keys = new Set(moved.map(processKey));
    for (const [key, process] of found) {
      if (keys.has(processKey(process))) this.#away.delete(key);
    }
  }

  #list(): Promise<NativeProcess[]> {
    return this.#host.listProcesses({ inputs: false, running: false, levels: false });
  }
}

function looksLike(one: NativeProcess, other: NativeProcess): boolean {
  const keys = ['origin', 'name', 'displayName'] as const;
  return keys.every((key) => one[key] === other[key]);
}

// The number of a client of a new server may be that of another program on the server before.
function find({ process, isOnly }: Program, present: NativeProcess[]): NativeProcess | undefined {
  const same = present.find((one) => processKey(one) === processKey(process));
  if (process.origin === undefined) return same;
  const alike = present.filter((one) => looksLike(one, process));
  if (same && alike.includes(same)) return same;
  return isOnly && alike.length === 1 ? alike[0] : undefined;
}
