// `npm run check:docs`: every public name says what it is. A name that index.ts or testing.ts exports, and each
// public member of it, has its own description or inherits one; an optional option has `@default`; a function that
// throws has `@throws` with the codes; a class that an app constructs has `@example`. Prints one `not ok` line
// for each place that lacks something, and exits 1.
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const entries = ['lib/index.ts', 'lib/testing.ts'].map((path) => join(root, path));
const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) =>
  readFileSync(path, 'utf8'),
);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const program = ts.createProgram(entries, options);
const checker = program.getTypeChecker();

// The members of these belong to Node.
const ofNode = ['ReadableEvents', 'WritableEvents', 'ChunkIterator'];

/** Whether each function that was looked at throws. */
const known = new Map();
const problems = [];
let count = 0;

for (const entry of entries) {
  const file = checker.getSymbolAtLocation(program.getSourceFile(entry));
  for (const exported of checker.getExportsOfModule(file)) {
    const symbol =
      exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    checkExport(symbol);
  }
}

for (const problem of problems.sort()) console.log(`not ok - ${problem}`);
if (problems.length === 0) console.log(`ok - ${count} public names are documented`);
process.exitCode = problems.length === 0 ? 0 : 1;

function report(declaration, name, what) {
  const file = declaration.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(declaration.getStart());
  problems.push(`${relative(root, file.fileName)}:${line + 1}: ${name} ${what}`);
}

function checkExport(symbol) {
  const { name } = symbol;
  // The declaration with the description; declarations merged with it add types to methods of Node.
  const declaration = symbol.declarations[0];
  checkName(symbol, declaration, name);
  if (ts.isFunctionDeclaration(declaration)) checkThrows(symbol, declaration, name);
  if (ts.isClassDeclaration(declaration)) {
    const isAbstract = ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Abstract;
    const isMade = declaration.members.some(
      (member) => ts.isConstructorDeclaration(member) && !isInternal(member),
    );
    if (isMade && !isAbstract && !hasTag(symbol, 'example'))
      report(declaration, name, 'has no @example');
    for (const member of declaration.members) checkMember(member, name);
  }
  if (ts.isInterfaceDeclaration(declaration)) {
    for (const member of declaration.members) checkMember(member, name);
  }
}

function checkMember(member, owner) {
  if (isInternal(member) || ofNode.includes(owner)) return;
  if (ts.isConstructorDeclaration(member)) {
    if (throws(member) && !/ERR_/.test(throwsText(member))) {
      report(member, `new ${owner}()`, 'has no @throws with the codes');
    }
    return;
  }
  const name = member.name;
  if (!name || ts.isPrivateIdentifier(name)) return;
  // It calls close() without arguments, so no argument can be wrong.
  if (ts.isComputedPropertyName(name)) return;
  // Methods of a stream that Node calls: Node documents them.
  if (ts.isIdentifier(name) && name.text.startsWith('_')) return;
  const symbol = checker.getSymbolAtLocation(name);
  if (!symbol) return;
  const label = `${owner}.${name.getText()}`;
  const isNodes = isOfNode(member, symbol);
  if (!isNodes) checkName(symbol, member, label);
  if (owner.endsWith('Options') && member.questionToken && !hasTag(symbol, 'default')) {
    report(member, label, 'has no @default');
  }
  if (ts.isMethodDeclaration(member) && !isNodes) checkThrows(symbol, member, label);
}

function checkName(symbol, declaration, label) {
  count++;
  const text = ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
  if (text === '') report(declaration, label, 'has no description');
}

function checkThrows(symbol, declaration, label) {
  if (!throws(declaration)) return;
  const tags = symbol.getJsDocTags(checker).filter(({ name }) => name === 'throws');
  const text = tags.map((tag) => ts.displayPartsToString(tag.text)).join(' ');
  // A function that returns a promise rejects it.
  const prose = ts.displayPartsToString(symbol.getDocumentationComment(checker));
  if (/ERR_/.test(text) || /Rejects with `ERR_/.test(prose)) return;
  report(declaration, label, 'has no @throws with the codes');
}

function throwsText(declaration) {
  return ts
    .getJSDocTags(declaration)
    .filter((tag) => tag.tagName.text === 'throws')
    .map((tag) => ts.getTextOfJSDocComment(tag.comment) ?? '')
    .join(' ');
}

/**
 * Whether the body throws, or calls a check (a name that begins with `check`), or a function of the same file that
 * does. Errors that a `try` catches do not count.
 */
function throws(declaration) {
  if (known.has(declaration)) return known.get(declaration);
  known.set(declaration, false); // false while its own body is read
  let found = false;
  const visit = (node) => {
    if (found || ts.isFunctionLike(node)) return;
    if (ts.isTryStatement(node) && node.catchClause) {
      visit(node.catchClause.block);
      if (node.finallyBlock) visit(node.finallyBlock);
      return;
    }
    if (ts.isThrowStatement(node)) found = true;
    if (ts.isCallExpression(node) && isThrowing(node)) found = true;
    ts.forEachChild(node, visit);
  };
  if (declaration.body) ts.forEachChild(declaration.body, visit);
  known.set(declaration, found);
  return found;
}

function isThrowing(call) {
  if (/^(check|throwIf)[A-Z]/.test(call.expression.getText())) return true;
  const called = checker.getResolvedSignature(call)?.declaration;
  // Arguments that another file checks mostly come from this package, not from the app.
  if (!called?.body || called.getSourceFile() !== call.getSourceFile()) return false;
  return !isPromise(called) && throws(called);
}

// Its errors are rejections of a promise, which the caller may handle.
function isPromise(declaration) {
  return (ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Async) !== 0;
}

function isInternal(node) {
  return ts.getJSDocTags(node).some((tag) => tag.tagName.text === 'internal');
}

function hasTag(symbol, tag) {
  return symbol.getJsDocTags(checker).some(({ name }) => name === tag);
}

/** Whether the class that Node gives has a member of that name. */
function isOfNode(member, symbol) {
  const parent = member.parent;
  if (!ts.isClassDeclaration(parent)) return false;
  const bases = checker.getBaseTypes(checker.getDeclaredTypeOfSymbol(parent.symbol));
  return bases.some((base) => {
    const inherited = base.getProperty(symbol.name);
    return inherited?.declarations?.some((one) =>
      one.getSourceFile().fileName.includes('/node_modules/'),
    );
  });
}
