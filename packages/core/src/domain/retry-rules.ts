/**
 * Rules that say, by what went wrong, how a failed attempt is tried again. They are data: of a kind in code, or
 * of a queue in the database. Pure.
 */

import type { ErrorRecord } from './attempt.ts';
import { describeValue, invalidOption, LineshaftError } from './errors.ts';
import { expressionCost } from './expression.ts';
import { boundedText, fieldsOf, listOfAtMost, refuseUnknown, wholeNumber } from './fields.ts';
import type { Backoff } from './job-options.ts';
import { validateBackoff } from './retry.ts';

/** What is done with attempts that failed with one sort of error. The first rule that matches decides. */
export interface RetryRule {
  /**
   * Name or code of the error, whole: `TimeoutError`, `ECONNREFUSED`; or an expression between slashes that
   * is searched in the first 500 characters of its message: `/too many requests/i`. 1 to 200 characters.
   */
  readonly error: string;
  /** True: a dead letter at once. Only alone. */
  readonly fail?: boolean;
  /** Attempts that a job may have when it fails so, 1 to 1,000. Default: those of the job. */
  readonly maxAttempts?: number;
  /** Default: that of the job. */
  readonly backoff?: Backoff;
}

const mostRules = 20;
const searchedLength = 500;

/** The first rule that an error matches. A rule that the database was given past all checks matches nothing. */
export function matchingRule(rules: readonly RetryRule[], error: ErrorRecord): RetryRule | undefined {
  return rules.find((rule) => {
    if (rule.error === error.name || rule.error === error.code) return true;
    if (!rule.error.startsWith('/')) return false;
    const expression = compile(rule.error);
    return typeof expression !== 'string' && expression.test(error.message.slice(0, searchedLength));
  });
}

/**
 * Rules as the caller gave them, checked.
 *
 * @throws OPTION_INVALID with the place (`retryRules[2].error`): more than 20 rules, a rule that says nothing,
 * `fail` beside other fields, an expression that does not compile or could run long; OPTION_UNKNOWN.
 */
export function validateRetryRules(value: unknown, field = 'retryRules'): readonly RetryRule[] {
  return listOfAtMost(value, field, mostRules).map((rule, place) => validateRule(rule, `${field}[${place}]`));
}

function validateRule(value: unknown, field: string): RetryRule {
  const fields = fieldsOf(value, field);
  refuseUnknown(fields, ['error', 'fail', 'maxAttempts', 'backoff'], `${field}.`);
  const error = validatePattern(fields.error, `${field}.error`);
  const { fail, maxAttempts, backoff } = fields;
  if (fail !== undefined && typeof fail !== 'boolean')
    throw invalidOption(`${field}.fail`, fail, 'true or false');
  if (fail !== true && maxAttempts === undefined && backoff === undefined) {
    throw invalidOption(field, value, 'a rule with fail, maxAttempts or backoff');
  }
  if (fail === true && (maxAttempts !== undefined || backoff !== undefined)) {
    throw invalidOption(`${field}.fail`, fail, 'left out beside maxAttempts and backoff');
  }
  if (fail === true) return { error, fail };
  return {
    error,
    ...(maxAttempts === undefined
      ? {}
      : { maxAttempts: wholeNumber(maxAttempts, `${field}.maxAttempts`, 1, 1_000) }),
    ...(backoff === undefined ? {} : { backoff: validateBackoff(backoff, `${field}.backoff`) }),
  };
}

function validatePattern(value: unknown, field: string): string {
  const pattern = boundedText(value, field, 1, 200);
  if (!pattern.startsWith('/')) return pattern;
  const expression = compile(pattern);
  if (typeof expression !== 'string') return pattern;
  throw new LineshaftError('OPTION_INVALID', {
    message: `${field} ${expression}, not ${describeValue(pattern)}`,
    details: { field },
  });
}

/** Compiled expressions, and for those that are refused the reason. Emptied when it is full. */
const compiled = new Map<string, RegExp | string>();
const compiledAtMost = 1_000;

function compile(pattern: string): RegExp | string {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const made = tryCompile(pattern);
  if (compiled.size >= compiledAtMost) compiled.clear();
  compiled.set(pattern, made);
  return made;
}

function tryCompile(pattern: string): RegExp | string {
  const [, source = '', flags = ''] = /^\/(.+)\/([isu]*)$/s.exec(pattern) ?? [];
  if (source === '') return 'must be an expression like /too many requests/i (flags: i, s, u)';
  try {
    const expression = new RegExp(source, flags);
    return expressionCost(source, 2) ?? expression;
  } catch (error) {
    return `is not a regular expression (${error instanceof Error ? error.message : String(error)})`;
  }
}
