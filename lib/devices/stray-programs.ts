import { readFile } from 'node:fs/promises';

import type { NativeDevice, NativeProcess } from '../engine/native.js';
import { toPublic, type AudioDevice } from './devices.js';
import type { ChildEnvironment } from './made-device.js';
import { processKey, toPublicProcess, type AudioProcess } from './processes.js';

/** Programs that were given a speaker, and play to other outputs. */
export interface Strays {
  /** The outputs to which they play. */
  devices: AudioDevice[];
  /** The programs. */
  processes: AudioProcess[];
}

/** Finds programs that were started with a speaker's environment and play to other outputs, and reports changes. */
export class StrayPrograms {
  readonly #report: (strays: Strays) => void;
  /** Whether a process has the environment of the speaker. */
  readonly #given = new Map<string, boolean>();
  #reported = '[]';

  constructor(report: (strays: Strays) => void) {
    this.#report = report;
  }

  async look(
    processes: readonly NativeProcess[],
    devices: readonly NativeDevice[],
    outputId: string,
    environment: ChildEnvironment,
  ): Promise<void> {
    const strays: NativeProcess[] = [];
    for (const one of processes) {
      if (one.devices.every((id) => id === outputId)) continue;
      if (await this.#wasGiven(one, environment)) strays.push(one);
    }
    const ids = new Set(strays.flatMap((one) => one.devices));
    ids.delete(outputId);
    const shown = JSON.stringify([...strays.map(processKey), ...ids].sort());
    if (shown === this.#reported) return;
    this.#reported = shown;
    this.#report({
      devices: devices.filter(({ id }) => ids.has(id)).map(toPublic),
      processes: strays.map((one) => toPublicProcess(one)),
    });
  }

  async #wasGiven(one: NativeProcess, environment: ChildEnvironment): Promise<boolean> {
    const key = processKey(one);
    const known = this.#given.get(key);
    if (known !== undefined) return known;
    // Linux keeps the environment with which a process was started. That of another user's process cannot be read.
    const text =
      one.startTime > 0n ? await readFile(`/proc/${one.pid}/environ`, 'utf8').catch(() => '') : '';
    const variables = new Set(text.split('\0'));
    const given = Object.entries(environment).every(([name, value]) =>
      variables.has(`${name}=${value}`),
    );
    this.#given.set(key, given);
    return given;
  }
}
