import type { DeviceSelector } from '../devices/devices.js';
import { everyOutput } from '../devices/elsewhere-watch.js';
import type { NativeDevice, NativeSelection, NativeTapEvent } from '../engine/native.js';
import type { AudioFormat } from '../format/format.js';
import type { Discontinuity } from '../streams/outlet.js';
import { invalidValue } from '../validate.js';
import type { AudioSource, SourceTarget } from './audio-source.js';
import type { SourceOptions } from './source-options.js';

/** The target of a stream of all outputs, in place of a device. */
export function allOutputs(format: AudioFormat): SourceTarget {
  const device: NativeDevice = {
    id: everyOutput,
    name: 'All outputs',
    flow: 'output',
    state: 'active',
    defaultRoles: [],
    format: { ...format },
    virtual: true,
    transport: 'virtual',
    handsFree: false,
    fed: false,
    possiblePeers: [],
  };
  return { id: everyOutput, device };
}

/** Whether a selector or a target means all outputs. */
export function isAllOutputs(one: DeviceSelector | SourceTarget | undefined): boolean {
  return (typeof one === 'string' ? one : one?.id) === everyOutput;
}

/** The programs that a stream of all outputs captures. */
export const everything: NativeSelection = { everything: true, include: [], exclude: [] };

/**
 * Refuses the options that only a single device has.
 *
 * @throws `ERR_INVALID_ARG_VALUE`.
 */
export function checkAllOutputs({ channelMap }: SourceOptions): void {
  if (channelMap === undefined) return;
  throw invalidValue('options.channelMap', channelMap, "is not an option with device 'all'");
}

/** The gap for what a program had played before its capture began; undefined if nothing was missed. */
export function missedBefore(
  source: AudioSource,
  { type, time, missedMs }: NativeTapEvent,
): Discontinuity | undefined {
  if (type !== 'attached') return undefined;
  const frames = Math.round((missedMs * source.format.sampleRate) / 1000);
  if (frames === 0) return undefined;
  const frame = Math.max(0, Math.round(source.frameAt(time)) - frames);
  return { frame, frames, filled: true, reason: 'attach' };
}
