// The npm packages that are compared with: installed when first needed, into bench/peers, by its lock file.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('peers', import.meta.url));

/** Why they are not there, or undefined. */
export function whyNoPeers() {
  if (existsSync(`${folder}/node_modules`)) return undefined;
  try {
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return undefined;
  } catch (error) {
    return `npm ci in bench/peers: ${String(error.stderr ?? error.message).split('\n')[0]}`;
  }
}

export const peer = createRequire(`${folder}/package.json`);
