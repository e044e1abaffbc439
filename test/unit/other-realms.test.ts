// Values of another realm, such as the context in which a test runner runs its tests, fail `instanceof`.
import { runInNewContext } from 'node:vm';

import { expect, it } from 'vitest';

import { checkSelectors, ProcessTarget } from '../../lib/devices/process-selector.js';
import { pcm } from '../../lib/simulation/signal.js';
import { convert, fromFloat32, toFloat32 } from '../../lib/transforms/convert.js';
import { checkPath } from '../../lib/validate.js';

const format = { sampleRate: 48000, channels: 1, sampleFormat: 's16' } as const;
const bytes = runInNewContext('new Uint8Array([0, 64, 0, 192])') as Uint8Array;
const samples = runInNewContext('new Float32Array([0.5, -0.5])') as Float32Array;

it('typed arrays are converted', () => {
  expect(bytes instanceof Uint8Array).toBe(false);
  expect([...toFloat32(bytes, format)]).toEqual([0.5, -0.5]);
  expect([...fromFloat32(samples, format)]).toEqual([0, 64, 0, 192]);
  expect([...convert(bytes, { from: format, to: {} })]).toEqual([0, 64, 0, 192]);
  expect(pcm(samples)).toMatchObject({ type: 'pcm' });
});

it('a RegExp selects programs', () => {
  const pattern = runInNewContext('/spot/i') as RegExp;
  expect(pattern instanceof RegExp).toBe(false);
  expect(checkSelectors(pattern, 'process')).toEqual([pattern]);
  const target = new ProcessTarget(pattern, false);
  const known = { pid: 7, startTime: 1n, path: '', displayName: '' };
  expect(target.open).toBe(true);
  expect(target.matches({ ...known, name: 'Spotify.exe' } as never)).toBe(true);
  expect(target.matches({ ...known, name: 'game.exe' } as never)).toBe(false);
});

it('a URL names a file', () => {
  const url = { href: 'file:///a.wav', protocol: 'file:' };
  expect(checkPath(url, 'path')).toBe(url);
  for (const wrong of [undefined, null, 1, {}, []]) {
    expect(() => checkPath(wrong, 'path')).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  }
});
