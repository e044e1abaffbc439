// `npm run check:docs` runs this too: finds wording at which a reader stops, and says what to write instead. It reads
// the documentation, all comments, the texts of lib/ and examples/, the error messages of src/, and the names of tests.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';

const things =
  '(?:app|backend|canceller|clock|device|driver|engine|event|filter|host|input|listener|loop|meter|mixer|node|output|packet|program|queue|reader|recording|server|sink|source|stream|system|timer|transform|writer)s?';

/** Each kind of wording: the pattern, and what to write instead. */
const kinds = [
  [/\bin words\b/i, 'say "fails with an error that says why"'],
  [/\b(?:is|are|was|were|be|been|being|gets?) told\b/i, 'name who reports what to whom'],
  [new RegExp(`\\b${things} (?:tells?|told)\\b`, 'i'), 'a program reports, emits or says'],
  [
    new RegExp(
      `\\b${things} (?:wants?|wishes|believes?|thinks?|forgets?|notices? nothing)\\b`,
      'i',
    ),
    'a program has no will: say what it needs or does',
  ],
  [/\bhears? of\b/i, 'a program receives or reports'],
  [
    /\bnobody (?:asks?|asked|gave|gives|has|hears?|holds?|looks?|made|reads?|sees|takes|tells?|told|waits?|wrote)\b/i,
    'name the actor, or say "without a reader"',
  ],
  [
    /\b(?:somebody|someone) (?:asks?|awaits|hears|holds|looks|reads|takes|waits|writes)\b/i,
    'name the actor: a reader, a caller, a program',
  ],
  [
    /\bwho(?:ever)? (?:asks|hears|holds|listens|plays|reads|waits|writes)\b/i,
    'name the actor: a reader, a caller, a program',
  ],
  [/\bfor (?:ever|good and all|its whole life)\b/i, 'say until when'],
  [/\b(?:cannot|can|could|to) be had\b/i, 'say "is available" or "is not supported"'],
  [/\ball the same\b/i, 'say "anyway"'],
  [/\bsees? to (?:it|the)\b/i, 'name what it does'],
  [/\bin one breath\b/i, 'say "at once"'],
  [/\bmov(?:es|ed) by hand\b/i, 'say "a manual clock"'],
  [/\b(?:made|makes?|begins?|opened) anew\b/i, 'say "again"'],
  [/\b(?:runs?|ran|running) dry\b/i, 'say "underruns"'],
  [/\b(?:throws?|thrown|threw) away\b/i, 'say "discards"'],
  [/\blets? go of\b/i, 'say "releases" or "closes"'],
  [/\b(?:goes|go|going|went) on\b(?! (?:the|a) )/i, 'say "continues"'],
  [/\bof (?:its|their|his|our|one's) own\b/i, 'put "its own" before the noun'],
  [/\btime stamps?\b/i, 'write "timestamp"'],
  [/\bholds? (?:all of )?this\b/i, 'say "checks" or "requires"'],
  [/\b(?:other|the) news\b/i, 'say "change" or "event"'],
];

/** More kinds, for comments: they describe code, in which programs act. */
const kindsInComments = [
  [
    new RegExp(`\\b${things} (?:knows?|hears?|asks?|listens)\\b`, 'i'),
    'a program has or stores, receives or records, and requests',
  ],
  [/\bin our hands?\b/, 'say "a manual clock"'],
  [/\bthe one who\b/i, 'name the actor'],
  [/\bwhat (?:becomes|comes|holds) of\b/i, 'name the thing: the result, the rest'],
  [/\b(?:is|are|was|were) (?:believed|wanted|had)\b/i, 'name the actor and what it does'],
];

/** Beginnings of sentences that make a fragment of a description. */
const fragments = [
  [/^Of (?!course)/, 'a sentence needs a subject and a verb: do not begin with "Of"'],
  [
    /^(?:What|Whose|Who) [^?]*$/,
    'a description says what the thing is: "The ...", "Whether ...", or a verb',
  ],
];

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** @returns each place with such wording in the text, as [index, found, advice]. */
export function findWording(text, { isComment = false } = {}) {
  const found = [];
  for (const [pattern, advice] of kinds) {
    const match = pattern.exec(text);
    if (match) found.push([match.index, match[0], advice]);
  }
  if (isComment) {
    for (const [pattern, advice] of kindsInComments) {
      const match = pattern.exec(text);
      if (match) found.push([match.index, match[0], advice]);
    }
    let index = 0;
    for (const sentence of text.split(/(?<=[.:]) (?=[A-Z])/)) {
      for (const [pattern, advice] of fragments) {
        if (pattern.test(sentence.trim()))
          found.push([index, sentence.trim().slice(0, 30), advice]);
      }
      index += sentence.length + 1;
    }
  }
  return found;
}

/** The prose of a Markdown page, line by line, without code. */
export function proseOfPage(markdown) {
  let isCode = false;
  return markdown.split('\n').map((line) => {
    if (/^\s*```/.test(line)) isCode = !isCode;
    if (isCode || /^(?: {4}|<!--)/.test(line)) return '';
    return line.replace(/`[^`]*`/g, (code) => '`'.repeat(code.length));
  });
}

/** The comments and the texts of a program in TypeScript or JavaScript, as [position, text, isComment]. */
export function proseOfProgram(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const prose = [];
  const seen = new Set();
  const addComments = (ranges) => {
    let previous;
    for (const { pos, end } of ranges ?? []) {
      if (seen.has(pos)) continue;
      seen.add(pos);
      const comment = text
        .slice(pos, end)
        .replace(/@example[^]*/, '')
        .replace(/^\/\*\*?|\*\/$|^\/\//g, '')
        .replace(/\n\s*\* ?/g, ' ')
        .replace(/`[^`]*`/g, (code) => '`'.repeat(code.length));
      // Lines of one block are one text.
      if (previous && /^\n *$/.test(text.slice(previous.end, pos))) {
        previous.entry[1] += ` ${comment.trim()}`;
        previous.end = end;
        continue;
      }
      const entry = [pos, comment, true];
      prose.push(entry);
      previous = text.startsWith('//', pos) ? { entry, end } : undefined;
    }
  };
  const visit = (node) => {
    addComments(ts.getLeadingCommentRanges(text, node.getFullStart()));
    addComments(ts.getTrailingCommentRanges(text, node.getEnd()));
    const isText =
      ts.isStringLiteral(node) ||
      ts.isNoSubstitutionTemplateLiteral(node) ||
      ts.isTemplateHead(node) ||
      ts.isTemplateMiddle(node) ||
      ts.isTemplateTail(node);
    if (isText && /\w \w+ \w/.test(node.text)) prose.push([node.getStart(), node.text, false]);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return prose;
}

/** The comments of a program in C++, as [position, text]: lines of one block are one text. */
export function commentsOfCpp(text) {
  const comments = [];
  let position = 0;
  let before = -1;
  for (const line of text.split('\n')) {
    const start = commentStart(line);
    if (start >= 0) {
      const comment = line.slice(start + 2).trim();
      if (start === before) comments[comments.length - 1][1] += ` ${comment}`;
      else comments.push([position + start, comment]);
    }
    before = start;
    position += line.length + 1;
  }
  return comments.map(([at, comment]) => [at, comment.replace(/`[^`]*`/g, '``')]);
}

/** @returns the column of the line's comment, outside of strings; -1 if it has none. */
function commentStart(line) {
  return line.replace(/"(?:[^"\\]|\\.)*"/g, (string) => '"'.repeat(string.length)).indexOf('//');
}

/** The texts of a program in C++ that have several words, and the names of its tests, as [position, text]. */
export function textsOfCpp(text) {
  return [...text.matchAll(/"((?:[^"\\\n]|\\.)*\w \w+ \w(?:[^"\\\n]|\\.)*)"/g)]
    .filter(
      (match) =>
        !/\/\/[^"]*$/.test(text.slice(text.lastIndexOf('\n', match.index) + 1, match.index)),
    )
    .map((match) => [match.index, match[1]]);
}

/** The names of tests in TypeScript, as [position, text]. */
export function namesOfTests(text) {
  return [
    ...text.matchAll(/\b(?:it|test|describe)\b[^\n('"`]*(?:\([^\n'"`]*\))?\(\s*(['"`])(.*?)\1/g),
  ].map((match) => [match.index, match[2]]);
}

function filesIn(folder, ending) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter((name) => ending.test(name) && !/node_modules|^api\//.test(name))
    .map((name) => `${folder}/${name}`);
}

function lineAt(text, position) {
  return text.slice(0, position).split('\n').length;
}

function check() {
  const problems = [];
  let count = 0;
  const look = (path, line, text, options) => {
    count++;
    for (const [, words, advice] of findWording(text, options)) {
      problems.push(`${path}:${line}: "${words}": ${advice}`);
    }
  };
  for (const path of [
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    ...filesIn('docs', /^[^/]*\.md$/),
  ]) {
    proseOfPage(readFileSync(join(root, path), 'utf8')).forEach((line, index) =>
      look(path, index + 1, line),
    );
  }
  for (const path of [...filesIn('lib', /\.ts$/), ...filesIn('examples', /\.mjs$/)]) {
    const text = readFileSync(join(root, path), 'utf8');
    for (const [position, prose] of proseOfProgram(path, text)) {
      look(path, lineAt(text, position), prose, { isComment: true });
    }
  }
  for (const path of ['src', 'bench', 'test'].flatMap((folder) => filesIn(folder, /\.(?:cc|h)$/))) {
    const text = readFileSync(join(root, path), 'utf8');
    for (const [position, prose] of commentsOfCpp(text)) {
      look(path, lineAt(text, position), prose, { isComment: true });
    }
    if (!/^(?:src|test\/native)\//.test(path)) continue;
    for (const [position, prose] of textsOfCpp(text)) look(path, lineAt(text, position), prose);
  }
  for (const path of ['bench', 'scripts', 'test'].flatMap((folder) =>
    filesIn(folder, /\.(?:m?ts|mjs)$/),
  )) {
    const text = readFileSync(join(root, path), 'utf8');
    for (const [position, prose, isComment] of proseOfProgram(path, text)) {
      if (isComment) look(path, lineAt(text, position), prose, { isComment });
    }
    if (!path.endsWith('.test.ts')) continue;
    for (const [position, name] of namesOfTests(text)) look(path, lineAt(text, position), name);
  }
  for (const problem of problems) console.log(`not ok - ${problem}`);
  if (problems.length === 0) console.log(`ok - ${count} texts have no wording of the listed kinds`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) check();
