import { AsyncResource } from 'node:async_hooks';

import type { NativeHost } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';
import type { SinkWarning } from './hearing-watch.js';

const againMs = 500;

/**
 * Keeps other programs out of a created microphone. A server moves programs to its output when their sound card is
 * removed, and new programs play to it while it is the default. In a call the other callers would hear themselves.
 */
export class IntruderWatch {
  readonly #host: NativeHost;
  readonly #outputId: () => string | undefined;
  readonly #warn: (warning: SinkWarning) => void;
  readonly #watch: number;
  #isAsking = false;
  #isStale = false;
  #stopped = false;
  #cancel = (): void => {};

  constructor(
    host: NativeHost,
    outputId: () => string | undefined,
    warn: (warning: SinkWarning) => void,
  ) {
    this.#host = host;
    this.#outputId = outputId;
    this.#warn = warn;
    this.#watch = host.watchProcesses(AsyncResource.bind(() => this.look()));
  }

  /** Checks now, because something may have changed. */
  look(): void {
    const outputId = this.#outputId();
    if (this.#stopped || outputId === undefined) return;
    this.#isStale = this.#isAsking;
    if (this.#isAsking) return;
    this.#isAsking = true;
    const asked = this.#host
      .sendStrangersAway(outputId)
      .then(
        (names) => this.#report(names),
        // The output, or a program, is gone, or the server refused the move for now.
        () => this.#lookAgain(),
      )
      .finally(() => {
        this.#isAsking = false;
        if (this.#isStale) this.look();
      });
    timersOf(this.#host).during(asked);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancel();
    this.#host.unwatchProcesses(this.#watch);
  }

  #lookAgain(): void {
    this.#cancel();
    if (!this.#stopped)
      this.#cancel = timersOf(this.#host).after(againMs, () => this.look(), false);
  }

  #report(names: string[]): void {
    if (names.length === 0 || this.#stopped) return;
    this.#lookAgain(); // PipeWire's session manager may move a program back
    const programs = [...new Set(names)].map((name) => `'${name}'`).join(', ');
    this.#warn({
      code: 'intruder',
      message: `the audio server let ${programs} play into the virtual microphone; the sink moved it to another output`,
    });
  }
}
