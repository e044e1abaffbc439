// Whether a Linux addon loads on the oldest systems that run Node 20.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

// The version that Node 20's own binary requires.
const oldestGlibc = [2, 28];

// glibc's own libraries; before 2.34 threads, dlopen and timers had separate files.
const allowedLibraries = /^(libc|libm|libpthread|libdl|librt|ld-linux[\w-]*)\.so\.\d+$/;

/**
 * The checks of an addon file as [name, function that throws].
 * @param {string} file
 * @returns {[string, () => void][]}
 */
export function checkElf(file) {
  const readelf = (...args) => execFileSync('readelf', ['-W', ...args, file], { encoding: 'utf8' });
  const symbols = () =>
    readelf('--dyn-syms')
      .split('\n')
      .map((line) => /^\s*\d+: \S+\s+\d+ (\S+)\s+(\S+)\s+\S+\s+(\S+) (\S+)/.exec(line))
      .filter(Boolean)
      .map(([, type, binding, section, name]) => ({ type, binding, section, name }));

  return [
    [
      'the addon needs glibc and nothing else (no libstdc++, no libpulse)',
      () => {
        const needed = [...readelf('-d').matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name);
        assert.ok(needed.includes('libc.so.6'));
        assert.deepEqual(
          needed.filter((name) => !allowedLibraries.test(name)),
          [],
        );
      },
    ],
    [
      `the addon loads with glibc ${oldestGlibc.join('.')}`,
      () => {
        const versioned = symbols().filter(
          ({ section, name }) => section === 'UND' && name.includes('@'),
        );
        assert.ok(versioned.length > 0);
        const newer = versioned.filter(({ name }) => {
          const [, major, minor] = /@+GLIBC_(\d+)\.(\d+)/.exec(name) ?? [];
          return (
            major === undefined || Number(major) > oldestGlibc[0] || Number(minor) > oldestGlibc[1]
          );
        });
        assert.deepEqual(
          newer.map(({ name }) => name),
          [],
        );
      },
    ],
    [
      'the addon exports Node-API entry points only',
      () => {
        const exported = symbols().filter(
          ({ section, binding }) => section !== 'UND' && binding !== 'LOCAL',
        );
        assert.deepEqual(exported.map(({ name }) => name).sort(), [
          'napi_register_module_v1',
          'node_api_module_get_api_version_v1',
        ]);
      },
    ],
  ];
}
