import { timersOf } from '../engine/timers.js';
import { AudioError } from '../errors.js';
import type { DeadEvidence } from '../sources/source-reports.js';
import type { SideState } from './condition.js';
import type { SideName } from './mixdown.js';
import type { MeetingPlan } from './options.js';
import { rungs, type Move } from './rungs.js';
import type { Side } from './side.js';
import type { Strategy } from './strategies.js';

/** A side of a meeting is captured in another way from now on, because it was dead. */
export interface StrategyChange {
  /** The side that was dead. */
  side: SideName;
  /** The strategy before. */
  from: Strategy;
  /** The strategy now. */
  to: Strategy;
  /** Why the side is known to be dead. */
  evidence: DeadEvidence;
  /** The device that is tried, if the strategy chooses one. */
  device?: string;
}

/** What a ladder lets the meeting do. */
export interface LadderActions {
  /** Opens something else in place of what is dead. */
  open(side: Side, move: Move): void;
  changed(change: StrategyChange): void;
  /** Nothing has helped. */
  failed(side: Side, error: AudioError): void;
}

/** A microphone that is heard gives more than zeros at once: there is noise in every room. */
const trialMs = 600;
const openMs = 2000;

/** Tries one way after the other to hear a side that is dead, while the timeline goes on. */
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

  /** Does nothing while the side is being climbed for. */
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
      // It may have come to life by itself.
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
    const options = (side.name === 'mic' ? this.#plan.mic : this.#plan.system) ?? {};
    this.#go(side, to, evidence, {
      options: to === 'raw' ? { ...options, raw: true } : options,
    });
  }

  /** Why it does not help; undefined: the side is heard, or has another word than dead. */
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
