// The npm packages of the comparisons. They are installed into bench/peers at their first use, in the versions of its
// lock file. `npm ci` would refuse that file, which does not list the packages for other systems.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('peers', import.meta.url));

/** Why they are not there, or undefined. */
export function whyNoPeers() {
  if (existsSync(`${folder}/node_modules`)) return undefined;
  try {
    execFileSync('npm', ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return undefined;
  } catch (error) {
    return `npm install in bench/peers: ${String(error.stderr ?? error.message).split('\n')[0]}`;
  }
}

export const peer = createRequire(`${folder}/package.json`);
