import type { Writable } from 'node:stream';
import { inspect } from 'node:util';

import { AudioError } from './errors.js';

// Checks of public arguments. All throw Node's own errors with Node's wording, so errors of `fs` and of this package read
// alike. `name` is the path of the value: 'options.gain' is a property, 'gain' an argument.

type ArgumentErrorCode = 'ERR_INVALID_ARG_TYPE' | 'ERR_INVALID_ARG_VALUE' | 'ERR_OUT_OF_RANGE';

function argumentError<T extends TypeError | RangeError>(
  Class: new (message: string) => T,
  code: ArgumentErrorCode,
  message: string,
): T & { code: ArgumentErrorCode } {
  const error = new Class(message);
  // As in Node, the first line of the stack contains the code, and `name` stays that of the class.
  Object.defineProperty(error, 'name', { value: `${error.name} [${code}]`, configurable: true });
  Error.captureStackTrace(error, argumentError);
  void error.stack; // V8 formats the stack at the first access
  Reflect.deleteProperty(error, 'name');
  return Object.assign(error, { code });
}

function kind(name: string): 'property' | 'argument' {
  return name.includes('.') ? 'property' : 'argument';
}

function received(value: unknown): string {
  if (value === null || value === undefined) return `Received ${value}`;
  if (typeof value === 'function') return `Received function ${value.name}`;
  if (typeof value === 'object') {
    const maker = (value.constructor as { name?: string } | undefined)?.name;
    return `Received ${maker ? `an instance of ${maker}` : inspect(value, { depth: -1 })}`;
  }
  const text = inspect(value);
  const shown = text.length > 28 ? `${text.slice(0, 25)}...` : text;
  return `Received type ${typeof value} (${shown})`;
}

/**
 * @param expected the rest of the sentence, for example "of type number".
 * @returns the `TypeError` for an argument of a wrong type.
 */
export function invalidType(name: string, expected: string, value: unknown): TypeError {
  return argumentError(
    TypeError,
    'ERR_INVALID_ARG_TYPE',
    `The "${name}" ${kind(name)} must be ${expected}. ${received(value)}`,
  );
}

/** @returns the `TypeError` for a value that has the right type but is not valid. */
export function invalidValue(name: string, value: unknown, reason: string): TypeError {
  const shown = inspect(value);
  return argumentError(
    TypeError,
    'ERR_INVALID_ARG_VALUE',
    `The ${kind(name)} '${name}' ${reason}. ` +
      `Received ${shown.length > 128 ? `${shown.slice(0, 125)}...` : shown}`,
  );
}

/**
 * @param range the allowed range, for example ">= 0 && <= 1".
 * @returns the `RangeError` for a number out of range.
 */
export function outOfRange(name: string, range: string, value: unknown): RangeError {
  return argumentError(
    RangeError,
    'ERR_OUT_OF_RANGE',
    `The value of "${name}" is out of range. It must be ${range}. Received ${inspect(value)}`,
  );
}

/** Checks for a finite number from `min` to `max`. */
export function checkNumber(value: unknown, name: string, min = -Infinity, max = Infinity): number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!Number.isFinite(value)) throw outOfRange(name, 'a finite number', value);
  if (value < min || value > max) throw outOfRange(name, rangeText(min, max), value);
  return value;
}

/** Checks for an integer from `min` to `max`. */
export function checkInteger(
  value: unknown,
  name: string,
  min: number = Number.MIN_SAFE_INTEGER,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, rangeText(min, max), value);
  return value;
}

function rangeText(min: number, max: number): string {
  const bounds = [];
  if (min !== Number.MIN_SAFE_INTEGER && min !== -Infinity) bounds.push(`>= ${min}`);
  if (max !== Number.MAX_SAFE_INTEGER && max !== Infinity) bounds.push(`<= ${max}`);
  return bounds.join(' && ');
}

export function checkBigInt(value: unknown, name: string): bigint {
  if (typeof value !== 'bigint') throw invalidType(name, 'of type bigint', value);
  return value;
}

// 18 years. A time of day in ns is further from the zero of the clock, which is the start of the machine.
const longestNs = 2n ** 59n;
// A year at 48 kHz. `Date.now()` is more.
const mostFrames = 1.5e12;

/** Checks for an instant of the clock of `process.hrtime.bigint()`, in ns. */
export function checkTime(value: unknown, name: string): bigint {
  const time = checkBigInt(value, name);
  if (time < -longestNs || time > longestNs) {
    const range =
      'a time of process.hrtime.bigint(), not a time of day: >= -2n ** 59n && <= 2n ** 59n';
    throw outOfRange(name, range, value);
  }
  return time;
}

/** Checks for the index of a frame, which may have a fraction. */
export function checkFrame(value: unknown, name: string): number {
  const frame = checkNumber(value, name);
  if (Math.abs(frame) > mostFrames) {
    const range =
      'the index of a frame, not a time of day: >= -1.5e12 && <= 1.5e12. ' +
      'Times are bigints of process.hrtime.bigint()';
    throw outOfRange(name, range, value);
  }
  return frame;
}

export function checkBoolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw invalidType(name, 'of type boolean', value);
  return value;
}

/** Checks for a string, which may be empty. */
export function checkText(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalidType(name, 'of type string', value);
  return value;
}

/** Checks for a string that is not empty. */
export function checkString(value: unknown, name: string): string {
  if (checkText(value, name) === '') throw invalidValue(name, value, 'must not be empty');
  return value as string;
}

/** Checks for a path of a file. As in `fs`, a URL may come from another realm, such as the context of a test. */
export function checkPath(value: unknown, name: string): string | URL {
  const { href, protocol } = (value ?? {}) as Partial<URL>;
  if (typeof value !== 'string' && !(href && protocol)) {
    throw invalidType(name, 'of type string or an instance of URL', value);
  }
  return value as string | URL;
}

/** Checks for a chunk whose bytes were not transferred to another thread after they were written. */
export function checkChunk(chunk: Uint8Array): void {
  if (chunk.length > 0) return;
  try {
    new Uint8Array(chunk.buffer); // Node 20 has no `ArrayBuffer.prototype.detached`
  } catch {
    throw invalidValue('chunk', chunk, 'was transferred before the stream had processed it');
  }
}

export function checkOneOf<T extends string>(
  value: unknown,
  name: string,
  allowed: readonly T[],
): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) {
    const list = allowed.map((one) => inspect(one)).join(', ');
    throw invalidValue(name, value, `must be one of: ${list}`);
  }
  return found;
}

/** Checks for an object that is neither null nor an array. */
export function checkObject(value: unknown, name: string): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidType(name, 'of type object', value);
  }
  return value;
}

export function checkFunction<T extends (...args: never[]) => unknown>(
  value: unknown,
  name: string,
): T {
  if (typeof value !== 'function') throw invalidType(name, 'of type function', value);
  return value as T;
}

/** Checks the shape, as Node does, so that signals of other realms and polyfills are accepted. */
export function checkAbortSignal(value: unknown, name: string): AbortSignal {
  if (typeof value !== 'object' || value === null || !('aborted' in value)) {
    throw invalidType(name, 'an instance of AbortSignal', value);
  }
  return value as AbortSignal;
}

/** A stream to pipe into, by shape, as Node takes streams of other packages. */
export function checkDestination(destination: unknown): Writable {
  const { on, write } = (destination ?? {}) as Partial<Writable>;
  if (typeof on === 'function' && typeof write === 'function') return destination as Writable;
  throw invalidType('destination', 'an instance of Writable', destination);
}

/**
 * Checks that the options of `owner` are an object or undefined, and that none of them is unknown, because a misspelt
 * option would otherwise be silently ignored.
 */
export function checkOptions<T extends object>(
  value: T | undefined,
  owner: string,
  known: readonly (keyof T & string)[],
  name = 'options',
): T {
  if (value === undefined) return {} as T;
  checkObject(value, name);
  for (const [key, given] of Object.entries(value)) {
    if (given === undefined || (known as readonly string[]).includes(key)) continue;
    const near = nearest(key, known);
    const hint = near ? `did you mean '${near}'?` : `known are: ${[...known].sort().join(', ')}`;
    throw invalidValue(`${name}.${key}`, given, `is not an option of ${owner} (${hint})`);
  }
  return value;
}

function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** The Levenshtein distance, computed one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

/**
 * @returns the error for a request that this version, the system or the stream cannot fulfil. No request is silently
 *   ignored.
 */
export function unsupported(what: string, reason: string, remedy?: string): AudioError {
  const error = new AudioError('ERR_AUDIO_UNSUPPORTED', `${what} is not supported: ${reason}`, {
    remedy,
  });
  Error.captureStackTrace(error, unsupported);
  return error;
}
