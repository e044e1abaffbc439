import { describe, expect, test } from 'vitest';

import { testsWithoutAssertion } from '../../scripts/check-tests.mjs';

const found = (text: string, others = {}) =>
  testsWithoutAssertion({ 'a.test.ts': text, ...others });

describe('a test without an assertion is found', () => {
  test.each([
    ['an empty one', "it('says no', () => {});"],
    ['one that only calls', "it('runs', async () => { await run(); });"],
    ['one of several', "it.each([1, 2])('runs %i', (n) => run(n));"],
    ['one with options', "test('runs', { timeout: 5 }, () => { run(); });"],
    ['one with a limit', "it('runs', () => run(), 20_000);"],
    ['one that is skipped at times', "it.skipIf(inWine)('runs', () => run());"],
    ['one whose helper asserts nothing', "const run = () => {}; it('runs', () => run());"],
  ])('%s', (_case, text) => {
    expect(found(text)).toHaveLength(1);
    expect(found(text)[0]).toMatch(/^a\.test\.ts:1: /);
  });
});

describe('a test that can fail is none', () => {
  test.each([
    ['it expects', "it('is one', () => { expect(1).toBe(1); });"],
    ['several expect', "it.each([1])('is %i', (n) => expect(n).toBe(1));"],
    ['it throws', "it('is', () => { if (!x) throw new Error(); });"],
    ['its helper expects', "function check() { expect(1).toBe(1); } it('is', () => check());"],
    ['its function is a helper', "const check = () => expect(1).toBe(1); it('is', check);"],
  ])('%s', (_case, text) => {
    expect(found(text)).toEqual([]);
  });

  test('its helper is in another file', () => {
    const other = 'export function until() { return new Promise((_, reject) => reject()); }';
    expect(found("it('is', () => until());", { 'wait.ts': other })).toEqual([]);
  });
});
