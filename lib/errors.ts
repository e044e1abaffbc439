/** Every code that an {@link AudioError} can carry. */
export type AudioErrorCode = `ERR_AUDIO_${(typeof codeNames)[number]}`;

const codeNames = [
  'DEVICE_NOT_FOUND',
  'DEVICE_LOST',
  'DEVICE_BUSY',
  'PERMISSION_DENIED',
  'FORMAT_UNSUPPORTED',
  'FORMAT_UNKNOWN',
  'PARTIAL_FRAME',
  'PROCESS_NOT_FOUND',
  'BACKEND_UNAVAILABLE',
  'UNSUPPORTED',
  'FEEDBACK',
  'GRAPH_CYCLE',
  'TIMEOUT',
  'NATIVE_LOAD_FAILED',
  'BACKEND',
] as const;

// The ESM and the CommonJS build have different classes; the brand is common to both.
const brand = Symbol.for('patchcord.AudioError');

/** Details of a failure, beside its message. */
export interface AudioErrorDetails {
  /** The function of the operating system that failed, for example `IAudioClient::Initialize`. */
  syscall?: string | undefined;
  /** The result of that function, for example `0x88890004 AUDCLNT_E_DEVICE_INVALIDATED`. */
  osCode?: string | undefined;
  /** The id of the device concerned. */
  deviceId?: string | undefined;
  /** The remedy: what the user can do about it. It is also the end of the message. */
  remedy?: string | undefined;
  /** The error that led to this one. */
  cause?: unknown;
}

/**
 * The class of all audio errors. The message says what was requested, what happened and what to do about it; programs
 * use `code`. Wrong arguments throw Node's `TypeError` and `RangeError` instead. `instanceof` works between the ESM and
 * the CommonJS build of this package.
 *
 * @example
 * source.on('error', (error) => {
 *   if (error instanceof AudioError && error.code === 'ERR_AUDIO_PERMISSION_DENIED') {
 *     showSettings(error.remedy);
 *   }
 * });
 */
export class AudioError extends Error {
  /** The kind of failure, for programs. */
  readonly code: AudioErrorCode;
  // Only declared: an unknown detail is no property, so that it is not printed.
  /** The function of the operating system that failed. */
  declare readonly syscall?: string;
  /** The result of that function. */
  declare readonly osCode?: string;
  /** The id of the device concerned. */
  declare readonly deviceId?: string;
  /** The remedy: what the user can do about it. It is also the end of the message. */
  declare readonly remedy?: string;

  /**
   * @param message what was requested and what happened, without a full stop. The constructor appends the system call
   *   and the remedy.
   */
  constructor(code: AudioErrorCode, message: string, details: AudioErrorDetails = {}) {
    const { syscall, osCode, deviceId, remedy, cause } = details;
    super(sentence(message, details), cause === undefined ? undefined : { cause });
    this.code = code;
    for (const [key, value] of Object.entries({ syscall, osCode, deviceId, remedy })) {
      if (value) Object.defineProperty(this, key, { value, enumerable: true, configurable: true });
    }
  }

  /** Also true for errors of another copy of the package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== AudioError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === 'object' && value !== null && brand in value;
  }
}

Object.defineProperty(AudioError.prototype, 'name', {
  value: 'AudioError',
  writable: true,
  configurable: true,
});
Object.defineProperty(AudioError.prototype, brand, { value: true });

function sentence(message: string, { syscall, osCode, remedy }: AudioErrorDetails): string {
  const system = [syscall, osCode].filter(Boolean).join(': ');
  return `${message}${system && ` (${system})`}${remedy ? `. ${remedy}` : ''}`;
}

/** A failure as the native layer reports it. Unknown fields are empty or absent. */
export interface NativeError {
  /** As in C++, without the prefix: `DEVICE_LOST`. */
  code: string;
  message: string;
  syscall?: string;
  osCode?: string;
  deviceId?: string;
  remedy?: string;
}

/**
 * Turns the native layer's record into an error.
 *
 * @param caller the public function that failed, so that the stack begins at the user's line.
 */
export function fromNative(
  record: NativeError,
  caller?: (...args: never[]) => unknown,
): AudioError {
  const name = codeNames.find((known) => known === record.code) ?? 'BACKEND';
  const remedy = record.remedy?.replace(/^[a-z]/, (first) => first.toUpperCase());
  const error = new AudioError(`ERR_AUDIO_${name}`, record.message, { ...record, remedy });
  Error.captureStackTrace(error, caller ?? fromNative);
  return error;
}

/** @internal Whether the same attempt would always fail again. */
export function isPermanent({ code }: AudioError): boolean {
  return (
    code === 'ERR_AUDIO_PERMISSION_DENIED' ||
    code === 'ERR_AUDIO_UNSUPPORTED' ||
    code === 'ERR_AUDIO_FORMAT_UNSUPPORTED'
  );
}

/** Node's own error for a stream that closed before it did what a caller awaits. */
export function closedEarly(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
}
