import type { NativeProcess, NativeProcessId } from '../engine/native.js';
import { processKey, type AudioProcess } from './processes.js';
import { checkInteger, checkString, invalidType, invalidValue } from '../validate.js';

/** Which program: its number, name, path, a pattern of these, or one that was listed. */
export type ProcessSelector = number | string | RegExp | AudioProcess;

const highestPid = 2 ** 32 - 1;

/** The list that was given, checked; `[]` for 0, which is everything the system plays. */
export function checkSelectors(value: unknown, name: string): ProcessSelector[] {
  if (value === 0) return [];
  const list = Array.isArray(value) ? (value as unknown[]) : [value];
  if (list.length === 0) throw invalidValue(name, value, 'must name at least one program');
  list.forEach((one, index) =>
    checkSelector(one, Array.isArray(value) ? `${name}[${index}]` : name),
  );
  return list as ProcessSelector[];
}

function checkSelector(value: unknown, name: string): void {
  if (typeof value === 'number') {
    checkInteger(value, name, 0, highestPid);
    if (value === 0) throw invalidValue(name, value, 'must stand alone: it means all programs');
    return;
  }
  if (typeof value === 'string') {
    checkString(value, name);
    return;
  }
  if (value instanceof RegExp) return;
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
  checkInteger(listed.pid, `${name}.pid`, 1, highestPid);
}

export function describeSelector(selector: ProcessSelector): string {
  if (typeof selector === 'number') return `a process with the number ${selector}`;
  if (typeof selector === 'string') return `a program called '${selector}'`;
  if (selector instanceof RegExp) return `a program that matches ${selector}`;
  return `the process ${selector.pid} ('${selector.name}'), which has ended,`;
}

const plain = (name: string): string => name.toLowerCase().replace(/\.exe$/, '');
const slashes = (path: string): string => path.toLowerCase().replaceAll('\\', '/');

/**
 * One selector and what it has come to mean. A number or an `AudioProcess` means one process for ever,
 * and no later one of the same number; where restarts are followed, after its end any of the same
 * program. A name means every process of that name, whenever it comes.
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
    if (typeof selector === 'object' && !(selector instanceof RegExp)) this.#bind(selector);
  }

  /** Whether processes that begin later can be meant. */
  get open(): boolean {
    return this.#follows || typeof this.selector === 'string' || this.selector instanceof RegExp;
  }

  matches(candidate: NativeProcess): boolean {
    if (typeof this.selector === 'string' || this.selector instanceof RegExp) {
      return this.#test(candidate);
    }
    if (this.#bound && !this.#ended) return this.#bound.key === processKey(candidate);
    if (this.#bound) return this.#follows && isSameProgram(this.#bound, candidate);
    if (!this.#test(candidate)) return false;
    this.#bind(candidate);
    return true;
  }

  /** That process has ended: its number means nothing any more. */
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
  if (selector instanceof RegExp) {
    // Without `g` and `y`: with them each test begins where the last one ended.
    const pattern = new RegExp(selector.source, selector.flags.replace(/[gy]/g, ''));
    return (one) =>
      pattern.test(one.name) || pattern.test(one.displayName) || pattern.test(one.path);
  }
  return (one) => processKey(one) === processKey(selector);
}
