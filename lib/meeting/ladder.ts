import { timersOf } from '../engine/timers.js';
import { AudioError } from '../errors.js';
import type { DeadEvidence } from '../sources/source-reports.js';
import type { SideState } from './condition.js';
import type { SideName } from './mixdown.js';
import { optionsOf, type MeetingPlan } from './options.js';
import { rungs, type Move } from './rungs.js';
import type { Side } from './side.js';
import type { Strategy } from './strategies.js';

/** A change of the strategy for a dead side of a meeting. */
export interface StrategyChange {
  /** The side that was dead. */
  side: SideName;
  /** The strategy before. */
  from: Strategy;
  /** The present strategy. */
  to: Strategy;
  /** The evidence that the side was dead. */
  evidence: DeadEvidence;
  /** The device that is tried, if the strategy chooses one. */
  device?: string;
}

/** The operations of the meeting that a ladder uses. */
export interface LadderActions {
  /** Opens another source in place of the dead one. */
  open(side: Side, move: Move): void;
  changed(change: StrategyChange): void;
  /** Called when no strategy has helped. */
  failed(side: Side, error: AudioError): void;
}

/** How long a strategy has. A working microphone delivers more than zeros at once, because every room has noise. */
const trialMs = 600;
const openMs = 2000;

/** Tries one strategy after the other for a dead side, while the timeline continues. */
export class Ladder {
  readonly #plan: MeetingPlan;
  readonly #actions: LadderActions;
  readonly #current: Record<SideName, Strategy>;
  readonly #climbing = new Set<Side>();
  #stopped = false;

  constructor(plan: MeetingPlan, actions: LadderActions) {
    this.#plan = plan;
    this.#actions = actions;
    this.#current = { mic: plan.first, system: plan.first };
  }

  strategyOf(side: SideName): Strategy {
    return this.#current[side];
  }

  isClimbing(side: Side): boolean {
    return this.#climbing.has(side);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Tries the strategies for a side. Does nothing while this is already running. */
  climb(side: Side, evidence: DeadEvidence): void {
    const names = this.#plan.strategies.filter((name) => rungs[name].side === side.name);
    if (this.#climbing.has(side) || this.#stopped || names.length === 0) return;
    this.#climbing.add(side);
    void this.#climb(side, evidence, names).finally(() => this.#climbing.delete(side));
  }

  async #climb(side: Side, evidence: DeadEvidence, names: Strategy[]): Promise<void> {
    const first = this.#current[side.name];
    const tried = [`${first}: ${evidence}`];
    for (const name of names.filter((one) => one !== first)) {
      const moves = await rungs[name]
        .moves({ plan: this.#plan, side })
        .catch((error: Error) => error.message);
      // The side may be alive again by itself.
      if (this.#stopped || side.condition.state !== 'dead') return;
      if (typeof moves === 'string') {
        tried.push(`${name}: ${moves}`);
        continue;
      }
      for (const move of moves) {
        this.#go(side, name, evidence, move);
        const outcome = await this.#outcome(side);
        if (this.#stopped || outcome === undefined) return;
        tried.push(`${name}${move.device ? ` (${move.device})` : ''}: ${outcome}`);
        side.condition.dead(evidence);
      }
    }
    if (tried.length > 1 && this.#current[side.name] !== first) this.#goBack(side, first, evidence);
    this.#actions.failed(side, exhausted(side.name, tried));
  }

  #go(side: Side, to: Strategy, evidence: DeadEvidence, move: Move): void {
    const from = this.#current[side.name];
    this.#current[side.name] = to;
    const device = move.device === undefined ? {} : { device: move.device };
    this.#actions.changed({ side: side.name, from, to, evidence, ...device });
    this.#actions.open(side, move);
  }

  #goBack(side: Side, to: Strategy, evidence: DeadEvidence): void {
    this.#go(side, to, evidence, { options: optionsOf(to, this.#plan)[side.name] ?? {} });
  }

  /** Why the strategy does not help; undefined if the side is no longer dead. */
  async #outcome(side: Side): Promise<string | undefined> {
    const { source } = side.feed;
    const timers = timersOf(source.host);
    const after = (ms: number): Promise<string> =>
      new Promise((resolve) => timers.after(ms, () => resolve('')));
    const failure = await Promise.race([
      source.ready.then(
        () => undefined,
        (error: Error) => error.message,
      ),
      after(openMs).then(() => `was not open within ${openMs} ms`),
    ]);
    if (failure !== undefined) return failure;
    for (let waited = 0; waited < trialMs; waited += 100) {
      await after(100);
      const state: SideState = side.condition.state;
      if (state !== 'dead') return undefined;
      if (side.isOver) return 'ended';
    }
    return side.condition.evidence;
  }
}

function exhausted(name: SideName, tried: string[]): AudioError {
  const what = name === 'mic' ? 'the microphone' : "the system's side";
  return new AudioError(
    'ERR_AUDIO_DEVICE_LOST',
    `${what} of the meeting receives nothing, and no strategy helped (${tried.join('; ')})`,
    {
      remedy:
        name === 'mic'
          ? 'Choose another microphone, or check its settings and its driver'
          : 'Record another output, or all outputs',
    },
  );
}
