// Prints the linker flags for src/addon/glibc_floor.cc: one --wrap for each symbol that it binds. Prints none if the
// C library is not glibc.
import { readFileSync } from 'node:fs';
import process from 'node:process';

if (process.report.getReport().header.glibcVersionRuntime) {
  const source = readFileSync('src/addon/glibc_floor.cc', 'utf8');
  const names = source.matchAll(/^WRAP\((\w+)|\b__wrap_(\w+)/gm);
  const unique = new Set(Array.from(names, ([, wrapped, written]) => wrapped ?? written));
  for (const name of unique) console.log(`-Wl,--wrap=${name}`);
}
