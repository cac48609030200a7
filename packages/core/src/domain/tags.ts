/**
 * Tags: what a worker has, what a queue looks for and what a job demands.
 *
 * A tag is `key=value` or a single word. A pattern, of a queue or in a job's requirements, is one of
 * - a tag: exactly this one, the whole of it;
 * - `*`: any worker;
 * - `key=*`: any value of this key;
 * - `/…/`: a regular expression that the whole tag must match (`/capability=gpu-[ab]/`), upper and lower case
 *   apart.
 *
 * Pure.
 */

import { describeValue, LineshaftError } from './errors.ts';
import { expressionCost } from './expression.ts';
import { boundedText, listOfAtMost } from './fields.ts';

const maxTagLength = 255;
/** Of the text between the slashes. */
const maxExpressionLength = 200;
/** How many tags a worker, patterns a queue, requirements a job may have. */
export const maxTags = 100;
export const maxRequirements = 20;

const keySyntax = /^[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,62}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const controlCharacters = /[\u0000-\u001f\u007f]/;

/**
 * A tag that a worker may be given: `key=value`, or a single word.
 *
 * Keys and words have 1 to 63 letters, digits or `_ . : / @ -` and start with a letter, a digit or `_`; the
 * value is any text without `*`, control characters and blanks at its ends; 255 characters in all. No pattern
 * is a tag.
 * @throws OPTION_INVALID with the field and the reason.
 */
export function validateTag(value: unknown, field = 'tag'): string {
  const tag = boundedText(value, field, 1, maxTagLength);
  const split = tag.indexOf('=');
  const key = split < 0 ? tag : tag.slice(0, split);
  if (!keySyntax.test(key)) {
    throw invalidTag(
      field,
      tag,
      "must be key=value, with a key of up to 63 letters, digits or '_ . : / @ -'",
    );
  }
  const text = tag.slice(key.length + 1);
  if (text !== text.trim() || controlCharacters.test(text)) {
    throw invalidTag(field, tag, 'must have no blanks at the ends of its value, and no control characters');
  }
  if (text.includes('*')) {
    throw invalidTag(field, tag, "may have '*' only in a pattern, alone ('*') or as a whole value ('key=*')");
  }
  return tag;
}

/**
 * A pattern for tags: a tag, `*`, `key=*`, or a regular expression written as `/…/`.
 *
 * A regular expression has at most 200 characters, three groups and three repetitions (`* + ? {n,m}`), and
 * repeats no group and no back-reference, so that no text makes it run long.
 * @throws OPTION_INVALID with the field and the reason, also for a regular expression that does not compile.
 */
export function validateTagPattern(value: unknown, field = 'tag'): string {
  if (value === '*') return value;
  const pattern = boundedText(value, field, 1, maxTagLength);
  if (isExpression(pattern)) {
    const compiled = compile(pattern);
    if (typeof compiled === 'string') throw invalidTag(field, pattern, compiled);
    return pattern;
  }
  if (pattern.endsWith('=*') && keySyntax.test(pattern.slice(0, -2))) return pattern;
  return validateTag(pattern, field);
}

/** A list of patterns, each once, in their order (OPTION_INVALID). */
export function validateTagPatterns(value: unknown, field: string, most = maxTags): readonly string[] {
  const patterns = listOfAtMost(value, field, most);
  return [...new Set(patterns.map((pattern, place) => validateTagPattern(pattern, `${field}[${place}]`)))];
}

/**
 * Whether a queue is for a worker: any of its patterns matches any of the worker's tags.
 *
 * Every worker also has the tag `*`. A queue without patterns is for no worker but those that name it. A
 * pattern that is not valid matches nothing: a worker never stops for what was written into the database.
 */
export function queueMatchesWorker(queueTags: readonly string[], workerTags: readonly string[]): boolean {
  return queueTags.some((pattern) => matchesAny(pattern, workerTags));
}

/** Whether a worker fulfils all requirements of a job: each of them matches at least one of its tags. */
export function requirementsMet(requirements: readonly string[], workerTags: readonly string[]): boolean {
  return requirements.every((pattern) => matchesAny(pattern, workerTags));
}

/** What is known of a worker by itself. */
export interface WorkerFacts {
  readonly hostname: string;
  readonly workerId: string;
  /** As in `process.platform`. */
  readonly os: string;
  /** As in `process.arch`. */
  readonly arch: string;
  /** Version of Node.js. */
  readonly node: string;
  /** Version of Python, where there is one. */
  readonly python?: string | undefined;
  readonly pid: number;
  readonly build: string;
}

/**
 * The tags that every worker has without being told: `*`, `hostname=`, `worker_id=`, `os=`, `arch=`, `node=`,
 * `python=` (where there is one), `pid=` and `build=`. A fact that is empty gives no tag; what a tag cannot
 * have is left out of it.
 */
export function automaticTags(facts: WorkerFacts): string[] {
  const named: readonly (readonly [string, string | number | undefined])[] = [
    ['hostname', facts.hostname],
    ['worker_id', facts.workerId],
    ['os', facts.os],
    ['arch', facts.arch],
    ['node', facts.node],
    ['python', facts.python],
    ['pid', facts.pid],
    ['build', facts.build],
  ];
  const tags = ['*'];
  for (const [key, fact] of named) {
    const value = cleanValue(String(fact ?? ''), maxTagLength - key.length - 1);
    if (value !== '') tags.push(`${key}=${value}`);
  }
  return tags;
}

function cleanValue(text: string, most: number): string {
  const kept = text.toWellFormed().replaceAll(new RegExp(`${controlCharacters.source}|\\*`, 'g'), '');
  return kept.trim().slice(0, most).toWellFormed().trim();
}

function matchesAny(pattern: string, tags: readonly string[]): boolean {
  if (pattern === '*') return true;
  if (isExpression(pattern)) {
    const compiled = compile(pattern);
    return (
      typeof compiled !== 'string' && tags.some((tag) => tag.length <= maxTagLength && compiled.test(tag))
    );
  }
  if (pattern.endsWith('=*')) {
    const start = pattern.slice(0, -1);
    return tags.some((tag) => tag.startsWith(start));
  }
  return tags.includes(pattern);
}

function isExpression(pattern: string): boolean {
  return pattern.length > 1 && pattern.startsWith('/') && pattern.endsWith('/');
}

/** Compiled expressions, and for those that are refused the reason. Emptied when it is full. */
const compiledExpressions = new Map<string, RegExp | string>();
const compiledAtMost = 1_000;

function compile(pattern: string): RegExp | string {
  const known = compiledExpressions.get(pattern);
  if (known !== undefined) return known;
  const compiled = tryCompile(pattern.slice(1, -1));
  if (compiledExpressions.size >= compiledAtMost) compiledExpressions.clear();
  compiledExpressions.set(pattern, compiled);
  return compiled;
}

function tryCompile(source: string): RegExp | string {
  if (source.length > maxExpressionLength)
    return `must have at most ${maxExpressionLength} characters between its slashes`;
  if (source === '') return 'must have an expression between its slashes';
  try {
    new RegExp(source, 'u');
    return expressionCost(source, 3) ?? new RegExp(`^(?:${source})$`, 'u');
  } catch (error) {
    return `is not a regular expression (${error instanceof Error ? error.message : String(error)})`;
  }
}

function invalidTag(field: string, tag: string, reason: string): LineshaftError {
  return new LineshaftError('OPTION_INVALID', {
    message: `${field} ${reason}, not ${describeValue(tag)}`,
    details: { field },
  });
}
