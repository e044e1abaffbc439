// docs/testing.md shows what examples/app.test.mjs runs.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

const here = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const example = here('examples/app.test.mjs');
const text = (path: string) => readFileSync(path, 'utf8').replaceAll('\r', '');

it('every piece of code on the page is in the example', () => {
  const pieces = text(here('docs/testing.md')).match(/(?<=```js\n)[^]*?(?=\n```)/g) ?? [];
  expect(pieces.length).toBeGreaterThan(5);
  for (const piece of pieces) expect(text(example)).toContain(piece);
});

it('the example passes', () => {
  const { status, stdout } = spawnSync(process.execPath, [example], { encoding: 'utf8' });
  expect(stdout).toContain('unplugged');
  expect(status, stdout).toBe(0);
}, 60_000);
