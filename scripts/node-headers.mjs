import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The prefix whose include/node holds the headers of the running node, as distribution packages and
 * version managers install them, so that node-gyp needs no download; undefined if they are not there.
 */
export function nodeHeaders() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include/node/node_api.h')) ? prefix : undefined;
}
