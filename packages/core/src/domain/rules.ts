/**
 * Rules say which jobs are meant: `age().gt('30d').and(queue.eq('mail'))`. A rule is data (JSON), so that it can come
 * from a file; the store compiles it to SQL, `rule-match.ts` says the same of a job in memory. Pure.
 */

import { checkRule } from './rule-check.ts';
import { parseRule } from './rule-text.ts';

/** What of a job a rule can speak of. */
export type RuleField =
  | 'age'
  | 'finishedAge'
  | 'queue'
  | 'kind'
  | 'project'
  | 'state'
  | 'label'
  | 'size'
  | 'priority'
  | 'attempts';

export type RuleOperator = 'eq' | 'ne' | 'in' | 'like' | 'gt' | 'gte' | 'lt' | 'lte';

export type RuleValue = string | number | readonly string[] | readonly number[];

/** One comparison. */
export interface Comparison {
  readonly field: RuleField;
  /** Of the label; only with `field: 'label'`. */
  readonly name?: string;
  readonly op: RuleOperator;
  readonly value: RuleValue;
}

/** A rule as data. */
export type RuleNode =
  | Comparison
  | { readonly and: readonly RuleNode[] }
  | { readonly or: readonly RuleNode[] }
  | { readonly not: RuleNode };

/** A rule: made by the functions of this module, as data, or as text (`age > 30d and queue = mail`). */
export type RuleLike = Rule | RuleNode | string;

/** What rules are for: jobs that have finished, or jobs that wait. Not everything is known of both. */
export type RuleUse = 'finished' | 'waiting';

/** A rule that was checked. Its JSON is its data. */
export class Rule {
  readonly node: RuleNode;

  constructor(node: RuleNode) {
    this.node = node;
  }

  /** Jobs that fit this rule and all of the others. */
  and(...others: readonly RuleLike[]): Rule {
    return joined('and', [this, ...others]);
  }

  /** Jobs that fit this rule or any of the others. */
  or(...others: readonly RuleLike[]): Rule {
    return joined('or', [this, ...others]);
  }

  /** Jobs that do not fit. */
  not(): Rule {
    return new Rule(checkRule({ not: this.node }, 'rule'));
  }

  toJSON(): RuleNode {
    return this.node;
  }
}

/**
 * A rule from whatever it is written in, checked for its use.
 *
 * @param place what it is called in messages, such as `rule` or `rules[2]`
 * @throws OPTION_INVALID, OPTION_UNKNOWN with the place in the rule
 * @example ruleOf({ and: [{ field: 'age', op: 'gt', value: '30d' }, { field: 'queue', op: 'eq', value: 'mail' }] })
 */
export function ruleOf(value: unknown, place = 'rule', use?: RuleUse): Rule {
  const node =
    value instanceof Rule ? value.node : typeof value === 'string' ? parseRule(value, place) : value;
  return new Rule(checkRule(node, place, use));
}

/** Jobs that fit none of what the rule says. The same as `rule.not()`. */
export function not(rule: RuleLike): Rule {
  return ruleOf(rule).not();
}

export interface DurationField {
  /** Longer than: a duration such as `'30d'`, `'1h30m'`, or milliseconds. */
  gt(duration: string | number): Rule;
  gte(duration: string | number): Rule;
  lt(duration: string | number): Rule;
  lte(duration: string | number): Rule;
}

export interface TextField<Value extends string = string> {
  eq(value: Value): Rule;
  ne(value: Value): Rule;
  /** One of these, 1 to 1,000. */
  in(values: readonly Value[]): Rule;
}

export interface PatternField extends TextField {
  /** A pattern of SQL: `%` for any text, `_` for one character, `\` before one that means itself. */
  like(pattern: string): Rule;
}

export interface NumberField {
  eq(value: number): Rule;
  ne(value: number): Rule;
  in(values: readonly number[]): Rule;
  gt(value: number): Rule;
  gte(value: number): Rule;
  lt(value: number): Rule;
  lte(value: number): Rule;
}

/** Time since the job was enqueued. */
export function age(): DurationField {
  return fieldOf('age');
}

/** Time since the job finished; only for jobs that have. */
export function finishedAge(): DurationField {
  return fieldOf('finishedAge');
}

/** The value of a label; a job without it equals nothing. */
export function label(name: string): PatternField {
  return fieldOf('label', name);
}

/** The name of the queue. */
export const queue: PatternField = fieldOf('queue');
/** The name of the kind. */
export const kind: PatternField = fieldOf('kind');
/** The name of the project. */
export const project: PatternField = fieldOf('project');
/** `succeeded`, `failed` or `cancelled` for what has finished; `ready`, `scheduled` or `retrying` for what waits. */
export const state: TextField = fieldOf('state');
/** Bytes of the payload's JSON. */
export const size: NumberField = fieldOf('size');
/** Attempts that were made. */
export const attempts: NumberField = fieldOf('attempts');
/** The priority; only for jobs that wait. */
export const priority: NumberField = fieldOf('priority');

function joined(how: 'and' | 'or', rules: readonly RuleLike[]): Rule {
  const nodes = rules.flatMap((rule, place) => {
    const { node } = ruleOf(rule, place === 0 ? 'rule' : `${how}(${place})`);
    // a.and(b).and(c) reads best as one list.
    return how in node ? (node as Record<'and' | 'or', readonly RuleNode[]>)[how] : [node];
  });
  return new Rule(checkRule(how === 'and' ? { and: nodes } : { or: nodes }, 'rule'));
}

type AnyField = DurationField & PatternField & NumberField & TextField;

function fieldOf(field: RuleField, name?: string): AnyField {
  const compare =
    (op: RuleOperator) =>
    (value: RuleValue): Rule =>
      ruleOf({ field, ...(name === undefined ? {} : { name }), op, value }, `${field}.${op}`);
  return {
    eq: compare('eq'),
    ne: compare('ne'),
    in: compare('in'),
    like: compare('like'),
    gt: compare('gt'),
    gte: compare('gte'),
    lt: compare('lt'),
    lte: compare('lte'),
  };
}
