import { types } from 'node:util';

import { AudioError } from '../errors.js';
import type { NativeProcess, NativeProcessId } from '../engine/native.js';
import { processKey, type AudioProcess } from './processes.js';
import { checkInteger, checkString, invalidType, invalidValue } from '../validate.js';

/** A program: its process id, its name, its path, a pattern for these, or an entry of `listAudioProcesses()`. */
export type ProcessSelector = number | string | RegExp | AudioProcess;

const highestPid = 2 ** 32 - 1;

/** Checks a list of selectors and returns it. Returns `[]` for 0, which means everything that the system plays. */
export function checkSelectors(value: unknown, name: string): ProcessSelector[] {
  if (value === 0) return [];
  const list = Array.isArray(value) ? (value as unknown[]) : [value];
  if (list.length === 0) throw invalidValue(name, value, 'must name at least one program');
  // Programs that are listed beside 0 are contained in it.
  const isAll = list.includes(0);
  list.forEach((one, index) =>
    checkSelector(one, Array.isArray(value) ? `${name}[${index}]` : name),
  );
  return isAll ? [] : (list as ProcessSelector[]);
}

function checkSelector(value: unknown, name: string): void {
  if (typeof value === 'number') {
    checkInteger(value, name, 0, highestPid);
    return;
  }
  if (typeof value === 'string') {
    checkString(value, name);
    return;
  }
  if (types.isRegExp(value)) return;
  const listed = value as Partial<AudioProcess> | null | undefined;
  if (
    typeof listed !== 'object' ||
    listed === null ||
    typeof listed.pid !== 'number' ||
    typeof listed.startTime !== 'string'
  ) {
    throw invalidType(
      name,
      'a process number, a name or path, a RegExp, or an AudioProcess of listAudioProcesses()',
      value,
    );
  }
  checkInteger(listed.pid, `${name}.pid`, 0, highestPid);
}

export function describeSelector(selector: ProcessSelector): string {
  if (typeof selector === 'number') return `a process with the number ${selector}`;
  if (typeof selector === 'string') return `a program called '${selector}'`;
  if (types.isRegExp(selector)) return `a program that matches ${selector}`;
  return `the process ${selector.pid} ('${selector.name}'), which has ended,`;
}

const plain = (name: string): string => name.toLowerCase().replace(/\.exe$/, '');
const slashes = (path: string): string => path.toLowerCase().replaceAll('\\', '/');

/**
 * One selector and the processes that it selects. A process id or an `AudioProcess` selects one process, and no later
 * process with the same id. If restarts are followed, it selects any process of the same program after the first one has
 * ended. A name selects every process with that name, whenever it starts.
 */
export class ProcessTarget {
  readonly selector: ProcessSelector;
  readonly #follows: boolean;
  readonly #test: (candidate: NativeProcess) => boolean;
  #bound: { key: string; path: string; name: string } | undefined;
  #ended = false;

  constructor(selector: ProcessSelector, follows: boolean) {
    this.selector = selector;
    this.#follows = follows;
    this.#test = testOf(selector);
    if (typeof selector === 'object' && !types.isRegExp(selector)) this.#bind(selector);
  }

  /** Whether the selector may match processes that start later. */
  get open(): boolean {
    return this.#follows || typeof this.selector === 'string' || types.isRegExp(this.selector);
  }

  matches(candidate: NativeProcess): boolean {
    if (typeof this.selector === 'string' || types.isRegExp(this.selector)) {
      return this.#test(candidate);
    }
    if (this.#bound && !this.#ended) return this.#bound.key === processKey(candidate);
    if (this.#bound) return this.#follows && isSameProgram(this.#bound, candidate);
    if (!this.#test(candidate)) return false;
    this.#bind(candidate);
    return true;
  }

  /**
   * Called before the first match. Programs in containers report their numbers there, so a number may mean several of them.
   *
   * @throws `ERR_AUDIO_PROCESS_NOT_FOUND` if the selector is such a number.
   */
  checkUnambiguous(processes: readonly NativeProcess[]): void {
    const { selector } = this;
    if (typeof selector !== 'number' || this.#bound) return;
    const alike = processes.filter(({ pid }) => pid === selector);
    if (alike.length < 2) return;
    const names = alike.map(({ name }) => `'${name}'`).join(', ');
    throw new AudioError(
      'ERR_AUDIO_PROCESS_NOT_FOUND',
      `${selector} is the number of several programs in containers: ${names}`,
      { remedy: 'Select a program by its name, or by an entry of listAudioProcesses()' },
    );
  }

  /** Called when a process has ended. Its id is not used any more. */
  end(id: NativeProcessId): void {
    if (this.#bound?.key === processKey(id)) this.#ended = true;
  }

  #bind(candidate: { pid: number; startTime: bigint | string; path: string; name: string }): void {
    this.#bound = { key: processKey(candidate), path: candidate.path, name: candidate.name };
  }
}

function isSameProgram(
  known: { path: string; name: string },
  candidate: { path: string; name: string },
): boolean {
  return known.path ? known.path === candidate.path : known.name === candidate.name;
}

function testOf(selector: ProcessSelector): (candidate: NativeProcess) => boolean {
  if (typeof selector === 'number') return ({ pid }) => pid === selector;
  if (typeof selector === 'string') {
    if (/[\\/]/.test(selector)) {
      const path = slashes(selector);
      return (one) => slashes(one.path) === path;
    }
    const name = plain(selector);
    return (one) => plain(one.name) === name || plain(one.displayName) === name;
  }
  if (types.isRegExp(selector)) {
    // Without the flags `g` and `y`, with which each test would begin where the last one ended.
    const pattern = new RegExp(selector.source, selector.flags.replace(/[gy]/g, ''));
    return (one) =>
      pattern.test(one.name) || pattern.test(one.displayName) || pattern.test(one.path);
  }
  return (one) => processKey(one) === processKey(selector);
}
