// `node scripts/cross-windows.mjs`: cross-compiles prebuilds/win32-x64/patchcord.node with mingw-w64, from
// binding.gyp's lists. make compiles only what changed. The names of all functions, for crash dumps, are in
// build/cross-win32-x64/patchcord.debug.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { compilerCommand, compilerEnv } from './compiler.mjs';
import { readGyp } from './read-gyp.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = 'build/cross-win32-x64';
const prefix = 'x86_64-w64-mingw32-';
const headers = createRequire(import.meta.url)('node-api-headers');
// The variant with its own threads (winpthreads, linked in): the other one has no std::thread.
export const crossCompiler = `${prefix}g++-posix`;

/** Why the cross-compiler cannot run on this machine, undefined if it can. */
export function whyNoCrossCompiler() {
  if (spawnSync('make', ['--version']).error) return 'no `make` in PATH';
  if (spawnSync(crossCompiler, ['--version']).error) {
    return `no \`${crossCompiler}\` in PATH (Debian: g++-mingw-w64-x86-64-posix)`;
  }
  return undefined;
}

/** The inputs for linking another addon like ours, after ours has been built. */
export const hostImports = {
  includeDir: headers.include_dir,
  library: join(root, folder, 'libnode.a'),
};

/** Brings the prebuilt addon up to date and returns its path. Throws when compiling fails. */
export function crossBuildWindows() {
  const gyp = readGyp('win');
  const target = `prebuilds/win32-x64/${gyp.name}.node`;
  mkdirSync(join(root, folder), { recursive: true });
  mkdirSync(join(root, dirname(target)), { recursive: true });
  writeChanged(
    join(root, folder, 'node.def'),
    ['NAME NODE.EXE', 'EXPORTS', ...hostFunctions(), ''].join('\n'),
  );
  writeChanged(join(root, folder, 'Makefile'), makefile(gyp, target));
  execFileSync('make', ['-f', `${folder}/Makefile`, '-j2', '--silent', target], {
    cwd: root,
    env: compilerEnv,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return join(root, target);
}

/** The functions of the executable that loads the addon: Node-API's, and those of libuv that we declare. */
export function hostFunctions() {
  const declared = readFileSync(join(root, 'src/addon/loop_signal.cc'), 'utf8');
  const libuv = declared.match(/\buv_\w+(?=\()/g);
  const words = readFileSync(headers.def_paths.node_api_def, 'utf8').trim().split(/\s+/);
  return [...words.slice(words.indexOf('EXPORTS') + 1), ...new Set(libuv)];
}

function makefile(gyp, target) {
  const includes = [relative(root, headers.include_dir), ...gyp.includeDirs];
  const flags = [
    ...gyp.cflags,
    ...gyp.cflagsCc,
    ...gyp.defines.map((define) => `-D${define}`),
    // No warnings for headers of other projects.
    ...includes.map((path) => `-isystem ${path}`),
  ];
  const objects = gyp.sources.map((source) => `${folder}/${source.replace(/\.cc$/, '.o')}`);
  const libraries = gyp.libraries.map((name) => `-l${name.replace(/\.lib$/, '')}`);
  const host = `${folder}/libnode.a`;
  // Linked statically: users do not have the libraries of mingw-w64, and a missing one would keep the addon from
  // loading. The objects depend on this file too, so that changed flags compile everything again.
  return `${target}: ${objects.join(' ')} ${host}
\t@${crossCompiler} -shared -static -Wl,--no-insert-timestamp -o $@.part $^ ${libraries.join(' ')}
\t@${prefix}objcopy --only-keep-debug $@.part ${folder}/${gyp.name}.debug
\t@${prefix}strip $@.part
\t@node scripts/check-windows-binary.mjs $@.part
\t@mv $@.part $@

# Delay-loaded (-y), so that src/addon/delay_load_hook.cc decides what "node.exe" is.
${host}: ${folder}/node.def ${folder}/Makefile
\t@${prefix}dlltool -d $< -D node.exe -y $@

${folder}/%.o: %.cc ${folder}/Makefile
\t@mkdir -p $(@D)
\t@echo "$<"
\t@${compilerCommand(crossCompiler).join(' ')} ${flags.join(' ')} -MMD -MP -c $< -o $@

-include ${objects.map((object) => object.replace(/\.o$/, '.d')).join(' ')}
`;
}

function writeChanged(path, text) {
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const reason = whyNoCrossCompiler();
  if (reason) {
    console.error(`cannot cross-compile: ${reason}`);
    process.exit(1);
  }
  crossBuildWindows();
}
