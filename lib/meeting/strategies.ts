/**
 * How a side of a meeting is captured.
 *
 * - `shared`: both devices in shared mode, the microphone opened first. With some drivers the stream that was opened
 *   first, or last, receives zeros.
 * - `reverse-order`: the same, with the microphone opened behind the system's side.
 * - `raw`: the microphone without the effects of the system and the driver.
 * - `mme`, `directsound`: the microphone through one of the older interfaces of Windows, in shared mode.
 * - `mic-process`: the microphone in a child process, so that no process has both devices open.
 * - `both-processes`: each side in its own child process.
 * - `ffmpeg`: the microphone recorded by FFmpeg, if that is installed: `dshow` on Windows, `pulse` on Linux.
 * - `other-device`: another microphone, first the system's default for calls. Not if the options name a device.
 * - `endpoint`: in place of programs, the output that they play to, and with it everything else that plays there. Not if
 *   programs are to be left out.
 */
export type Strategy = (typeof strategies)[number];

export const strategies = [
  'shared',
  'reverse-order',
  'raw',
  'mme',
  'directsound',
  'mic-process',
  'both-processes',
  'ffmpeg',
  'other-device',
  'endpoint',
] as const;
