// A reader of the package follows every link of its pages: what a page of the package links to, or shows, is in the
// package.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const listed = execFileSync('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], {
  cwd: root,
  encoding: 'utf8',
  shell: process.platform === 'win32',
});
const [{ files }] = JSON.parse(listed) as { files: { path: string }[] }[];
const packed = new Set(files.map(({ path }) => path));
const pages = [...packed].filter((path) => path.endsWith('.md'));
const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The places that a page links to or shows, relative to the root; not those with a scheme. */
function targetsOf(page: string): { path: string; anchor: string | undefined }[] {
  const text = textOf(page).replaceAll(/^```[^]*?^```/gm, '');
  const links = [
    ...text.matchAll(/\]\(\s*<?([^)\s>]+)/g),
    ...text.matchAll(/^\s*\[[^\]]+\]:\s*(\S+)/gm),
    ...text.matchAll(/\b(?:src|href)="([^"]+)"/g),
  ].map(([, link]) => link);
  return links
    .filter((link) => !/^[a-z][a-z+.-]*:/i.test(link))
    .map((link) => {
      const [path, anchor] = link.split('#');
      return {
        path: path ? normalize(join(dirname(page), path)).replaceAll('\\', '/') : page,
        anchor,
      };
    });
}

/** As GitHub and npm name a heading. */
function anchorsOf(page: string): string[] {
  return [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

it('the package has pages, with links', () => {
  expect(pages).toEqual(
    expect.arrayContaining(['README.md', 'docs/meetings.md', 'docs/recording.md']),
  );
  expect(pages.flatMap(targetsOf).length).toBeGreaterThan(30);
});

it.each(pages)('%s links only to files and headings that are in the package', (page) => {
  const broken = targetsOf(page).filter(
    ({ path, anchor }) =>
      !packed.has(path) || (anchor !== undefined && !anchorsOf(path).includes(anchor)),
  );
  expect(broken).toEqual([]);
});
