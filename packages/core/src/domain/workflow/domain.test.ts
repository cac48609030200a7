import { describe, expect, test } from 'vitest';
import { pickDomain } from './domain.ts';

const active =
  (...pairs: string[]) =>
  (type: string, domain: string): boolean =>
    pairs.includes(`${type}/${domain}`);

describe('the domain of a step', () => {
  test.each([
    ['no entry', 'a', { b: 'x' }, [], undefined],
    ['the entry for all', 'a', { '*': 'x' }, [], 'x'],
    ['its own entry before that for all', 'a', { '*': 'x', a: 'y' }, ['a/x'], 'y'],
    ['the first that is active', 'a', { a: 'x,y,z' }, ['a/y', 'a/z'], 'y'],
    ['active for this type, not for another', 'a', { a: 'x,y' }, ['b/x'], 'y'],
    ['the last if none is active', 'a', { a: 'x, y' }, [], 'y'],
    ['none if none is active and the list ends so', 'a', { a: 'x,no_domain' }, [], undefined],
    ['an active one before none', 'a', { a: 'x,NO_DOMAIN' }, ['a/x'], 'x'],
    ['NO_DOMAIN is never active', 'a', { a: 'NO_DOMAIN,x' }, ['a/NO_DOMAIN'], 'x'],
    ['only none', 'a', { a: 'NO_DOMAIN' }, [], undefined],
    ['an empty list', 'a', { a: ' , ' }, [], undefined],
    ['a name of Object is no entry', 'constructor', {}, [], undefined],
  ])('%s', (_what, type, map, pairs, expected) => {
    expect(pickDomain(type, map as Record<string, string>, active(...(pairs as string[])))).toBe(expected);
  });
});
