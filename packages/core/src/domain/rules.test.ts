import { describe, expect, test } from 'vitest';
import type { LineshaftError } from './errors.ts';
import { type JobFacts, matches } from './rule-match.ts';
import {
  age,
  attempts,
  finishedAge,
  kind,
  label,
  not,
  priority,
  queue,
  type RuleUse,
  ruleOf,
  size,
  state,
} from './rules.ts';

const job: JobFacts = {
  createdMs: 0,
  finishedMs: 60_000,
  queue: 'mail',
  kind: 'report-daily',
  project: 'default',
  state: 'succeeded',
  labels: { tenant: 'acme' },
  sizeBytes: 120,
  attempts: 2,
};

function refusal(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    return `${(error as LineshaftError).code} ${(error as Error).message}`;
  }
  return 'was taken';
}

describe('a rule', () => {
  test('is data: what the functions make, a file and a text say the same', () => {
    const rule = age().gt('30d').and(queue.eq('mail')).and(kind.like('report-%'));
    const data = {
      and: [
        { field: 'age', op: 'gt', value: '30d' },
        { field: 'queue', op: 'eq', value: 'mail' },
        { field: 'kind', op: 'like', value: 'report-%' },
      ],
    };
    expect(JSON.parse(JSON.stringify(rule))).toEqual(data);
    expect(ruleOf(data).node).toEqual(data);
    expect(ruleOf('age > 30d and queue = mail and kind like report-%').node).toEqual(data);
  });

  test('in text has or below and, parentheses, not, lists and quotes', () => {
    expect(
      ruleOf('not (queue in (a, "b c") or label.tenant != "x\\"y") and size >= 10 or attempts = 2').node,
    ).toEqual({
      or: [
        {
          and: [
            {
              not: {
                or: [
                  { field: 'queue', op: 'in', value: ['a', 'b c'] },
                  { field: 'label', name: 'tenant', op: 'ne', value: 'x"y' },
                ],
              },
            },
            { field: 'size', op: 'gte', value: 10 },
          ],
        },
        { field: 'attempts', op: 'eq', value: 2 },
      ],
    });
  });

  test.each([
    [age().gt('1h').and(queue.eq('mail')), 3_600_001, true],
    [age().gt('1h'), 3_600_000, false],
    [age().gte('1h'), 3_600_000, true],
    [finishedAge().lt('1h'), 3_600_000, true],
    [finishedAge().lte('1h'), 3_660_001, false],
    [kind.like('report-%'), 0, true],
    [kind.like('report_daily'), 0, true],
    [kind.like('report\\_daily'), 0, false],
    [kind.like('%port'), 0, false],
    [label('tenant').eq('acme'), 0, true],
    [label('other').eq('acme'), 0, false],
    [label('other').ne('acme'), 0, true],
    [label('toString').ne('acme'), 0, true],
    [size.gt(119).and(size.lt(121)), 0, true],
    [attempts.in([1, 2]), 0, true],
    [state.in(['failed', 'cancelled']), 0, false],
    [not(state.eq('failed')), 0, true],
    [priority.lt(5), 0, false],
  ])('%# says whether a job fits', (rule, nowMs, fits) => {
    expect(matches(rule.node, job, nowMs)).toBe(fits);
  });

  test.each([
    [() => age().gt('30 days'), /^OPTION_INVALID age\.gt\.value must be a duration such as '30d'/],
    [() => age().gt(-1), /age\.gt\.value must be a duration/],
    [() => queue.eq(''), /queue\.eq\.value must be a text of 1 to 500 characters/],
    [() => kind.like('a\\'), /kind\.like\.value must be a pattern that does not end in a lone/],
    [() => label('').eq('a'), /label\.eq\.name must be the name of a label/],
    [() => size.gt(1.5), /size\.gt\.value must be a whole number/],
    [() => queue.in([]), /queue\.in\.value must be a list of 1 to 1000 values/],
    [
      () => ruleOf({ and: [age().gt('1d').node, { field: 'quue', op: 'eq', value: 'a' }] }),
      /rule\.and\[1\]\.field .*'queue'\?/,
    ],
    [
      () => ruleOf({ not: { or: [{ field: 'queue', op: 'gt', value: 'a' }] } }),
      /rule\.not\.or\[0\]\.op must be one of eq, ne, in, like \(queue\), not 'gt'/,
    ],
    [
      () => ruleOf({ field: 'age', op: 'eq', value: '1d' }),
      /rule\.op must be one of gt, gte, lt, lte \(age\)/,
    ],
    [() => ruleOf({ field: 'state', op: 'in', value: ['succeded'] }), /rule\.value\[0\] .*'succeeded'\?/],
    [
      () => ruleOf({ field: 'queue', op: 'eq', value: 'a', vlue: 'b' }),
      /^OPTION_UNKNOWN rule has no field 'vlue'/,
    ],
    [() => ruleOf({ field: 'queue', name: 'a', op: 'eq', value: 'a' }), /rule\.name must be left out/],
    [() => ruleOf({ and: [] }, 'rules[2]'), /rules\[2\]\.and must be a list of at least one rule/],
    [() => ruleOf(null), /rule must be a rule/],
    [() => ruleOf({ and: Array.from({ length: 300 }, () => age().gt(1).node) }), /at most 200 comparisons/],
    [() => ruleOf('age > 30d and'), /rule, column 14: a field, such as age or queue is missing at the end/],
    [() => ruleOf('age > 30d queue = a'), /rule, column 11: 'and', 'or' or the end must come before 'queue'/],
    [() => ruleOf('agee > 30d'), /rule, column 1: there is no field 'agee'; did you mean 'age'\?/],
    [() => ruleOf('age ~ 30d'), /rule, column 5: '~' is none of/],
    [() => ruleOf('queue in (a, b'), /rule, column 15: '\)' is missing at the end/],
    [() => ruleOf('queue = )'), /rule, column 9: a value must come before '\)'/],
    [() => ruleOf('age > 30x'), /rule\.value must be a duration/],
    [() => ruleOf(`${'('.repeat(50)}age > 1d`), /more than 20 levels deep/],
  ])('that is wrong is refused when it is declared, with the place: %#', (make, expected) => {
    expect(refusal(make)).toMatch(expected);
  });

  test.each<[RuleUse, string, RegExp]>([
    [
      'finished',
      'priority > 1',
      /rule\.field must be a fact of jobs that have finished; it is known of jobs that wait alone/,
    ],
    ['waiting', 'finishedAge > 1d', /it is known of jobs that have finished alone/],
    ['finished', 'state = ready', /rule\.value must be one of succeeded, failed, cancelled/],
    [
      'waiting',
      'age > 1m and state = failed',
      /rule\.and\[1\]\.value must be one of ready, scheduled, retrying/,
    ],
  ])('for %s jobs says nothing of others: %s', (use, text, expected) => {
    expect(refusal(() => ruleOf(text, 'rule', use))).toMatch(expected);
  });
});
