// Reads what a library for Windows says of itself, and finds what an addon of this package must not have.

const machines = { 0x8664: 'x64', 0xaa64: 'arm64' };
// Part of every Windows 10; the addon loads other libraries at run time.
const systemLibraries = /^(advapi32|kernel32|ntdll|msvcrt|ole32|api-ms-win-crt-[\w-]+)\.dll$/;
// Address space layout randomisation, also with 64 bits, and no execution of data.
const required = { DYNAMIC_BASE: 0x40, HIGH_ENTROPY_VA: 0x20, NX_COMPAT: 0x100 };
// The functions that Node.js calls.
const addonExports = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

// LLVM's runtime for stack unwinding exports its functions. On Windows no other library is linked with them by chance.
const runtimeExports = /^(_Unwind_|unw_|_GCC_specific_handler$)/;

/**
 * @typedef {{ machine: string, characteristics: number, imports: string[], exports: string[] }} PeFile
 *   `imports` and `exports`: the names of the libraries that it needs, and of its functions.
 */

/**
 * @param {Buffer} file a PE32+ file
 * @returns {PeFile}
 */
export function readPe(file) {
  const header = file.readUInt32LE(0x3c);
  if (file.toString('latin1', header, header + 4) !== 'PE\0\0') throw new Error('no PE file');
  const machine = file.readUInt16LE(header + 4);
  const sectionCount = file.readUInt16LE(header + 6);
  const optional = header + 24;
  if (file.readUInt16LE(optional) !== 0x20b) throw new Error('no PE32+ file');
  const table = optional + file.readUInt16LE(header + 20);
  const sections = Array.from({ length: sectionCount }, (_, i) => {
    const at = table + 40 * i;
    return {
      address: file.readUInt32LE(at + 12),
      size: file.readUInt32LE(at + 16),
      offset: file.readUInt32LE(at + 20),
    };
  });
  const place = (address) => {
    const section = sections.find(
      (one) => address >= one.address && address < one.address + one.size,
    );
    if (!section) throw new Error(`no section has the address 0x${address.toString(16)}`);
    return address - section.address + section.offset;
  };
  const text = (address) => {
    const from = place(address);
    return file.toString('latin1', from, file.indexOf(0, from));
  };
  const directory = (number) => file.readUInt32LE(optional + 112 + 8 * number);
  const names = (number, length, name) => {
    const found = [];
    if (directory(number) === 0) return found;
    for (let at = place(directory(number)); file.readUInt32LE(at + name) !== 0; at += length) {
      found.push(text(file.readUInt32LE(at + name)));
    }
    return found;
  };
  const exports = [];
  if (directory(0) !== 0) {
    const at = place(directory(0));
    const pointers = place(file.readUInt32LE(at + 32));
    for (let i = 0; i < file.readUInt32LE(at + 24); i++) {
      exports.push(text(file.readUInt32LE(pointers + 4 * i)));
    }
  }
  return {
    machine: machines[machine] ?? `0x${machine.toString(16)}`,
    characteristics: file.readUInt16LE(optional + 70),
    // Delay-loaded libraries are in another table.
    imports: [...names(1, 20, 12), ...names(13, 32, 4)].sort(),
    exports: exports.sort(),
  };
}

/**
 * @param {PeFile} file
 * @param {string} arch
 * @returns {string[]} the faults of an addon for this architecture
 */
export function faultsOf({ machine, characteristics, imports, exports }, arch) {
  const faults = [];
  if (machine !== arch) faults.push(`is for ${machine}, not for ${arch}`);
  for (const name of imports) {
    if (!systemLibraries.test(name.toLowerCase())) faults.push(`imports ${name}`);
  }
  for (const [name, bit] of Object.entries(required)) {
    if ((characteristics & bit) === 0) faults.push(`is without ${name}`);
  }
  for (const name of addonExports) {
    if (!exports.includes(name)) faults.push(`does not export ${name}`);
  }
  for (const name of exports) {
    if (!addonExports.includes(name) && !runtimeExports.test(name)) faults.push(`exports ${name}`);
  }
  return faults;
}
