import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** The information in the header of a native program or library. */
export interface BinaryHeader {
  /**
   * The system and processor that the file is for, in the terms of `process.platform` and `process.arch`: `linux-x64`.
   */
  target: string;
  /** Whether the file has the length that follows from the header. */
  complete: boolean;
  /** Whether the file needs musl instead of glibc. */
  musl: boolean;
}

const elfMachines: Record<number, string> = { 3: 'ia32', 0x28: 'arm', 0x3e: 'x64', 0xb7: 'arm64' };
const windowsMachines: Record<number, string> = { 0x14c: 'ia32', 0x8664: 'x64', 0xaa64: 'arm64' };
const macMachines: Record<number, string> = { 0x1000007: 'x64', 0x100000c: 'arm64' };

/** Reads the header of an ELF, PE or Mach-O file. Returns undefined for other files. */
export function readBinaryHeader(file: string): BinaryHeader | undefined {
  const descriptor = openSync(file, 'r');
  try {
    const header = Buffer.alloc(4096); // bytes beyond the end of the file stay 0
    readSync(descriptor, header, 0, header.length, 0);
    return parse(header, fstatSync(descriptor).size);
  } finally {
    closeSync(descriptor);
  }
}

function parse(header: Buffer, size: number): BinaryHeader | undefined {
  const magic = header.readUInt32BE(0);
  if (magic === 0x7f454c46) {
    // The table of sections is the last thing in the file.
    const is64 = header[4] === 2;
    const table = is64 ? Number(header.readBigUInt64LE(40)) : header.readUInt32LE(32);
    const [entry, count] = is64 ? [58, 60] : [46, 48];
    const end = table + header.readUInt16LE(entry) * header.readUInt16LE(count);
    return {
      target: `linux-${elfMachines[header.readUInt16LE(18)] ?? 'unknown'}`,
      complete: end <= size,
      musl: header.includes('/ld-musl-'),
    };
  }
  if (magic >>> 16 === 0x4d5a) {
    const start = header.readUInt32LE(60);
    if (start > header.length - 6 || header.readUInt32BE(start) !== 0x50450000) return undefined;
    const machine = windowsMachines[header.readUInt16LE(start + 4)] ?? 'unknown';
    return { target: `win32-${machine}`, complete: true, musl: false };
  }
  if (magic === 0xcffaedfe) {
    const machine = macMachines[header.readUInt32LE(4)] ?? 'unknown';
    return { target: `darwin-${machine}`, complete: true, musl: false };
  }
  return undefined;
}
