// Prints rows of figures as Markdown: for the terminal, and for the pages of docs/ that have a place for them.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const pages = ['performance', 'echo'].map((name) =>
  fileURLToPath(new URL(`../docs/${name}.md`, import.meta.url)),
);

export function markdown(rows) {
  const columns = [...new Set(rows.flatMap(Object.keys))];
  const line = (cells) => `| ${cells.join(' | ')} |\n`;
  return [
    line(columns),
    line(columns.map(() => '---')),
    ...rows.map((row) => line(columns.map((column) => row[column] ?? ''))),
  ].join('');
}

/** Between `<!-- NAME -->` and `<!-- end -->` of the page that has such a mark; nothing if none has. */
export function putIntoDocs(name, text) {
  const mark = `<!-- ${name} -->`;
  for (const page of pages) {
    const all = readFileSync(page, 'utf8');
    const from = all.indexOf(mark);
    if (from < 0) continue;
    const to = all.indexOf('<!-- end -->', from);
    writeFileSync(page, `${all.slice(0, from + mark.length)}\n\n${text}\n${all.slice(to)}`);
  }
}
