// The code in the pages of the package compiles in a strict TypeScript project: an app copies it. Names that a piece
// leaves to the app, such as `transcribe()`, need not exist.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';
import { expect, it, vi } from 'vitest';

// Work, not waiting; yet a busy machine may take its time.
vi.setConfig({ testTimeout: 120_000 });

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];
const pieces = new Map(
  pages
    .filter((page) => page.endsWith('.md'))
    .flatMap((page) => {
      const text = readFileSync(join(root, page), 'utf8').replaceAll('\r', '');
      return [...text.matchAll(/^```(?:js|ts)\n([^]*?)^```/gm)].map(({ index, 1: code }) => {
        const line = text.slice(0, index).split('\n').length;
        return [join(root, `${page}-${line}.mts`), code] as const;
      });
    })
    .filter(([, code]) => code.includes("from 'patchcord")),
);

// The errors for parts that the app has to add: a name, and the type of a parameter or of an empty list.
const leftOut = new Set([2304, 2552, 18004, 7005, 7006, 7031, 7034]);
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  strict: true,
  skipLibCheck: true,
  noEmit: true,
  types: ['node'],
  typeRoots: [join(root, 'node_modules/@types')],
  baseUrl: root,
  paths: { patchcord: ['lib/index.ts'], 'patchcord/testing': ['lib/testing.ts'] },
};

it('every piece of code in the pages that imports the package compiles', () => {
  expect(pieces.size).toBeGreaterThan(5);
  const host = ts.createCompilerHost(options);
  const readFile = host.readFile.bind(host);
  host.readFile = (name) => pieces.get(join(name)) ?? readFile(name);
  host.getSourceFile = (name, version) => {
    const text = host.readFile(name);
    return text === undefined ? undefined : ts.createSourceFile(name, text, version);
  };
  const fileExists = host.fileExists.bind(host);
  host.fileExists = (name) => pieces.has(join(name)) || fileExists(name);
  const program = ts.createProgram([...pieces.keys()], options, host);
  const problems = [...pieces.keys()].flatMap((path) => {
    const file = program.getSourceFile(path)!;
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
      .filter(({ code }) => !leftOut.has(code))
      .map(({ messageText, start, code }) => {
        const { line } = file.getLineAndCharacterOfPosition(start ?? 0);
        const text = ts.flattenDiagnosticMessageText(messageText, '\n');
        return `${path.slice(root.length)}+${line + 1}: TS${code}: ${text}`;
      });
  });
  expect(problems).toEqual([]);
});
