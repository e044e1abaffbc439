// `node scripts/sources.mjs FOLDER...` prints the C++ sources in those folders (not below them), one
// a line, sorted, with forward slashes: binding.gyp's lists. A folder without any is an error.
import { readdirSync } from 'node:fs';

for (const folder of process.argv.slice(2)) {
  const names = readdirSync(folder).filter((name) => name.endsWith('.cc'));
  if (names.length === 0) {
    console.error(`sources.mjs: no .cc file in ${folder}`);
    process.exit(1);
  }
  for (const name of names.sort()) console.log(`${folder}/${name}`);
}
