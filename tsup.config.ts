import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

import { defineConfig } from 'tsup';
import ts from 'typescript';

// Four kinds of files:
//   index.js, testing.js      CommonJS: the one copy of the classes that Node.js runs
//   node.mjs, node-testing.mjs  what `import` gives in Node.js: the exports of the former
//   index.mjs, testing.mjs    ES modules, for bundlers (the condition `module` in package.json)
//   addon-file.js, .mjs       see lib/addon-file.ts
//   isolated-child.js         a program, see lib/isolated-child.ts
const entries = ['index', 'testing'];

rmSync('dist', { recursive: true, force: true });

export default defineConfig([
  {
    entry: [...entries.map((name) => `lib/${name}.ts`), 'lib/addon-file.ts'],
    format: ['cjs', 'esm'],
    target: 'node20',
    // Both entries share one copy of each class, in CommonJS too.
    splitting: true,
    // Class names are in messages, in stats().link and in stacks.
    keepNames: true,
    esbuildOptions(options, { format }) {
      // CommonJS has `__dirname`.
      if (format === 'cjs') options.define = { ...options.define, 'import.meta': 'undefined' };
    },
    async onSuccess() {
      for (const file of readdirSync('dist')) {
        if (/\.m?js$/.test(file)) shorten(`dist/${file}`);
      }
      for (const name of entries) writeNodeEntry(name);
    },
  },
  // It requires index.js. As one more entry of the above it would share a chunk with it, and what sucrase makes of chunks
  // that export `closing` sets that export wherever a class sets its field `#closing`.
  { entry: ['lib/isolated-child.ts'], format: 'cjs', target: 'node20', external: ['./index.js'] },
  // The declarations of the CommonJS files stand for all: a class must have one type only.
  {
    entry: entries.map((name) => `lib/${name}.ts`),
    format: 'cjs',
    dts: { only: true, compilerOptions: { stripInternal: true } },
  },
]);

// esbuild keeps the comments in class bodies, and indents by two spaces: a tenth of the package. Comments within a line
// are for bundlers (`@__PURE__`). A line that begins in a template literal is part of it.
function shorten(file: string): void {
  const text = readFileSync(file, 'utf8');
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
      shortened += kept.has(at) ? line : line.replace(/^ +/, (all) => all.slice(all.length / 2));
    }
    at = end;
  }
  writeFileSync(file, shortened);
}

// Not `export … from './index.js'`: to find the names of its exports Node.js would then parse the whole
// CommonJS file, which takes longer than running it.
function writeNodeEntry(name: string): void {
  const require = createRequire(resolve('dist/'));
  const names = Object.keys(require(`./dist/${name}.js`) as object).sort();
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
