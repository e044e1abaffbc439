// `npm run check:layers`: core <- backend <- addon <- lib and the rooms of each, as docs/architecture.md draws
// them. Prints one
// `not ok` line for each place that breaks a rule, and exits 1.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

// Compilers' headers for vector instructions; they belong to no operating system.
const intrinsics = /^((x|e|p|t|s|n|w|i)mmintrin|arm_neon|intrin)\.h$/;

// The C++ standard library's headers have no extension (<vector>, <cmath>), all others have one.
const isPortable = (header) => !header.includes('.') || intrinsics.test(header);

const timeSources = [
  [/\b(system|steady|high_resolution|utc|file)_clock\b/, 'reads a std::chrono clock'],
  [
    /\b(clock_gettime|gettimeofday|timespec_get|clock_nanosleep|timerfd_create)\b/,
    'reads the time',
  ],
  [/\b(std::|::)(time|clock)\s*\(/, 'reads the time'],
  [/(?<![\w.>:])time\s*\(\s*(NULL|nullptr|0|&)/, 'reads the time'],
  [/\b(QueryPerformance(Counter|Frequency)|GetTickCount(64)?|timeGetTime)\b/, 'reads the time'],
  [
    /\b(GetSystemTime\w*|QueryUnbiasedInterruptTime\w*|pa_rtclock_now|pa_gettimeofday)\b/,
    'reads the time',
  ],
  [/\bsleep_(for|until)\b/, 'sleeps'],
  [/\b(usleep|nanosleep|pa_msleep|SwitchToThread|SleepEx|SleepConditionVariable\w*)\b/, 'sleeps'],
  [/(?<![\w.>])(sleep|Sleep)\s*\(/, 'sleeps'],
  [/(\.|->)wait_(for|until)\s*\(/, 'waits by a clock of its own'],
];

// People and time servers set this clock: a wait on it stands still, or ends early, by the step. The rule includes
// the platform's own files.
const wallClock =
  /\b(CLOCK_REALTIME\w*|CLOCK_TAI|sem_timedwait|pthread_cond_timedwait|pthread_mutex_timedlock)\b/;
const wallClockInJavaScript = /\bDate\s*\.\s*now\b|\bnew\s+Date\s*\(\s*\)/;

// Only the addon, and only on Windows, deals with how it gets into its host's address space.
const isLoaderHook = (path) => path === 'src/addon/delay_load_hook.cc';

// The folders of this project that each layer may include. A backend may include its own folder, found below.
const base = /^src\/core\/[^/]+$/;
const mayInclude = {
  core: [base],
  'core/signal': [base, /^src\/core\/signal\//],
  'core/time': [base, /^src\/core\/time\//],
  'core/graph': [/^src\/core\//],
  backend: [/^src\/core\//, /^src\/backend\/[^/]+$/],
  addon: [/^src\/core\//, /^src\/backend\/[^/]+$/, /^src\/addon\//],
};

// The rooms of lib/ from the bottom up, each with the rooms that it may import, besides itself and the files of lib/
// that import no room: errors.ts, validate.ts, addon-file.ts.
const rooms = {
  format: [],
  engine: ['format'],
  devices: ['engine', 'format'],
  streams: ['devices', 'engine', 'format'],
  simulation: ['devices', 'engine', 'format'],
  mixer: ['streams', 'devices', 'engine', 'format'],
  transforms: ['streams', 'devices', 'engine', 'format'],
  isolation: ['engine', 'format'],
  sources: ['isolation', 'streams', 'devices', 'engine', 'format'],
  sinks: ['sources', 'mixer', 'streams', 'devices', 'engine', 'format'],
  meeting: [
    ...['sinks', 'sources', 'isolation', 'transforms', 'mixer'],
    ...['streams', 'devices', 'engine', 'format'],
  ],
  // A program, which uses only what users can use.
  cli: [],
};
const belowRooms = ['lib/errors.ts', 'lib/validate.ts', 'lib/addon-file.ts'];

/**
 * Every place in `files` (path from the repository's root -> text) that breaks a rule, as
 * `path:line: what`.
 * @param {Record<string, string>} files
 * @returns {string[]}
 */
export function findViolations(files) {
  const places = Object.entries(files).flatMap(([path, text]) => {
    const check = path.startsWith('lib/') ? checkTypeScript : checkNative;
    return [...check(path, withoutComments(text))].map(
      ([line, what]) => `${path}:${line}: ${what}`,
    );
  });
  return [...places, ...findCycles(files)];
}

/** Each circle of imports in lib/, once. An `import type` counts: files in a circle cannot be read one by one. */
function* findCycles(files) {
  const imports = new Map();
  for (const [path, text] of Object.entries(files)) {
    if (!path.startsWith('lib/')) continue;
    const targets = [...importsOf(path, withoutComments(text))].map(({ target }) => target);
    imports.set(path, new Set(targets.filter((target) => target in files)));
  }
  const left = new Set(); // files whose imports have all been followed
  function* follow(path, way) {
    const start = way.indexOf(path);
    if (start >= 0) {
      yield `${path}: a circle of imports: ${[...way.slice(start), path].join(' -> ')}`;
      return;
    }
    if (left.has(path)) return;
    for (const target of imports.get(path)) yield* follow(target, [...way, path]);
    left.add(path);
  }
  for (const path of imports.keys()) yield* follow(path, []);
}

/** The files of ours that a file of lib/ imports, each with its line. */
function* importsOf(path, text) {
  for (const [line, code] of lines(text)) {
    const from = specifier(code);
    if (!from?.startsWith('.')) continue;
    const joined = posix.normalize(posix.join(posix.dirname(path), from));
    yield { line, target: joined.replace(/\.js$/, '.ts') };
  }
}

function specifier(code) {
  const pattern = /(?:\bfrom|\bimport|\brequire\()\s*\(?\s*['"]([^'"]+)['"]/;
  return pattern.exec(code)?.[1];
}

function* checkNative(path, text) {
  const [, layer, rest] = path.split('/', 3);
  const isRoot = path.split('/').length === 3;
  const room = layer === 'core' && !isRoot ? `core/${rest.split('/')[0]}` : layer;
  const allowed = [...(mayInclude[room] ?? [])];
  if (layer === 'backend') {
    if (!isRoot) allowed.push(new RegExp(`^src/backend/${rest}/`));
    // Only the registry knows all backends.
    if (rest.startsWith('registry.')) allowed.push(/^src\/backend\//);
  }
  // Scripts belong to the world of one backend.
  if (/^src\/addon\/world_object\./.test(path)) allowed.push(/^src\/backend\/simulated\//);
  const isPlatform = /^src\/backend\/platform_\w+\.cc$/.test(path);
  // Only the registry and the files for one platform choose between systems.
  const choosesPlatform = layer === 'backend' && isRoot;

  for (const [line, code] of lines(text)) {
    const [, bracket, name] = /^\s*#\s*include\s*([<"])([^>"]+)/.exec(code) ?? [];
    if (bracket === '"') {
      const target = posix.normalize(posix.join(posix.dirname(path), name));
      if (/^(node_api|napi)(-inl)?\.h$/.test(name)) {
        if (layer !== 'addon') yield [line, `${name} belongs to src/addon alone`];
      } else if (!allowed.some((pattern) => pattern.test(target))) {
        yield [line, `src/${room} must not include ${target}`];
      }
    } else if (bracket === '<') {
      if (/^(js_native_api|node_api|napi|uv|v8|node)(-inl)?\.h$/.test(name)) {
        if (layer !== 'addon') yield [line, `<${name}> belongs to src/addon alone`];
      } else if (layer !== 'backend' && !isPortable(name) && !isLoaderHook(path)) {
        yield [line, `the system header <${name}> belongs to src/backend alone`];
      }
    }
    if (!choosesPlatform && layer !== 'addon') {
      if (/^\s*#\s*(el)?if.*\b(_WIN32|_WIN64|__linux__|__unix__|__APPLE__)\b/.test(code)) {
        yield [line, 'only src/backend/registry.* and platform_* choose between platforms'];
      }
    }
    if (wallClock.test(code)) yield [line, 'counts on the wall clock; time comes from Clock'];
    if (!isPlatform && (layer === 'core' || layer === 'backend')) {
      const bare = code.replace(/"(\\.|[^"\\])*"/g, '""');
      for (const [pattern, what] of timeSources) {
        if (pattern.test(bare)) yield [line, `${what}; time comes from Clock`];
      }
    }
  }
}

function* checkTypeScript(path, text) {
  const room = roomOf(path);
  for (const { line, target } of importsOf(path, text)) {
    if (!target.startsWith('lib/')) yield [line, `lib must not import ${target}`];
    else if (belowRooms.includes(path) && !belowRooms.includes(target)) {
      yield [line, `${path} must not import ${target}: it is below all rooms`];
    } else if (room && !belowRooms.includes(target)) {
      const other = roomOf(target);
      const isPublic = room === 'cli' && target === 'lib/index.ts';
      const allowed = isPublic || other === room || rooms[room]?.includes(other);
      if (!allowed) yield [line, `lib/${room} must not import ${target}`];
    }
  }
  for (const [line, code] of lines(text)) {
    // A bext chunk contains a time of day.
    if (wallClockInJavaScript.test(code) && path !== 'lib/format/bext.ts') {
      yield [line, 'counts on the wall clock; performance.now() does not'];
    }
    if (['lib/engine/load-addon.ts', 'lib/engine/native.ts'].includes(path)) continue;
    const loads = specifier(code)?.endsWith('.node') || /\b(dlopen|loadAddon)\s*\(/.test(code);
    if (loads) yield [line, 'only lib/engine/native.ts loads the addon'];
  }
}

/** The folder of lib/ that a file is in; undefined: it is in lib/ itself. */
function roomOf(path) {
  const [, room, rest] = path.split('/', 3);
  return rest === undefined ? undefined : room;
}

function* lines(text) {
  let number = 0;
  for (const line of text.split('\n')) yield [++number, line];
}

// Comments become spaces; strings that look like comments ("http://...") and lines stay.
function withoutComments(text) {
  const token = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replace(token, (match) =>
    match.startsWith('/') ? match.replace(/[^\n]/g, ' ') : match,
  );
}

function readTree(root) {
  const files = {};
  for (const folder of ['src', 'lib']) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.(cc|h|ts)$/.test(entry.name)) continue;
      const file = join(entry.parentPath ?? entry.path, entry.name);
      files[file.slice(root.length + 1).replaceAll('\\', '/')] = readFileSync(file, 'utf8');
    }
  }
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = readTree(join(dirname(fileURLToPath(import.meta.url)), '..'));
  const violations = findViolations(files);
  for (const violation of violations) console.log(`not ok - ${violation}`);
  if (violations.length === 0) {
    console.log(`ok - ${Object.keys(files).length} files keep to the layers`);
  }
  process.exitCode = violations.length === 0 ? 0 : 1;
}
