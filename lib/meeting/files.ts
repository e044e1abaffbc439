import { finished } from 'node:stream/promises';

import { WavWriter, type WavWriterOptions } from '../sinks/wav-writer.js';
import { checkObject, checkOptions, checkPath, invalidValue } from '../validate.js';
import type { MeetingTrack } from './track.js';

/** The WAV files for the tracks of a meeting. */
export interface MeetingFiles {
  /** The file for the microphone. @default none */
  mic?: string | URL | undefined;
  /** The file for the system. @default none */
  system?: string | URL | undefined;
  /** The file for the mix. @default none */
  mix?: string | URL | undefined;
}

/** Options of {@link Meeting.toFiles}. */
export type MeetingFileOptions = Pick<WavWriterOptions, 'timeReference'>;

const names = ['mic', 'system', 'mix'] as const;

/**
 * Writes tracks into files, all from the same frame on.
 *
 * @param failure the error of the meeting, if it has failed.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`.
 */
export function writeFiles(
  tracks: Partial<Record<keyof MeetingFiles, MeetingTrack<never>>>,
  files: MeetingFiles,
  options: MeetingFileOptions | undefined,
  failure: () => Error | undefined,
): Promise<void>[] {
  checkOptions(checkObject(files, 'files') as MeetingFiles, 'toFiles', names, 'files');
  checkOptions(options, 'toFiles', ['timeReference']);
  const wanted = names.filter((name) => files[name] !== undefined);
  if (wanted.length === 0) throw invalidValue('files', files, 'must name at least one file');
  const pairs = wanted.map((name) => {
    const track = tracks[name];
    if (!track) throw invalidValue(`files.${name}`, files[name], 'is not a track of this meeting');
    return { track, path: checkPath(files[name], `files.${name}`) };
  });
  return pairs.map(({ track, path }) => {
    const writer = new WavWriter(path, { ...options, format: track.format });
    const written = finished(writer).then(() => {
      const error = failure();
      if (error) throw error;
    });
    // As in Node, a destroyed stream does not end its destination.
    const end = (): void => void writer.end();
    if (track.destroyed) end();
    else track.once('close', end);
    if (!track.destroyed) track.pipe(writer);
    return written;
  });
}
