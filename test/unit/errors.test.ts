import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';

import { describe, expect, it, vi } from 'vitest';

import { AudioError, fromNative } from '../../lib/errors.js';

describe('AudioError', () => {
  it('says what was requested, what happened and what to do', () => {
    const cause = new Error('deeper');
    const error = new AudioError('ERR_AUDIO_DEVICE_BUSY', 'microphone "Desk" cannot be opened', {
      syscall: 'IAudioClient::Initialize',
      osCode: '0x8889000A',
      deviceId: '{1}',
      remedy: 'Close the program that uses it alone',
      cause,
    });
    expect(error.message).toBe(
      'microphone "Desk" cannot be opened (IAudioClient::Initialize: 0x8889000A). ' +
        'Close the program that uses it alone',
    );
    expect(error).toMatchObject({
      name: 'AudioError',
      code: 'ERR_AUDIO_DEVICE_BUSY',
      syscall: 'IAudioClient::Initialize',
      osCode: '0x8889000A',
      deviceId: '{1}',
      remedy: 'Close the program that uses it alone',
      cause,
    });
  });

  it('has no properties for unknown details', () => {
    const error = new AudioError('ERR_AUDIO_TIMEOUT', 'nothing came', { syscall: '', remedy: '' });
    expect(error.message).toBe('nothing came');
    expect(Object.keys(error)).toEqual(['code']);
    expect('cause' in error).toBe(false);
    expect(inspect(error)).not.toMatch(/undefined|syscall/);
  });

  it('is recognised across two copies of the module, and other errors are not', async () => {
    vi.resetModules();
    const other = (await import('../../lib/errors.js')).AudioError;
    expect(other).not.toBe(AudioError);
    expect(new other('ERR_AUDIO_TIMEOUT', 'x') instanceof AudioError).toBe(true);
    expect(new AudioError('ERR_AUDIO_TIMEOUT', 'x') instanceof other).toBe(true);
    class Special extends AudioError {}
    expect(new Special('ERR_AUDIO_TIMEOUT', 'x') instanceof AudioError).toBe(true);
    expect(new AudioError('ERR_AUDIO_TIMEOUT', 'x') instanceof Special).toBe(false);
    for (const value of [new Error('x'), { code: 'ERR_AUDIO_TIMEOUT' }, null, undefined, 'x']) {
      expect(value instanceof AudioError).toBe(false);
    }
  });
});

describe('fromNative', () => {
  it('gives the record its public code', () => {
    const error = fromNative({
      code: 'DEVICE_LOST',
      message: 'the microphone was removed',
      syscall: 'pa_stream_connect_record',
      osCode: '6',
      deviceId: 'mic',
      remedy: '',
    });
    expect(error).toBeInstanceOf(AudioError);
    expect(error).toMatchObject({ code: 'ERR_AUDIO_DEVICE_LOST', osCode: '6', deviceId: 'mic' });
    expect('remedy' in error).toBe(false);
  });

  it('begins the remedy as a sentence', () => {
    const remedy = 'wait until it is back';
    const error = fromNative({ code: 'DEVICE_LOST', message: 'it was unplugged', remedy });
    expect(error.message).toBe('it was unplugged. Wait until it is back');
    expect(error.remedy).toBe('Wait until it is back');
  });

  it('reports an unknown code as a failure of the backend', () => {
    expect(fromNative({ code: 'NEW', message: 'x' }).code).toBe('ERR_AUDIO_BACKEND');
    expect(fromNative({ code: '', message: 'x' }).code).toBe('ERR_AUDIO_BACKEND');
  });

  it('points at the line that called the public function', () => {
    const inner = (): AudioError => fromNative({ code: 'TIMEOUT', message: 'x' }, publicFunction);
    function publicFunction(): AudioError {
      return inner();
    }
    const { stack } = publicFunction();
    expect(stack).toMatch(/errors\.test\.ts/);
    expect(stack).not.toMatch(/publicFunction|fromNative|inner/);
  });
});

describe('docs/errors.md', () => {
  it('has every code, and no other', () => {
    const read = (file: string): string => readFileSync(new URL(file, import.meta.url), 'utf8');
    const list = /const codeNames = \[([^\]]*)\]/.exec(read('../../lib/errors.ts'))?.[1] ?? '';
    const codes = [...list.matchAll(/'(\w+)'/g)].map(([, name]) => `ERR_AUDIO_${name}`);
    const rows = [...read('../../docs/errors.md').matchAll(/^\| `(ERR_AUDIO_\w+)` \| (.*)/gm)];
    expect(codes.length).toBeGreaterThan(10);
    expect(rows.map(([, code]) => code).sort()).toEqual(codes.sort());
    for (const [, code, cells] of rows) {
      expect(
        cells.split(' | ').map((cell) => cell.length > 10),
        code,
      ).toEqual([true, true]);
    }
  });
});
