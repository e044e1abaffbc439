// `node test/windows/build-mmdevapi.mjs`: cross-compiles the mmdevapi.dll of test/windows/mmdevapi/ and
// its probes into build/mmdevapi-win32-x64. make compiles only what changed.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { compilerCommand, compilerEnv } from '../../scripts/compiler.mjs';
import { crossCompiler, whyNoCrossCompiler } from '../../scripts/cross-windows.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const folder = 'build/mmdevapi-win32-x64';
const flags = [
  '-std=c++17',
  '-O2',
  '-Wall',
  '-Wextra',
  '-fno-exceptions',
  '-fno-rtti',
  ...['UNICODE', '_UNICODE', '_WIN32_WINNT=0x0A00'].map((define) => `-D${define}`),
];

const sourcesIn = (path) =>
  readdirSync(join(root, path))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => `${path}/${name}`);

// The world and what it stands on, the wire formats, and the face.
const library = [
  ...sourcesIn('test/windows/mmdevapi'),
  ...['world', 'world_faults', 'world_processes', 'world_streams', 'card', 'signal'].map(
    (name) => `src/backend/simulated/${name}.cc`,
  ),
  ...['com_support', 'formats'].map((name) => `src/backend/wasapi/${name}.cc`),
  ...['graph/life_signs', 'time/manual_clock', 'signal/channel_map', 'signal/format'].map(
    (name) => `src/core/${name}.cc`,
  ),
  'src/backend/known_cables.cc',
  'src/backend/platform_windows.cc',
  'src/backend/process_tree.cc',
];
const probe = [
  'test/windows/process_loopback_probe.cc',
  ...['com_support', 'formats'].map((name) => `src/backend/wasapi/${name}.cc`),
];
const engineProbe = [
  'test/windows/engine_probe.cc',
  ...['com_support', 'device_origin', 'formats', 'wasapi_devices'].map(
    (name) => `src/backend/wasapi/${name}.cc`,
  ),
  'src/backend/known_cables.cc',
];
const processTable = ['process_table_windows', 'process_tree'].map(
  (name) => `src/backend/${name}.cc`,
);
const targets = [
  { file: 'mmdevapi.dll', sources: library, link: '-shared', libraries: ['ole32', 'ws2_32'] },
  { file: 'process_loopback_probe.exe', sources: probe, link: '', libraries: ['ole32'] },
  {
    file: 'VoicemeeterRemote64.dll',
    sources: ['test/windows/voicemeeter_double.cc'],
    link: '-shared',
    libraries: [],
  },
  { file: 'engine_probe.exe', sources: engineProbe, link: '', libraries: ['ole32'] },
  {
    file: 'process_table_probe.exe',
    sources: ['test/windows/process_table_probe.cc', ...processTable],
    link: '-Wl,--wrap=CreateToolhelp32Snapshot',
    libraries: [],
  },
  {
    file: 'sta_thread.node',
    sources: ['test/windows/sta_thread.cc'],
    link: '-shared',
    libraries: ['ole32'],
  },
];

/**
 * Brings all up to date.
 * @returns {Record<'library' | 'probe' | 'voicemeeter' | 'engineProbe' | 'processTableProbe' | 'staThread', string>} their paths
 */
export function buildMmdevapi() {
  mkdirSync(join(root, folder), { recursive: true });
  const text = makefile();
  const path = join(root, folder, 'Makefile');
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
  const files = targets.map(({ file }) => `${folder}/${file}`);
  execFileSync('make', ['-f', `${folder}/Makefile`, '-j2', '--silent', ...files], {
    cwd: root,
    env: compilerEnv,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [library, probe, voicemeeter, engineProbe, processTableProbe, staThread] = files.map(
    (file) => join(root, file),
  );
  return { library, probe, voicemeeter, engineProbe, processTableProbe, staThread };
}

function makefile() {
  const object = (source) => `${folder}/${source.replace(/\.cc$/, '.o')}`;
  const rules = targets.map(({ file, sources, link, libraries }) => {
    const linked = libraries.map((name) => `-l${name}`).join(' ');
    return `${folder}/${file}: ${sources.map(object).join(' ')}
\t@${crossCompiler} ${link} -static -s -o $@.part $^ ${linked}
\t@mv $@.part $@
`;
  });
  const all = [...new Set(targets.flatMap(({ sources }) => sources.map(object)))];
  return `${rules.join('\n')}
${folder}/%.o: %.cc ${folder}/Makefile
\t@mkdir -p $(@D)
\t@echo "$<"
\t@${compilerCommand(crossCompiler).join(' ')} ${flags.join(' ')} -MMD -MP -c $< -o $@

-include ${all.map((path) => path.replace(/\.o$/, '.d')).join(' ')}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const reason = whyNoCrossCompiler();
  if (reason) {
    console.error(`cannot cross-compile: ${reason}`);
    process.exit(1);
  }
  console.log(JSON.stringify(buildMmdevapi()));
}
