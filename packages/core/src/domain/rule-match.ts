/** Says whether a job fits a rule, in memory: the meaning of rules, against which the SQL is tested. Pure. */

import { millisecondsOf } from './duration.ts';
import type { Comparison, RuleNode } from './rules.ts';

/** What rules know of a job. What is undefined equals nothing. */
export interface JobFacts {
  readonly createdMs: number;
  readonly finishedMs?: number | undefined;
  readonly queue?: string | undefined;
  readonly kind?: string | undefined;
  readonly project?: string | undefined;
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly sizeBytes: number;
  readonly attempts: number;
  readonly priority?: number | undefined;
}

/** Whether the job fits the rule at this time. `ne` is the opposite of `eq`, so it fits where nothing is known. */
export function matches(rule: RuleNode, job: JobFacts, nowMs: number): boolean {
  if ('and' in rule) return rule.and.every((each) => matches(each, job, nowMs));
  if ('or' in rule) return rule.or.some((each) => matches(each, job, nowMs));
  if ('not' in rule) return !matches(rule.not, job, nowMs);
  return compare(rule, factOf(rule, job, nowMs));
}

/** A duration of a checked rule in milliseconds. */
export function durationOf({ value }: Comparison): number {
  return typeof value === 'string' ? (millisecondsOf(value) ?? Number.NaN) : Number(value);
}

function factOf(rule: Comparison, job: JobFacts, nowMs: number): string | number | undefined {
  switch (rule.field) {
    case 'age':
      return nowMs - job.createdMs;
    case 'finishedAge':
      return job.finishedMs === undefined ? undefined : nowMs - job.finishedMs;
    case 'label':
      return Object.hasOwn(job.labels, rule.name ?? '') ? job.labels[rule.name ?? ''] : undefined;
    case 'size':
      return job.sizeBytes;
    default:
      return job[rule.field];
  }
}

function compare(rule: Comparison, fact: string | number | undefined): boolean {
  const { op, value } = rule;
  if (op === 'ne') return fact !== value;
  if (fact === undefined) return false;
  if (op === 'eq') return fact === value;
  if (op === 'in') return (value as readonly (string | number)[]).includes(fact);
  if (op === 'like') return patternOf(String(value)).test(String(fact));
  const bound = rule.field === 'age' || rule.field === 'finishedAge' ? durationOf(rule) : Number(value);
  const known = Number(fact);
  return op === 'gt'
    ? known > bound
    : op === 'gte'
      ? known >= bound
      : op === 'lt'
        ? known < bound
        : known <= bound;
}

/** The regular expression of a pattern of SQL's LIKE. */
function patternOf(like: string): RegExp {
  const source = like.replaceAll(
    /\\(.)|([%_])|([\s\S])/gu,
    (_all, escaped?: string, wild?: string, plain?: string) => {
      if (wild !== undefined) return wild === '%' ? '.*' : '.';
      return (escaped ?? plain ?? '').replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
    },
  );
  return new RegExp(`^${source}$`, 'su');
}
