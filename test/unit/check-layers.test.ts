import { describe, expect, test } from 'vitest';

import { findViolations } from '../../scripts/check-layers.mjs';

const check = (path: string, text: string) => findViolations({ [path]: text });

describe('what breaks a layer rule', () => {
  test.each([
    ['core includes a backend', 'src/core/a.cc', '#include "../backend/backend.h"'],
    ['core includes the addon', 'src/core/a.h', '#include "../addon/addon.h"'],
    ['core includes a POSIX header', 'src/core/a.cc', '#include <unistd.h>'],
    ['core includes a Windows header', 'src/core/a.cc', '#  include <windows.h>'],
    ['core includes an OS folder', 'src/core/a.cc', '#include <sys/time.h>'],
    ['core sees N-API', 'src/core/a.cc', '#include <napi.h>'],
    ['core chooses a platform', 'src/core/a.cc', '#ifdef X\n#if defined(_WIN32)'],
    ['core climbs out and back', 'src/core/a.cc', '#include "../core/../addon/x.h"'],
    ['signal includes time', 'src/core/signal/a.cc', '#include "../time/clock.h"'],
    ['time includes signal', 'src/core/time/a.h', '#include "../signal/format.h"'],
    ['signal includes the graph', 'src/core/signal/a.h', '#include "../graph/record.h"'],
    ['the base includes a room', 'src/core/error.h', '#include "time/clock.h"'],
    ['the addon knows a backend', 'src/addon/host_object.cc', '#include "../backend/pulse/a.h"'],
    ['the addon knows the world', 'src/addon/a.cc', '#include "../backend/simulated/world.h"'],
    ['a backend includes another', 'src/backend/pulse/a.cc', '#include "../simulated/world.h"'],
    ['the contract includes a backend', 'src/backend/backend.h', '#include "pulse/pulse_host.h"'],
    ['a backend includes the addon', 'src/backend/pulse/a.cc', '#include "../../addon/addon.h"'],
    ['a backend sees N-API', 'src/backend/wasapi/a.cc', '#include <node_api.h>'],
    ['the addon includes an OS header', 'src/addon/a.cc', '#include <pthread.h>'],
    ['lib leaves its folder', 'lib/index.ts', "import { x } from '../scripts/x.mjs';"],
    ['lib loads the addon elsewhere', 'lib/index.ts', 'const addon = loadAddon(functions);'],
    [
      'lib requires a .node file',
      'lib/a.ts',
      "const a = require('./build/Release/patchcord.node');",
    ],
    ['lib calls dlopen', 'lib/sources/a.ts', 'process.dlopen(module, file);'],
    ['format uses the engine', 'lib/format/a.ts', "import { x } from '../engine/native.js';"],
    ['the engine uses streams', 'lib/engine/a.ts', "import type { X } from '../streams/x.js';"],
    ['devices use streams', 'lib/devices/a.ts', "import { x } from '../streams/x.js';"],
    ['streams use sources', 'lib/streams/a.ts', "import { x } from '../sources/x.js';"],
    ['streams use the mixer', 'lib/streams/a.ts', "import type { X } from '../mixer/mixer.js';"],
    ['sources use sinks', 'lib/sources/a.ts', "import { x } from '../sinks/x.js';"],
    ['the mixer uses transforms', 'lib/mixer/a.ts', "import { x } from '../transforms/gain.js';"],
    ['a room uses the entry', 'lib/sinks/a.ts', "import { Mixer } from '../index.js';"],
    ['a room without a rule', 'lib/extra/a.ts', "import { x } from '../streams/x.js';"],
    ['errors use a room', 'lib/errors.ts', "import { x } from './engine/native.js';"],
  ])('%s', (_, path, text) => {
    expect(check(path, text)).toHaveLength(1);
  });

  test('imports in a circle, of two files and of three', () => {
    const imports = (from: string) => `import type { X } from '${from}';`;
    expect(
      findViolations({
        'lib/mixer/a.ts': imports('./b.js'),
        'lib/mixer/b.ts': imports('./a.js'),
      }),
    ).toEqual([
      'lib/mixer/a.ts: a circle of imports: lib/mixer/a.ts -> lib/mixer/b.ts -> lib/mixer/a.ts',
    ]);
    expect(
      findViolations({
        'lib/index.ts': imports('./mixer/a.js'),
        'lib/mixer/a.ts': imports('./b.js'),
        'lib/mixer/b.ts': "import {\n  x,\n} from './c.js';",
        'lib/mixer/c.ts': "export { x } from './a.js';",
      }),
    ).toHaveLength(1);
  });

  test.each([
    'auto t = std::chrono::steady_clock::now();',
    'using clock = std::chrono::high_resolution_clock;',
    'clock_gettime(CLOCK_MONOTONIC, &t);',
    'srand(time(nullptr));',
    'int64_t t = std::time(&x);',
    'QueryPerformanceCounter(&counter);',
    'auto ms = GetTickCount64();',
    'pa_usec_t t = pa_rtclock_now();',
    'Sleep(10);',
    '::sleep(1);',
    'usleep(1000);',
    'nanosleep(&t, nullptr);',
    'std::this_thread::sleep_for(ms);',
    'condition.wait_for(lock, ms);',
    'condition->wait_until(lock, then);',
  ])('time outside of Clock: %s', (code) => {
    expect(check('src/core/a.cc', code)).toHaveLength(1);
    expect(check('src/backend/pulse/a.cc', code)).toHaveLength(1);
    expect(check('src/backend/registry.cc', code)).toHaveLength(1);
    expect(check('src/backend/platform_posix.cc', code)).toEqual([]);
  });

  test.each([
    ['src/backend/platform_posix.cc', 'sem_timedwait(&semaphore, &deadline);'],
    ['src/backend/platform_posix.cc', 'constexpr clockid_t kClock = CLOCK_REALTIME;'],
    ['src/addon/a.cc', 'pthread_cond_timedwait(&condition, &mutex, &deadline);'],
    ['lib/sources/a.ts', 'const until = Date.now() + 1000;'],
    ['lib/sources/a.ts', 'const now = new Date();'],
  ])('the wall clock in %s: %s', (path, code) => {
    expect(check(path, code)).toHaveLength(1);
  });

  test('each place is named with its line', () => {
    expect(
      check('src/core/a.cc', '// one\n#include <vector>\n#include <windows.h>\nSleep(1);'),
    ).toEqual([
      'src/core/a.cc:3: the system header <windows.h> belongs to src/backend alone',
      'src/core/a.cc:4: sleeps; time comes from Clock',
    ]);
  });
});

describe('what keeps to the rules', () => {
  test.each([
    [
      'src/core/a.cc',
      '#include "b.h"\n#include <vector>\n#include <cmath>\n#include <immintrin.h>',
    ],
    ['src/core/a.cc', 'int64_t t = clock.now(); // not time(nullptr), nor Sleep(1)'],
    ['src/core/a.cc', '/* #include <windows.h>\n   Sleep(1) */ event_->wait(timeout);'],
    [
      'src/core/a.cc',
      'int64_t when = timeline.time(frame); bool b = stream->time(0) > x.sleep(1);',
    ],
    ['src/backend/pulse/a.cc', '#include "b.h"\n#include "../backend.h"\n#include <dlfcn.h>'],
    ['src/backend/pulse/a.cc', '#include "../../core/clock.h"\nlog("Sleep(1) and clock_gettime");'],
    [
      'src/backend/registry.cc',
      '#ifdef _WIN32\n#if defined(_WIN32)\n#include "wasapi/host.h"\n#endif',
    ],
    ['src/core/graph/a.cc', '#include "../signal/gain.h"\n#include "../time/clock.h"'],
    ['src/addon/world_object.cc', '#include "../backend/simulated/world.h"'],
    ['src/addon/a.cc', '#include <napi.h>\n#include "../backend/registry.h"\n#include <string>'],
    ['lib/engine/native.ts', 'const addon = loadAddon(functions);'],
    [
      'lib/sources/mic.ts',
      "import { native } from '../engine/native';\nimport { join } from 'node:path';",
    ],
    ['lib/sinks/a.ts', "import { x } from '../sources/x.js';\nimport { y } from '../errors.js';"],
    ['lib/testing.ts', "import { x } from './engine/native.js';"],
    ['lib/index.ts', "// const addon = loadAddon(functions);\nexport { a } from './a';"],
  ])('%s: %s', (path, text) => {
    expect(check(path, text)).toEqual([]);
  });
});
