import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

const root = join(__dirname, '../../src');

// A bare name is looked for in the program's folder first, where anybody may have put a library of that name.
test('libraries of Windows are loaded from its own folder', () => {
  const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.cc'))
    .map((path) => readFileSync(join(root, path), 'utf8'));
  const bare = sources.flatMap((text) => text.match(/LoadLibrary(?:Ex)?W\(L"[^;]*/g) ?? []);
  expect(bare.length).toBeGreaterThan(0);
  for (const call of bare) expect(call).toContain('LOAD_LIBRARY_SEARCH_SYSTEM32');
});
