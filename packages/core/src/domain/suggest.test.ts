import fc from 'fast-check';
import { expect, test } from 'vitest';
import { didYouMean, editDistance, suggest } from './suggest.ts';

const options = [
  'queue',
  'project',
  'priority',
  'runAt',
  'delayMs',
  'maxAttempts',
  'backoff',
  'unique',
  'id',
];

test.each([
  ['priorty', 'priority'],
  ['prioriyt', 'priority'],
  ['Queue', 'queue'],
  ['queues', 'queue'],
  ['run_at', 'runAt'],
  ['maxAttempt', 'maxAttempts'],
  ['backof', 'backoff'],
])('%s is taken for %s', (wrong, meant) => {
  expect(suggest(wrong, options)).toBe(meant);
});

test.each([['colour'], [''], ['x'], ['ix'], ['delay'], ['q'.repeat(200)]])('nothing is near %j', (wrong) => {
  expect(suggest(wrong, options.slice(0, 4))).toBeUndefined();
});

test('of equally near names the first is suggested', () => {
  expect(suggest('maid', ['mail', 'main'])).toBe('mail');
});

test('the end of a message asks, or is empty', () => {
  expect(didYouMean('mial', ['default', 'mail'])).toBe("; did you mean 'mail'?");
  expect(didYouMean('warehouse', ['default', 'mail'])).toBe('');
});

test.each([
  ['', '', 0],
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
  ['ab', 'ba', 1],
  ['ca', 'abc', 3],
  ['mial', 'mail', 1],
])('from %j to %j it is %i edits', (from, to, edits) => {
  expect(editDistance(from, to)).toBe(edits);
});

test('the distance is symmetric, zero only between equals, and never more than the longer text', () => {
  const word = fc.string({ maxLength: 12, unit: fc.constantFrom('a', 'b', 'c') });
  fc.assert(
    fc.property(word, word, (from, to) => {
      const distance = editDistance(from, to);
      expect(distance).toBe(editDistance(to, from));
      expect(distance === 0).toBe(from === to);
      expect(distance).toBeLessThanOrEqual(Math.max(from.length, to.length));
      expect(distance).toBeGreaterThanOrEqual(Math.abs(from.length - to.length));
    }),
  );
});

test('a known name is always its own suggestion', () => {
  fc.assert(
    fc.property(fc.constantFrom(...options), (name) => {
      expect(suggest(name, options)).toBe(name);
    }),
  );
});
