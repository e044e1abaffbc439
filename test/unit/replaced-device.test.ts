// A device that is removed between the moment when a stream finds it and the moment when it opens it, and another one
// that takes its place: a headset that changes its profile, a driver that is updated.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { DeviceKeeper } from '../../lib/devices/device-keeper.js';
import { AudioError, type AudioErrorCode } from '../../lib/errors.js';

const failure = (code: AudioErrorCode) => new AudioError(code, code);
const notFound = failure('ERR_AUDIO_DEVICE_NOT_FOUND');
const lost = failure('ERR_AUDIO_DEVICE_LOST');
const denied = failure('ERR_AUDIO_PERMISSION_DENIED');

/** A keeper whose searches and openings have these results, one after the other; the last one repeats. */
function keep(finds: (string | AudioError)[], opens: (true | AudioError)[]) {
  const done: string[] = [];
  const next = <T>(results: T[]): T => (results.length > 1 ? results.shift()! : results[0]);
  const keeper = new DeviceKeeper<string>(
    {
      host: { watch() {} } as never,
      find: () => {
        const found = next(finds);
        done.push(typeof found === 'string' ? `found ${found}` : 'not found');
        return typeof found === 'string' ? Promise.resolve(found) : Promise.reject(found);
      },
      same: (a, b) => a === b,
      open: () => {
        const opened = next(opens);
        done.push(opened === true ? 'opened' : 'failed');
        return opened === true ? Promise.resolve() : Promise.reject(opened);
      },
      leave: () => Promise.resolve(),
      release: (found) => Promise.resolve(void done.push(`released ${found}`)),
      device: () => undefined,
      emit: () => {},
      fail: () => {},
    },
    'default',
    true,
  );
  return { keeper, done };
}

describe('a device that is replaced while a stream opens it', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is searched again, also while neither of the two is there', async () => {
    const { keeper, done } = keep(['a', notFound, 'b'], [notFound, lost, true]);
    const started = keeper.start();
    await vi.advanceTimersByTimeAsync(1000);
    await started;
    expect(keeper.current).toBe('b');
    expect(done).toEqual([
      ...['found a', 'failed', 'released a', 'not found'],
      ...['found b', 'failed', 'released b', 'found b', 'opened'],
    ]);
  });

  it('is an error if nothing takes its place within a second', async () => {
    const { keeper, done } = keep(['a', notFound], [lost]);
    const failed = expect(keeper.start()).rejects.toBe(notFound);
    await vi.advanceTimersByTimeAsync(1000);
    await failed;
    expect(done.filter((what) => what === 'not found')).toHaveLength(4);
  });

  it('is not searched again after another error, if there was none, or once it is closed', async () => {
    await expect(keep(['a'], [denied]).keeper.start()).rejects.toBe(denied);
    await expect(keep([notFound], [true]).keeper.start()).rejects.toBe(notFound);
    const { keeper, done } = keep(['a', notFound], [lost]);
    const failed = expect(keeper.start()).rejects.toBe(notFound);
    await vi.advanceTimersByTimeAsync(50);
    const stopped = keeper.stop();
    await vi.advanceTimersByTimeAsync(0);
    await Promise.all([failed, stopped]);
    expect(done).toEqual(['found a', 'failed', 'released a', 'not found']);
  });
});
