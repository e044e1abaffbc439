import type { NativeOpenOptions, NativeStreamInfo } from '../engine/native.js';
import { checkBoolean, checkOneOf } from '../validate.js';

/** How a device is opened: options of sources and of sinks. */
export interface OpenOptions {
  /**
   * `'exclusive'` takes the device for this stream alone, in a format and period of its driver. It is a
   * demand: if it cannot be had, the stream fails with `ERR_AUDIO_UNSUPPORTED`, or with
   * `ERR_AUDIO_DEVICE_BUSY` while another program has the device. Only WASAPI has it. @default 'shared'
   */
  shareMode?: 'shared' | 'exclusive' | undefined;
  /**
   * Asks for the shortest period that there is, at the price of more wakes. The sound is never later than
   * without it: what a sink holds against a late wake stays the same. It is a wish: `granted` says whether
   * the period is shorter than the usual one, and if not, why. @default false
   */
  lowLatency?: boolean | undefined;
}

/**
 * What a stream is for, where the system treats streams by it. `'communications'`: calls, on Windows with
 * echo cancellation, noise suppression and gain control where the driver has them. `'speech'`: for a machine
 * that listens.
 */
export type StreamCategory = 'communications' | 'media' | 'speech' | 'other';

/** Further wishes for a microphone. */
export interface MicWishes {
  /** Without the effects that the system or the driver has for microphones; false. */
  raw?: boolean | undefined;
  /** `'other'`. */
  category?: StreamCategory | undefined;
}

/** How a device was opened, and which wishes were granted. */
export interface Granted {
  /** How the device is shared with other programs. */
  shareMode: 'shared' | 'exclusive';
  /** Whether the period is shorter than the usual one. */
  lowLatency: boolean;
  /** Whether the microphone is without effects. */
  raw: boolean;
  /** The category by which the system treats the stream. */
  category: StreamCategory;
  /**
   * Whether the thread that serves the device got real-time priority. On Linux it is granted to users who
   * have `RLIMIT_RTPRIO`, and to others by RealtimeKit, where that runs.
   */
  realtime: boolean;
  /** Why a wish that was made was not granted, and why there is no real-time priority. */
  reasons: { lowLatency?: string; raw?: string; category?: string; realtime?: string };
}

export const openOptionNames = ['shareMode', 'lowLatency'] as const;

export function checkOpenOptions(given: OpenOptions & MicWishes): NativeOpenOptions {
  const { shareMode = 'shared', lowLatency = false, raw = false, category = 'other' } = given;
  checkOneOf(shareMode, 'options.shareMode', ['shared', 'exclusive']);
  checkBoolean(lowLatency, 'options.lowLatency');
  checkBoolean(raw, 'options.raw');
  checkOneOf(category, 'options.category', ['communications', 'media', 'speech', 'other']);
  return { exclusive: shareMode === 'exclusive', lowLatency, raw, category };
}

/** How often the device is to deliver or to ask, ms. */
export function periodOf(options: NativeOpenOptions): number {
  return options.lowLatency ? 2.5 : 10;
}

export function toGranted(options: NativeOpenOptions, info: NativeStreamInfo): Granted {
  const { exclusive, lowLatency, raw, category, realtime, whyNotRealtime } = info;
  // A stream of processes has no device whose wishes it could grant.
  const none = 'this kind of stream has no such choice';
  const wishes = {
    lowLatency: options.lowLatency ? lowLatency || none : '',
    raw: options.raw ? raw || none : '',
    category: options.category === 'other' ? '' : category || none,
    realtime: whyNotRealtime,
  };
  return {
    shareMode: exclusive ? 'exclusive' : 'shared',
    lowLatency: lowLatency === true,
    raw: raw === true,
    category: category === true ? (options.category as StreamCategory) : 'other',
    realtime,
    reasons: Object.fromEntries(
      Object.entries(wishes).filter(([, wish]) => typeof wish === 'string' && wish !== ''),
    ),
  };
}
