// `node scripts/check-windows-binary.mjs FILE...` checks addons for Windows on x64: that they need no library that a
// user may lack, load at any address, and keep their vectors where Windows' stack permits it. Runs on each addon that
// scripts/cross-windows.mjs links. Uses the objdump of mingw-w64's binutils.
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const objdump = 'x86_64-w64-mingw32-objdump';
// Part of every Windows; the addon loads other libraries at run time.
const systemLibraries = ['advapi32.dll', 'kernel32.dll', 'msvcrt.dll', 'ole32.dll'];
// Address space layout randomisation, also with 64 bits, and no execution of data.
const characteristics = { DYNAMIC_BASE: 0x40, HIGH_ENTROPY_VA: 0x20, NX_COMPAT: 0x100 };

/**
 * Finds the faults of a binary, from objdump's output for its headers and its code.
 * @param {string} headers
 * @param {string} code
 * @returns {string[]}
 */
export function faultsOf(headers, code) {
  const faults = [];
  if (!headers.includes('file format pei-x86-64')) faults.push('is not for x64');
  for (const [, name] of headers.matchAll(/^\s*DLL Name: (.*)$/gm)) {
    if (!systemLibraries.includes(name.toLowerCase())) faults.push(`imports ${name}`);
  }
  const bits = parseInt(/^DllCharacteristics\s+([0-9a-f]+)$/m.exec(headers)?.[1] ?? '0', 16);
  for (const [name, bit] of Object.entries(characteristics)) {
    if ((bits & bit) === 0) faults.push(`is without ${name}`);
  }
  // The stack is aligned to 16 bytes, and this compiler does not align it further (GCC's bug 54412).
  const wide = /^.*\bvmov(?:ap[sd]|dqa|dqa32|dqa64|ntp[sd]|ntdq)\s.*$/gm;
  for (const [line] of code.matchAll(wide)) {
    if (!/%[yz]mm/.test(line) || !/\(%r(?:sp|bp)/.test(line)) continue;
    faults.push(`moves an aligned vector on the stack: ${line.trim()}`);
  }
  return faults;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dump = (...args) =>
    execFileSync(objdump, args, {
      encoding: 'utf8',
      maxBuffer: 1 << 30,
      env: { LC_ALL: 'C', ...process.env },
    });
  for (const file of process.argv.slice(2)) {
    for (const fault of faultsOf(dump('-p', file), dump('-d', file))) {
      console.error(`${file} ${fault}`);
      process.exitCode = 1;
    }
  }
}
