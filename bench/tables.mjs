// Rows of figures as Markdown: for the terminal, and for docs/performance.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const page = fileURLToPath(new URL('../docs/performance.md', import.meta.url));

export function markdown(rows) {
  const columns = [...new Set(rows.flatMap(Object.keys))];
  const line = (cells) => `| ${cells.join(' | ')} |\n`;
  return [
    line(columns),
    line(columns.map(() => '---')),
    ...rows.map((row) => line(columns.map((column) => row[column] ?? ''))),
  ].join('');
}

/** Between `<!-- NAME -->` and `<!-- end -->` of docs/performance.md; nothing if it has no such mark. */
export function putIntoDocs(name, text) {
  const all = readFileSync(page, 'utf8');
  const mark = `<!-- ${name} -->`;
  const from = all.indexOf(mark);
  if (from < 0) return;
  const to = all.indexOf('<!-- end -->', from);
  writeFileSync(page, `${all.slice(0, from + mark.length)}\n\n${text}\n${all.slice(to)}`);
}
