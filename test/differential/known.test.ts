/** The list of known differences is a list: each entry says what, where and why, and none is so wide that it hides more. */
import { expect, test } from 'vitest';
import { known } from './known.ts';
import { scenarios } from './scenarios/index.ts';

const names = scenarios.map(({ name }) => name);

test.each(known.map((entry) => [`${entry.scenario}: ${entry.call}: ${entry.at}`, entry] as const))(
  '%s',
  (_, entry) => {
    expect(entry.reason).toMatch(/^[A-Z].{20,}\.$/s);
    if (entry.sometimes !== undefined) expect(entry.sometimes).toMatch(/^[A-Z].{20,}\.$/s);
    for (const name of [entry.scenario].flat()) {
      if (!name.includes('*')) expect(names).toContain(name);
    }
  },
);

test('no entry is for all scenarios, all calls and any place', () => {
  const wide = known.filter(
    ({ scenario, call, at }) =>
      [scenario].flat().includes('*') &&
      [call].flat().includes('*') &&
      [at].flat().some((each) => each.includes('**')),
  );
  expect(wide).toEqual([]);
});

test('an entry that is for all scenarios says which values it is about', () => {
  const vague = known.filter(
    (entry) =>
      [entry.scenario].flat().includes('*') &&
      !(Object.hasOwn(entry, 'theirs') && Object.hasOwn(entry, 'ours')),
  );
  expect(vague).toEqual([]);
});

test('no difference is listed twice', () => {
  const texts = known.map(({ reason: _, sometimes: __, ...entry }) => JSON.stringify(entry));
  expect(texts).toEqual([...new Set(texts)]);
});
