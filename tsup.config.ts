import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

import { transformSync } from 'esbuild';
import { defineConfig } from 'tsup';
import ts from 'typescript';

// Four kinds of files:
//   index.js, testing.js      CommonJS: the one copy of the classes that Node.js runs
//   node.mjs, node-testing.mjs  what `import` gives in Node.js: the exports of the former
//   index.mjs, testing.mjs    ES modules, for bundlers (the condition `module` in package.json)
//   addon-file.js, .mjs       see lib/addon-file.ts
//   isolated-child.js, cli.js programs, see lib/isolated-child.ts and lib/cli
const entries = ['index', 'testing'];

rmSync('dist', { recursive: true, force: true });

export default defineConfig([
  {
    entry: [...entries.map((name) => `lib/${name}.ts`), 'lib/addon-file.ts'],
    format: 'esm',
    target: 'node20',
    // Both entries share one copy of each class, in CommonJS too.
    splitting: true,
    async onSuccess() {
      for (const file of readdirSync('dist').filter((name) => name.endsWith('.mjs'))) {
        shorten(`dist/${file}`);
        writeCommonJs(`dist/${file}`);
        minify(`dist/${file}`);
        // It runs in tests only.
        if (file === 'testing.mjs') minify('dist/testing.js');
      }
      for (const name of entries) writeNodeEntry(name);
    },
  },
  // It requires index.js, and runs only in Node.js.
  {
    entry: ['lib/isolated-child.ts'],
    format: 'cjs',
    target: 'node20',
    external: ['./index.js'],
    minifyWhitespace: true,
  },
  // So does the program `patchcord`. Its files are in a folder, and the bundle is beside index.js.
  {
    entry: { cli: 'lib/cli/main.ts' },
    format: 'cjs',
    target: 'node20',
    banner: { js: '#!/usr/bin/env node' },
    esbuildPlugins: [
      {
        name: 'index',
        setup(build) {
          build.onResolve({ filter: /^\.\.\/index\.js$/ }, () => ({
            path: './index.js',
            external: true,
          }));
        },
      },
    ],
    minifyWhitespace: true,
  },
  // The declarations of the CommonJS files stand for all: a class must have one type only.
  {
    entry: entries.map((name) => `lib/${name}.ts`),
    format: 'cjs',
    dts: { only: true, compilerOptions: { stripInternal: true } },
  },
]);

// esbuild keeps the comments in class bodies, and indents by two spaces: a tenth of the package. Lines stay, for stacks. Comments within a line
// are for bundlers (`@__PURE__`). A line that begins in a template literal is part of it.
function shorten(file: string): void {
  // The names of classes are in messages, in stats().link and in stacks. esbuild gives a class that refers to itself
  // another name.
  let text = readFileSync(file, 'utf8');
  for (const [, name] of text.matchAll(/^var (\w+) = class _\1 /gm)) {
    text = text
      .replace(`var ${name} = class _${name} `, `class ${name} `)
      .replaceAll(new RegExp(`\\b_${name}\\b`, 'g'), name);
  }
  const cuts = new Map<number, number>();
  const kept = new Set<number>();
  const visit = (node: ts.Node): void => {
    for (const { pos, end } of ts.getLeadingCommentRanges(text, node.pos) ?? []) {
      const lineStart = text.lastIndexOf('\n', pos) + 1;
      const isAlone = text.slice(lineStart, pos).trim() === '' && text[end] === '\n';
      if (isAlone) cuts.set(lineStart, end + 1);
    }
    if (ts.isTemplateExpression(node) || ts.isNoSubstitutionTemplateLiteral(node)) {
      for (let at = text.indexOf('\n', node.pos); at >= 0 && at < node.end;) {
        kept.add(at + 1);
        at = text.indexOf('\n', at + 1);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest));
  let shortened = '';
  for (let at = 0; at < text.length;) {
    const cut = cuts.get(at);
    const end = cut ?? (text.indexOf('\n', at) + 1 || text.length);
    if (cut === undefined) {
      const line = text.slice(at, end);
      shortened += kept.has(at) ? line : line.replace(/^ +/, '');
    }
    at = end;
  }
  writeFileSync(file, shortened);
}

// tsup's own CommonJS with shared chunks is written by sucrase, which replaces `?.` and `??` by calls of functions, and sets
// an export wherever a class sets a private field of the same name.
function writeCommonJs(file: string): void {
  const { code } = transformSync(readFileSync(file, 'utf8'), {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    // CommonJS has `__dirname`.
    define: { 'import.meta': 'undefined' },
  });
  const script = file.replace(/\.mjs$/, '.js');
  const text = code
    .replaceAll(/require\("(\.\/.*?)\.mjs"\)/g, 'require("$1.js")')
    // Four hundred times in a file.
    .replaceAll(/\bimport_(chunk_\w{3})\w*/g, '$1');
  writeFileSync(script, `"use strict";\n${text}`);
  shorten(script);
}

// Bundlers write the code of the modules again, so only CommonJS must be readable in stacks.
function minify(file: string): void {
  const { code } = transformSync(readFileSync(file, 'utf8'), {
    minifyWhitespace: true,
    target: 'node20',
  });
  writeFileSync(file, code);
}

// Not `export … from './index.js'`: to find the names of its exports Node.js would then parse the whole
// CommonJS file, which takes longer than running it.
function writeNodeEntry(name: string): void {
  const require = createRequire(resolve('dist/'));
  const exported = require(`./dist/${name}.js`) as Record<string, unknown>;
  const names = Object.keys(exported).sort();
  for (const one of names) {
    const value = exported[one];
    if (typeof value === 'function' && value.name !== one) throw new Error(`${one}: ${value.name}`);
  }
  const file = `dist/${name === 'index' ? 'node' : `node-${name}`}`;
  writeFileSync(
    `${file}.mjs`,
    `import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export const { ${names.join(', ')} } = require('./${name}.js');
`,
  );
  writeFileSync(`${file}.d.mts`, `export * from './${name}.js';\n`);
}
