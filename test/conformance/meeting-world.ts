// A meeting in a simulated world whose clock the test moves, and all that its tracks give.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { onTestFinished } from 'vitest';

import {
  captureMeeting,
  toFloat32,
  type Discontinuity,
  type Meeting,
  type MeetingOptions,
} from 'patchcord';
import { noise, SimulatedAudio, type SimulatedAudioOptions } from 'patchcord/testing';

export type TrackName = 'mic' | 'system' | 'mix';

export interface Heard {
  audio: SimulatedAudio;
  meeting: Meeting;
  /** Everything that a track has given so far, interleaved. */
  track(name: TrackName): Float32Array;
  /** Frames of each track so far. */
  lengths(): Partial<Record<TrackName, number>>;
  /** `discontinuity` of each track. */
  gaps: Record<TrackName, Discontinuity[]>;
  /** `side: state`, in order. */
  states: string[];
  /** In steps for which readers have room. */
  pass(ms: number): Promise<void>;
  /** Closes the meeting, for which time has to pass. */
  close(): Promise<void>;
}

export function manualWorld(options: SimulatedAudioOptions = {}): SimulatedAudio {
  const audio = new SimulatedAudio({ clock: 'manual', ...options });
  onTestFinished(() => audio[Symbol.asyncDispose]());
  return audio;
}

export const floats = { sampleRate: 16_000, channels: 1, sampleFormat: 'f32' } as const;

/** Both devices record the same sound at the same time. */
export function sameSound(): SimulatedAudio {
  const audio = manualWorld();
  audio.device('mic').play(noise({ seed: 3 }));
  audio.device('speakers').play(noise({ seed: 3 }));
  return audio;
}

/** An empty folder that lasts until the end of the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'patchcord-meeting-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The samples of a WAV file of 16-bit mono. */
export function wavSamples(path: string): Float32Array {
  const wav = readFileSync(path);
  return toFloat32(wav.subarray(wav.indexOf('data') + 8), { sampleFormat: 's16' });
}

/** All tracks are read from their first frame on. */
export function hear(audio: SimulatedAudio, options: MeetingOptions = {}): Heard {
  const meeting = captureMeeting({ backend: audio, ...options });
  onTestFinished(() => meeting.destroy());
  const chunks: Record<TrackName, Buffer[]> = { mic: [], system: [], mix: [] };
  const gaps: Heard['gaps'] = { mic: [], system: [], mix: [] };
  const states: string[] = [];
  const tracks = Object.entries(meeting.tracks) as [TrackName, Meeting['mix']][];
  for (const [name, track] of tracks) {
    track.on('data', (chunk) => chunks[name].push(chunk));
    track.on('discontinuity', (gap) => gaps[name].push(gap));
  }
  meeting.on('state', ({ side, state }) => states.push(`${side}: ${state}`));
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) await audio.advance(Math.min(500, left));
  };
  const track = (name: TrackName): Float32Array =>
    toFloat32(Buffer.concat(chunks[name]), meeting[name]!.format);
  return {
    audio,
    meeting,
    track,
    lengths: () =>
      Object.fromEntries(
        tracks.map(([name, { format }]) => [name, track(name).length / format.channels]),
      ),
    gaps,
    states,
    pass,
    async close() {
      const closing = meeting.close();
      closing.catch(() => {}); // the caller gets it
      await pass(1500);
      await closing;
    },
  };
}

export const rms = (samples: Float32Array): number =>
  Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);

/** The greatest difference of two signals of one length. */
export function difference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new Error(`${a.length} and ${b.length} samples`);
  return a.reduce((most, sample, k) => Math.max(most, Math.abs(sample - b[k])), 0);
}

/** The level of one frequency, dBFS of its peak, under a Blackman window. */
export function toneDb(samples: Float32Array, sampleRate: number, frequency: number): number {
  let [re, im, weight] = [0, 0, 0];
  for (const [k, sample] of samples.entries()) {
    const turn = (2 * Math.PI * k) / samples.length;
    const window = 0.42 - 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn);
    const angle = (2 * Math.PI * frequency * k) / sampleRate;
    re += window * sample * Math.cos(angle);
    im += window * sample * Math.sin(angle);
    weight += window;
  }
  return 20 * Math.log10((2 * Math.hypot(re, im)) / weight);
}
