// The audit of addons for Windows (scripts/pe-file.mjs), on a library that is made here.
import { describe, expect, it } from 'vitest';

import { faultsOf, readPe } from '../../scripts/pe-file.mjs';

const names = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

interface Description {
  machine?: number;
  characteristics?: number;
  imports?: string[];
  delayed?: string[];
  exports?: string[];
}

/** A library with one section, whose addresses are those of the file. */
function library({
  machine = 0xaa64,
  characteristics = 0x160,
  imports = ['KERNEL32.dll', 'api-ms-win-crt-heap-l1-1-0.dll'],
  delayed = [],
  exports = names,
}: Description): Buffer {
  const file = Buffer.alloc(8192);
  let free = 2048;
  const put = (text: string): number => {
    free += file.write(`${text}\0`, free, 'latin1');
    return free - text.length - 1;
  };
  file.writeUInt32LE(64, 0x3c);
  file.write('PE\0\0', 64, 'latin1');
  file.writeUInt16LE(machine, 68);
  file.writeUInt16LE(1, 70);
  file.writeUInt16LE(240, 84);
  file.writeUInt16LE(0x20b, 88);
  file.writeUInt16LE(characteristics, 88 + 70);
  for (const at of [328 + 12, 328 + 20]) file.writeUInt32LE(512, at);
  file.writeUInt32LE(file.length - 512, 328 + 16);
  const directory = (number: number, address: number): void => {
    file.writeUInt32LE(address, 88 + 112 + 8 * number);
  };
  directory(0, 512);
  file.writeUInt32LE(exports.length, 512 + 24);
  file.writeUInt32LE(600, 512 + 32);
  exports.forEach((name, i) => file.writeUInt32LE(put(name), 600 + 4 * i));
  directory(1, 1024);
  imports.forEach((name, i) => file.writeUInt32LE(put(name), 1024 + 20 * i + 12));
  if (delayed.length > 0) directory(13, 1536);
  delayed.forEach((name, i) => file.writeUInt32LE(put(name), 1536 + 32 * i + 4));
  return file;
}

describe('an addon for Windows', () => {
  it('that needs only the system, and is for the architecture, has no fault', () => {
    expect(readPe(library({}))).toEqual({
      machine: 'arm64',
      characteristics: 0x160,
      imports: ['KERNEL32.dll', 'api-ms-win-crt-heap-l1-1-0.dll'],
      exports: names,
    });
    expect(faultsOf(readPe(library({})), 'arm64')).toEqual([]);
  });

  it.each<[string, Description]>([
    ['is for x64, not for arm64', { machine: 0x8664 }],
    ['is without HIGH_ENTROPY_VA', { characteristics: 0x140 }],
    ['is without NX_COMPAT', { characteristics: 0x60 }],
    ['imports libstdc++-6.dll', { imports: ['libstdc++-6.dll'] }],
    ['imports node.exe', { delayed: ['node.exe'] }],
    ['does not export napi_register_module_v1', { exports: names.slice(1) }],
    ['exports malloc', { exports: ['malloc', ...names] }],
  ])('is refused if it %s', (fault, description) => {
    expect(faultsOf(readPe(library(description)), 'arm64')).toEqual([fault]);
  });

  it('that is no PE file throws', () => {
    expect(() => readPe(Buffer.alloc(8192))).toThrow('no PE file');
  });
});
