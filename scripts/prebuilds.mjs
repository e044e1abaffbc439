// `npm run prebuilds`: compiles this machine's prebuilt addon into prebuilds/<platform>-<arch>/, named as
// node-gyp-build looks for it (Linux: patchcord.glibc.node, so that musl systems never try it).
// It is compiled from scratch in a folder of its own, so that build/Release stays as it is; below the
// checkout, because prebuildify moves the result by renaming, which only works on one file system.
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import prebuildify from 'prebuildify';

import { nodeHeaders } from './node-headers.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
mkdirSync(join(root, 'build'), { recursive: true });
const folder = mkdtempSync(join(root, 'build/prebuild-'));
try {
  for (const part of ['package.json', 'binding.gyp', 'scripts', 'src']) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }

  const headers = nodeHeaders();
  if (headers) process.env.npm_config_nodedir = headers;
  process.env.npm_config_jobs = 'max';
  await promisify(prebuildify)({
    cwd: folder,
    out: root,
    napi: true,
    strip: true,
    tagLibc: process.platform === 'linux',
    // Node-API makes one binary serve every version: it is compiled against the running one.
    targets: [{ runtime: 'node', target: process.versions.node }],
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
