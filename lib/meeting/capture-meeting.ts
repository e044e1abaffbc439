import { Meeting } from './meeting.js';
import { checkMeetingOptions, type MeetingOptions } from './options.js';

/**
 * Captures a meeting: the microphone and what the others say, as a mix and as separate tracks on one timeline. If audio
 * is missing, silence of the same length replaces it, so every frame keeps its position.
 *
 * If a device cannot be opened at first, `ready`, `close()` and `toFiles()` reject with the errors of {@link MicSource},
 * {@link LoopbackSource} and {@link ProcessSource}. A side that fails for good later is silent, as its `state` says, and
 * the other side continues.
 *
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_UNSUPPORTED`,
 *   `ERR_AUDIO_NATIVE_LOAD_FAILED`.
 * @example
 * const meeting = captureMeeting();
 * const files = meeting.toFiles({ mic: 'me.wav', system: 'others.wav' });
 * for await (const { data, time } of meeting.mix.chunks()) transcribe(data, time);
 * await files;
 */
export function captureMeeting(options?: MeetingOptions): Meeting {
  return new Meeting(checkMeetingOptions(options));
}
