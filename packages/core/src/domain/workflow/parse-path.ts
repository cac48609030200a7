/**
 * The grammar of JSON paths as Conductor has them: that of Jayway's JsonPath, with dots, brackets, quoted names, indices,
 * slices, wildcards, `..`, filters (`[?(@.price < 10 && @.name =~ /a.*b/i)]`) and a few functions. Pure; nothing is ever
 * evaluated as code.
 *
 * After S. Gössner, "JSONPath – XPath for JSON" (2007).
 */

import { expressionCost } from '../expression.ts';
import { invalidPath, PathText } from './path-text.ts';

export type PathStep =
  /** One name, or several: `['a','b']`. */
  | { readonly type: 'names'; readonly names: readonly string[] }
  | { readonly type: 'indices'; readonly indices: readonly number[] }
  | { readonly type: 'slice'; readonly from: number | undefined; readonly to: number | undefined }
  | { readonly type: 'all' }
  | { readonly type: 'filter'; readonly filter: Filter }
  /** `..`: what follows holds at any depth. */
  | { readonly type: 'descend' }
  | { readonly type: 'call'; readonly name: PathFunction };

export type PathFunction = 'length' | 'size' | 'keys' | 'min' | 'max' | 'avg' | 'sum' | 'first' | 'last';

export interface JsonPath {
  readonly steps: readonly PathStep[];
  readonly definite: boolean;
}

export type Filter =
  | { readonly type: 'or' | 'and'; readonly left: Filter; readonly right: Filter }
  | { readonly type: 'not'; readonly of: Filter }
  | { readonly type: 'exists'; readonly operand: Operand }
  | {
      readonly type: 'compare';
      readonly operator: Operator;
      readonly left: Operand;
      readonly right: Operand;
    };

export type Operand =
  | { readonly type: 'path'; readonly from: '@' | '$'; readonly path: JsonPath }
  | { readonly type: 'value'; readonly value: unknown };

const operators = [
  ...['==', '!=', '<=', '>=', '=~', '<', '>'],
  ...['nin', 'in', 'contains', 'subsetof', 'anyof', 'noneof', 'size', 'empty'],
] as const;
export type Operator = (typeof operators)[number];

const functions: readonly string[] = ['length', 'size', 'keys', 'min', 'max', 'avg', 'sum', 'first', 'last'];
const maxSteps = 100;
const maxNames = 100;
const maxDepth = 20;

/**
 * A path of its text, of at most 2,000 characters and 100 steps.
 *
 * @throws OPTION_INVALID for what is no path, with the place
 */
export function parsePath(source: string): JsonPath {
  const text = new PathText(source.trim());
  if (text.peek() === '$') text.take('$');
  else if (text.peek() !== '[') return parseSteps(text, true, 0);
  return parseSteps(text, false, 0);
}

/** The steps of a path, until what can't belong to one. */
function parseSteps(text: PathText, atName: boolean, depth: number): JsonPath {
  const steps: PathStep[] = [];
  if (atName) steps.push(readNameOrCall(text));
  for (;;) {
    if (steps.length > maxSteps) throw invalidPath(text, `has more than ${maxSteps} steps`);
    if (text.takes('..')) {
      steps.push({ type: 'descend' });
      steps.push(text.peek() === '[' ? readBracket(text, depth) : readNameOrCall(text));
    } else if (text.takes('.')) {
      steps.push(text.peek() === '[' ? readBracket(text, depth) : readNameOrCall(text));
    } else if (text.peek() === '[') steps.push(readBracket(text, depth));
    else break;
  }
  if (depth === 0 && !text.ended) throw invalidPath(text, `has '${text.peek()}' where a step should be`);
  return { steps, definite: steps.every((step, at) => isDefinite(step, at === steps.length - 1)) };
}

/** Whether a step leads from one place to one place; several names do where they are the last step. */
export function isDefinite(step: PathStep, last: boolean): boolean {
  if (step.type === 'names') return step.names.length === 1 || last;
  if (step.type === 'indices') return step.indices.length === 1;
  return step.type === 'call';
}

function readNameOrCall(text: PathText): PathStep {
  if (text.takes('*')) return { type: 'all' };
  const name = text.takeWhile((char) => !' .[()]&|=<>!,\t\n'.includes(char));
  if (name === '') throw invalidPath(text, 'lacks a name');
  if (!text.takes('(')) return { type: 'names', names: [name] };
  text.skipSpace();
  if (!functions.includes(name) || !text.takes(')')) throw invalidPath(text, `has no function '${name}'`);
  return { type: 'call', name: name as PathFunction };
}

function readBracket(text: PathText, depth: number): PathStep {
  text.take('[');
  text.skipSpace();
  const step = readInBracket(text, depth);
  text.skipSpace();
  text.take(']');
  return step;
}

function readInBracket(text: PathText, depth: number): PathStep {
  const char = text.peek();
  if (char === '*') {
    text.take('*');
    return { type: 'all' };
  }
  if (char === '?') {
    text.take('?');
    text.skipSpace();
    text.take('(');
    const filter = parseFilter(text, depth + 1);
    text.take(')');
    return { type: 'filter', filter };
  }
  if (char === "'" || char === '"') return { type: 'names', names: readList(text, () => text.takeQuoted()) };
  return readIndices(text);
}

function readIndices(text: PathText): PathStep {
  const first = text.takeInteger();
  text.skipSpace();
  if (text.takes(':')) {
    text.skipSpace();
    return { type: 'slice', from: first, to: text.takeInteger() };
  }
  if (first === undefined) throw invalidPath(text, "lacks a name in quotes, an index or '*' in brackets");
  const more = text.takes(',') ? readList(text, () => requiredInteger(text)) : [];
  return { type: 'indices', indices: [first, ...more] };
}

function requiredInteger(text: PathText): number {
  const found = text.takeInteger();
  if (found === undefined) throw invalidPath(text, 'lacks an index');
  return found;
}

function readList<Item>(text: PathText, readItem: () => Item): Item[] {
  const items: Item[] = [];
  do {
    text.skipSpace();
    items.push(readItem());
    text.skipSpace();
    if (items.length > maxNames) throw invalidPath(text, `has more than ${maxNames} entries in one step`);
  } while (text.takes(','));
  return items;
}

/** A filter, between its parentheses. */
function parseFilter(text: PathText, depth: number): Filter {
  if (depth > maxDepth) throw invalidPath(text, `is nested more than ${maxDepth} deep`);
  let left = parseAnd(text, depth);
  while (takesWord(text, '||')) left = { type: 'or', left, right: parseAnd(text, depth) };
  text.skipSpace();
  return left;
}

function parseAnd(text: PathText, depth: number): Filter {
  let left = parseTerm(text, depth);
  while (takesWord(text, '&&')) left = { type: 'and', left, right: parseTerm(text, depth) };
  return left;
}

function takesWord(text: PathText, word: string): boolean {
  text.skipSpace();
  return text.takes(word);
}

function parseTerm(text: PathText, depth: number): Filter {
  if (takesWord(text, '!')) {
    if (depth > maxDepth) throw invalidPath(text, `is nested more than ${maxDepth} deep`);
    return { type: 'not', of: parseTerm(text, depth + 1) };
  }
  if (text.takes('(')) {
    const inner = parseFilter(text, depth + 1);
    text.take(')');
    return inner;
  }
  const left = parseOperand(text, depth);
  text.skipSpace();
  const operator = operators.find((each) => text.takes(each));
  if (operator === undefined) return { type: 'exists', operand: left };
  text.skipSpace();
  if (operator === '=~') return { type: 'compare', operator, left, right: parseRegExp(text) };
  return { type: 'compare', operator, left, right: parseOperand(text, depth) };
}

function parseOperand(text: PathText, depth: number): Operand {
  const char = text.peek();
  if (char === '@' || char === '$') {
    text.take(char);
    return { type: 'path', from: char, path: parseSteps(text, false, depth + 1) };
  }
  return { type: 'value', value: parseLiteral(text, depth) };
}

function parseLiteral(text: PathText, depth: number): unknown {
  const char = text.peek();
  if (char === "'" || char === '"') return text.takeQuoted();
  if (char === '[') return parseArray(text, depth + 1);
  const word = text.takeWhile((each) => /[\w.+-]/.test(each));
  if (word === 'true') return true;
  if (word === 'false') return false;
  if (word === 'null') return null;
  if (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(word)) return Number(word);
  throw invalidPath(text, `lacks a value in its filter`);
}

function parseArray(text: PathText, depth: number): unknown[] {
  if (depth > maxDepth) throw invalidPath(text, `is nested more than ${maxDepth} deep`);
  const items: unknown[] = [];
  text.take('[');
  text.skipSpace();
  while (!text.takes(']')) {
    items.push(parseLiteral(text, depth));
    text.skipSpace();
    if (text.takes(',')) text.skipSpace();
    else if (text.peek() !== ']') throw invalidPath(text, "lacks ']'");
  }
  return items;
}

function parseRegExp(text: PathText): Operand {
  text.take('/');
  let escaped = false;
  const source = text.takeWhile((char) => {
    const ends = char === '/' && !escaped;
    escaped = char === '\\' && !escaped;
    return !ends;
  });
  text.take('/');
  const flags = text.takeWhile((char) => 'ims'.includes(char));
  let regExp: RegExp;
  try {
    regExp = new RegExp(`^(?:${source})$`, flags);
  } catch {
    throw invalidPath(text, 'has a regular expression that is none');
  }
  const cost = expressionCost(source, 3);
  if (cost !== undefined) throw invalidPath(text, `has a regular expression that ${cost}`);
  return { type: 'value', value: regExp };
}
