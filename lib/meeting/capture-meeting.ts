import { Meeting } from './meeting.js';
import { checkMeetingOptions, type MeetingOptions } from './options.js';

/**
 * Captures a meeting: the microphone and what the others say, as a mix and as tracks of their own, on one timeline. Every
 * frame is in its place whatever happens to the devices; what is missing is silence of the same length.
 *
 * `ready`, `close()` and `toFiles()` reject with what a {@link MicSource}, a {@link LoopbackSource} and a
 * {@link ProcessSource} fail with, if a device cannot be opened at first. Later a side that fails for good is silent,
 * as its `state` says, and the other side goes on.
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
