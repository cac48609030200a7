/** Refuses rules that are wrong, with the place in them, before anything is done with them. Pure. */

import { millisecondsOf } from './duration.ts';
import { invalidOption, LineshaftError } from './errors.ts';
import { jobStates } from './job.ts';
import type { Comparison, RuleField, RuleNode, RuleOperator, RuleUse } from './rules.ts';
import { didYouMean } from './suggest.ts';

/** The longest duration in a rule: a hundred years. */
const maxDurationMs = 3_155_760_000_000;
const maxNodes = 200;
const maxDepth = 20;
const maxChoices = 1_000;
const maxTextLength = 500;

const ordered = ['gt', 'gte', 'lt', 'lte'] as const satisfies readonly RuleOperator[];
const equal = ['eq', 'ne', 'in'] as const satisfies readonly RuleOperator[];

type FieldType = 'duration' | 'text' | 'state' | 'number';

/** The type of each field, and for which jobs alone it is known. */
export const ruleFields: Readonly<Record<RuleField, { readonly type: FieldType; readonly only?: RuleUse }>> =
  {
    age: { type: 'duration' },
    finishedAge: { type: 'duration', only: 'finished' },
    queue: { type: 'text' },
    kind: { type: 'text' },
    project: { type: 'text' },
    state: { type: 'state' },
    label: { type: 'text' },
    size: { type: 'number' },
    attempts: { type: 'number' },
    priority: { type: 'number', only: 'waiting' },
  };

/** The operators of each type of field. */
export const ruleOperators: Readonly<Record<FieldType, readonly RuleOperator[]>> = {
  duration: ordered,
  text: [...equal, 'like'],
  state: equal,
  number: [...equal, ...ordered],
};

const usable: Readonly<Record<RuleUse, readonly string[]>> = {
  finished: ['succeeded', 'failed', 'cancelled'],
  waiting: ['ready', 'scheduled', 'retrying'],
};
const known: Readonly<Record<RuleUse, string>> = {
  finished: 'jobs that have finished',
  waiting: 'jobs that wait',
};

interface Check {
  readonly use: RuleUse | undefined;
  readonly root: string;
  nodes: number;
}

/**
 * A rule that came as data, checked; what is unknown in it is refused.
 *
 * @param place what it is called in messages
 * @param use what it is for, where that is known: not everything is known of all jobs
 * @throws OPTION_INVALID, OPTION_UNKNOWN with the place
 */
export function checkRule(value: unknown, place: string, use?: RuleUse): RuleNode {
  return checkNode(value, place, 1, { use, root: place, nodes: 0 });
}

function checkNode(value: unknown, place: string, depth: number, check: Check): RuleNode {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidOption(place, value, 'a rule: {field, op, value}, {and: […]}, {or: […]} or {not: …}');
  }
  check.nodes += 1;
  if (check.nodes > maxNodes) throw invalidOption(check.root, check.nodes, `at most ${maxNodes} comparisons`);
  if (depth > maxDepth) throw invalidOption(place, depth, `at most ${maxDepth} levels deep`);
  const fields = value as Readonly<Record<string, unknown>>;
  for (const how of ['and', 'or'] as const) {
    if (!Object.hasOwn(fields, how)) continue;
    refuseOthers(fields, [how], place);
    const nodes = checkList(fields[how], `${place}.${how}`, depth, check);
    return how === 'and' ? { and: nodes } : { or: nodes };
  }
  if (Object.hasOwn(fields, 'not')) {
    refuseOthers(fields, ['not'], place);
    return { not: checkNode(fields['not'], `${place}.not`, depth + 1, check) };
  }
  return checkComparison(fields, place, check.use);
}

function checkList(value: unknown, place: string, depth: number, check: Check): RuleNode[] {
  if (!Array.isArray(value) || value.length === 0)
    throw invalidOption(place, value, 'a list of at least one rule');
  return value.map((entry, n) => checkNode(entry, `${place}[${n}]`, depth + 1, check));
}

function checkComparison(
  fields: Readonly<Record<string, unknown>>,
  place: string,
  use: RuleUse | undefined,
): Comparison {
  refuseOthers(fields, ['field', 'name', 'op', 'value'], place);
  const field = chosen(fields['field'], Object.keys(ruleFields) as RuleField[], `${place}.field`);
  const { type, only } = ruleFields[field];
  if (use !== undefined && only !== undefined && only !== use) {
    throw invalidOption(
      `${place}.field`,
      field,
      `a fact of ${known[use]}; it is known of ${known[only]} alone`,
    );
  }
  const op = chosen(fields['op'], ruleOperators[type], `${place}.op`, ` (${field})`);
  const name = fields['name'];
  if ((field === 'label') !== (name !== undefined) || (field === 'label' && !isText(name, 63))) {
    throw invalidOption(
      `${place}.name`,
      name,
      field === 'label'
        ? 'the name of a label, 1 to 63 characters'
        : "left out: only the field 'label' has a name",
    );
  }
  const value = fields['value'];
  const at = `${place}.value`;
  const label = typeof name === 'string' ? { name } : {};
  if (op !== 'in') return { field, ...label, op, value: checkValue(value, type, at, op, use) };
  if (!Array.isArray(value) || value.length === 0 || value.length > maxChoices) {
    throw invalidOption(at, value, `a list of 1 to ${maxChoices} values`);
  }
  const values = value.map((each, n) => checkValue(each, type, `${at}[${n}]`, op, use));
  return { field, ...label, op, value: values as string[] | number[] };
}

function checkValue(
  value: unknown,
  type: FieldType,
  place: string,
  op: RuleOperator,
  use: RuleUse | undefined,
): string | number {
  switch (type) {
    case 'duration': {
      const ms = typeof value === 'string' ? millisecondsOf(value) : value;
      if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0 || ms > maxDurationMs)
        throw invalidOption(
          place,
          value,
          "a duration such as '30d', '1h30m', '500ms', or milliseconds, up to 100 years",
        );
      return value as string | number;
    }
    case 'number':
      if (typeof value !== 'number' || !Number.isSafeInteger(value))
        throw invalidOption(place, value, 'a whole number');
      return value;
    case 'state':
      return chosen(value, use === undefined ? jobStates : usable[use], place);
    case 'text':
      if (!isText(value, maxTextLength))
        throw invalidOption(place, value, `a text of 1 to ${maxTextLength} characters without NUL`);
      if (op === 'like' && /(?<!\\)(?:\\\\)*\\$/.test(value))
        throw invalidOption(place, value, "a pattern that does not end in a lone '\\'");
      return value;
  }
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= longest && !value.includes('\0');
}

function chosen<Choice extends string>(
  value: unknown,
  choices: readonly Choice[],
  place: string,
  what = '',
): Choice {
  if (choices.includes(value as Choice)) return value as Choice;
  const meant = typeof value === 'string' ? didYouMean(value, choices) : '';
  throw new LineshaftError('OPTION_INVALID', {
    message: `${invalidOption(place, value, `one of ${choices.join(', ')}${what}`).message}${meant}`,
    details: { field: place },
  });
}

function refuseOthers(
  fields: Readonly<Record<string, unknown>>,
  names: readonly string[],
  place: string,
): void {
  for (const name of Object.keys(fields)) {
    if (names.includes(name)) continue;
    throw new LineshaftError('OPTION_UNKNOWN', {
      message: `${place} has no field '${name.slice(0, 60)}' beside ${names.join(', ')}${didYouMean(name, names)}`,
      details: { field: `${place}.${name}` },
    });
  }
}
