// `npm run format`: prettier for TypeScript, JavaScript and JSON, clang-format for C++. With --check
// (`npm run format:check`) nothing is written and a difference is an error.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const check = process.argv.includes('--check');

function cppFiles() {
  return ['src', 'test', 'bench'].flatMap((folder) => {
    let names = [];
    try {
      names = readdirSync(join(root, folder), { recursive: true });
    } catch {
      // The folder does not exist.
    }
    const ours = names.filter((name) => /\.(cc|h)$/.test(name) && !name.includes('node_modules'));
    return ours.map((name) => join(folder, name));
  });
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error?.code === 'ENOENT') {
    console.log(
      `absent: ${command} (not in PATH; Debian: apt-get install ${command}): C++ is not formatted`,
    );
    return process.env.CI ? 1 : 0;
  }
  return status;
}

const prettier = join(root, 'node_modules/prettier/bin/prettier.cjs');
const statuses = [
  run(process.execPath, [prettier, check ? '--check' : '--write', '--log-level=warn', '.']),
  // Version 14, from Debian 12: versions apply the same rules differently.
  run('clang-format', check ? ['--dry-run', '--Werror', ...cppFiles()] : ['-i', ...cppFiles()]),
];
process.exitCode = statuses.every((status) => status === 0) ? 0 : 1;
