// `npm run check:tests`: every test asserts something, itself or through a function of the tests that may throw.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';

const testNames = new Set(['it', 'test']);
// Functions that fail a test, whatever their arguments: vitest's, Node's, and a promise's.
const asserting = new Set(['expect', 'expectTypeOf', 'assert', 'reject', 'fail']);

/**
 * Every test in `files` (path from the repository's root -> text) that nothing can fail, as `path:line: name`.
 * Functions are known by their names alone.
 */
export function testsWithoutAssertion(files) {
  const sources = Object.entries(files).map(([path, text]) =>
    ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true),
  );
  const known = functionsThatAssert(sources);
  const found = [];
  for (const source of sources) {
    visit(source, (node) => {
      if (!ts.isCallExpression(node) || !testNames.has(rootName(node.expression))) return;
      const body = node.arguments.findLast((one) => !isOption(one));
      // In `it.each(cases)(...)` the inner call has no test; the outer one does.
      if (node.arguments.length < 2 || ts.isCallExpression(node.parent)) return;
      if (body && asserts(body, known)) return;
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      found.push(`${source.fileName}:${line + 1}: ${node.arguments[0].getText()}`);
    });
  }
  return found;
}

function functionsThatAssert(sources) {
  const bodies = [];
  for (const source of sources) {
    visit(source, (node) => {
      const name = nameOfFunction(node);
      if (name) bodies.push([name, ts.isVariableDeclaration(node) ? node.initializer : node.body]);
    });
  }
  const known = new Set(asserting);
  for (let before = -1; before !== known.size;) {
    before = known.size;
    for (const [name, body] of bodies) if (body && asserts(body, known)) known.add(name);
  }
  return known;
}

/** A test may have a limit in ms, or options. */
function isOption(argument) {
  return ts.isObjectLiteralExpression(argument) || ts.isNumericLiteral(argument);
}

function nameOfFunction(node) {
  if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) return node.name?.getText();
  const isFunction =
    ts.isVariableDeclaration(node) &&
    node.initializer &&
    (ts.isArrowFunction(node.initializer) || ts.isFunctionExpression(node.initializer));
  return isFunction ? node.name.getText() : undefined;
}

/** Whether code throws, or calls what asserts; a function that is passed by its name may be called. */
function asserts(body, known) {
  let does = false;
  visit(body, (node) => {
    if (ts.isThrowStatement(node)) does = true;
    if (ts.isIdentifier(node) && known.has(node.text)) does = true;
  });
  return does;
}

/** `it` of `it.skipIf(x).each(y)`. */
function rootName(expression) {
  let at = expression;
  while (ts.isCallExpression(at) || ts.isPropertyAccessExpression(at)) at = at.expression;
  if (ts.isTaggedTemplateExpression(at)) return rootName(at.tag);
  return ts.isIdentifier(at) ? at.text : '';
}

function visit(node, callback) {
  callback(node);
  ts.forEachChild(node, (child) => visit(child, callback));
}

function readTree(root) {
  const files = {};
  for (const entry of readdirSync(join(root, 'test'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    const file = join(entry.parentPath ?? entry.path, entry.name);
    if (file.includes('node_modules')) continue;
    files[file.slice(root.length + 1).replaceAll('\\', '/')] = readFileSync(file, 'utf8');
  }
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = readTree(join(dirname(fileURLToPath(import.meta.url)), '..'));
  const found = testsWithoutAssertion(files);
  for (const test of found) console.log(`not ok - ${test} asserts nothing`);
  if (found.length === 0) {
    console.log(`ok - every test in ${Object.keys(files).length} files asserts something`);
  }
  process.exitCode = found.length === 0 ? 0 : 1;
}
