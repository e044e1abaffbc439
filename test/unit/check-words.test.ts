// scripts/check-words.mjs finds the kinds of wording that it lists, and no others.
import { describe, expect, it, test } from 'vitest';

import {
  commentsOfCpp,
  findWording,
  namesOfTests,
  proseOfPage,
  proseOfProgram,
  textsOfCpp,
} from '../../scripts/check-words.mjs';

describe('wording is found', () => {
  it.each([
    'rates beyond it are refused in words',
    'each loss is told once',
    'the stream wants a clock',
    'the server tells when a slider moves',
    'audio that nobody reads is dropped',
    'it is aligned for ever',
    'a format that cannot be had is an error',
    'the device runs dry',
    'the stream goes on',
    'it has a thread of its own',
    'a time stamp',
  ])('in "%s"', (text) => {
    expect(findWording(text)).toHaveLength(1);
  });

  it.each([
    'Of the last 100 ms.',
    'What the sink plays to.',
    'A queue. Of one reader.',
    'The device asks every 10 ms.',
    'The source knows its device.',
    'With its clock in our hand.',
    'The thread is the one who mixes.',
    'The stamp is believed.',
  ])('in the comment "%s"', (text) => {
    expect(findWording(text, { isComment: true })).toHaveLength(1);
  });
});

test.each([
  'The stream continues while the event loop is blocked.',
  'Of course this is a sentence.',
  'The system reports when a volume changes.',
  'What is a frame?',
])('"%s" is plain', (text) => {
  expect(findWording(text, { isComment: true })).toEqual([]);
});

describe('prose', () => {
  it('of a page has no code', () => {
    const page = 'It `is told`.\n\n```js\nis.told();\n```\n\nIt is told.';
    expect(proseOfPage(page).flatMap((line: string) => findWording(line))).toHaveLength(1);
  });

  it('of a program is its comments and texts, without examples', () => {
    const program = [
      '/** It is told.\n * @example\n * is told\n */',
      "const text = 'nobody reads it';",
      'const isTold = `${text} goes on here`; // told',
    ].join('\n');
    const found = proseOfProgram('a.ts', program).flatMap(([, text]) => findWording(text));
    expect(found.map(([, words]) => words)).toEqual(['is told', 'nobody reads', 'goes on']);
  });

  it('of C++ is its texts, without those in comments', () => {
    const program = 'Error("the device is told");  // "this is told"\n#include "a.h"';
    expect(textsOfCpp(program)).toEqual([[6, 'the device is told']]);
  });

  it('of C++ comments is one text for each block', () => {
    const program = 'int a;  // frames\n\n// The sink "goes\n// on".\nf("// no comment");\n';
    expect(commentsOfCpp(program)).toEqual([
      [8, 'frames'],
      [19, 'The sink "goes on".'],
    ]);
  });

  it('of a program joins the lines of a comment', () => {
    const program = '// The stream goes\n// on.\n\n// Another.\nf();';
    expect(proseOfProgram('a.ts', program).map(([, text]) => text.trim())).toEqual([
      'The stream goes on.',
      'Another.',
    ]);
  });

  it('of tests is their names', () => {
    const tests = "describe('a sink', () => {\n  it.each([1, 2])('ends %i', () => {});\n});";
    expect(namesOfTests(tests).map(([, name]) => name)).toEqual(['a sink', 'ends %i']);
  });
});
