import { describe, expect, test } from 'vitest';
import type { ErrorRecord } from './attempt.ts';
import { isLineshaftError } from './errors.ts';
import { matchingRule, type RetryRule, validateRetryRules } from './retry-rules.ts';

const refused: ErrorRecord = {
  name: 'Error',
  message: 'connect ECONNREFUSED 10.0.0.1',
  code: 'ECONNREFUSED',
};
const timeout: ErrorRecord = { name: 'TimeoutError', message: 'Too Many Requests, slow down' };

test.each<[string, ErrorRecord, boolean]>([
  ['TimeoutError', timeout, true],
  ['Timeout', timeout, false],
  ['timeouterror', timeout, false],
  ['ECONNREFUSED', refused, true],
  ['Error', refused, true],
  ['/too many requests/i', timeout, true],
  ['/too many requests/', timeout, false],
  ['/^slow/', timeout, false],
  ['/ECONN(REFUSED|RESET)/', refused, true],
])('%s', (error, record, matches) => {
  expect(matchingRule([{ error, fail: true }], record) !== undefined).toBe(matches);
});

test('the first rule that matches decides', () => {
  const rules: RetryRule[] = [
    { error: '/nothing/', fail: true },
    { error: 'ECONNREFUSED', maxAttempts: 10 },
    { error: 'Error', fail: true },
  ];
  expect(matchingRule(rules, refused)).toBe(rules[1]);
  expect(matchingRule(rules, timeout)).toBeUndefined();
});

test('a rule that came past the checks and cannot be used matches nothing', () => {
  const broken = ['/(/', '/(a+)+$/', '/', '//', '/x/gg'].map((error) => ({ error, fail: true }));
  expect(matchingRule(broken, { name: 'Error', message: 'x' })).toBeUndefined();
});

test('only the beginning of a long message is searched', () => {
  expect(
    matchingRule([{ error: '/end/', fail: true }], { name: 'Error', message: `${'x'.repeat(600)}end` }),
  ).toBeUndefined();
});

describe('rules are refused with their place', () => {
  const ok = { error: 'TimeoutError', fail: true };
  test.each<[unknown, string]>([
    ['ECONNREFUSED', 'retryRules'],
    [[ok, 7], 'retryRules[1]'],
    [[{ error: 'X' }], 'retryRules[0]'],
    [[ok, { error: '', fail: true }], 'retryRules[1].error'],
    [[{ error: '/(/', fail: true }], 'retryRules[0].error'],
    [[{ error: '/(a+)+$/', fail: true }], 'retryRules[0].error'],
    [[{ error: '/a/g', fail: true }], 'retryRules[0].error'],
    [[{ error: 'X', fail: 'yes' }], 'retryRules[0].fail'],
    [[{ error: 'X', fail: true, maxAttempts: 3 }], 'retryRules[0].fail'],
    [[{ error: 'X', maxAttempts: 0 }], 'retryRules[0].maxAttempts'],
    [[{ error: 'X', backoff: { type: 'fixed' } }], 'retryRules[0].backoff.delayMs'],
    [[{ error: 'X', fial: true }], 'retryRules[0].fial'],
    [Array.from({ length: 21 }, () => ok), 'retryRules'],
  ])('%j', (rules, field) => {
    try {
      validateRetryRules(rules);
      expect.unreachable();
    } catch (error) {
      if (!isLineshaftError(error)) throw error;
      expect(error.details['field']).toBe(field);
      expect(error.message).toContain(field);
    }
  });

  test('what is right comes back in one form', () => {
    expect(
      validateRetryRules([
        { error: '/rate limit/i', backoff: { delayMs: 5, type: 'fixed' }, fail: undefined },
        { maxAttempts: 2, error: 'X', fail: false },
      ]),
    ).toEqual([
      { error: '/rate limit/i', backoff: { type: 'fixed', delayMs: 5 } },
      { error: 'X', maxAttempts: 2 },
    ]);
  });
});
