/**
 * JSON paths: reads what stands at a path. Only own properties are seen, so `constructor` and `__proto__` are names like
 * others. A path that can mean but one place is definite and answers its value, any other answers a list, as Jayway's
 * JsonPath does. Pure; how much is looked at is bounded. The grammar is in `parse-path.ts`.
 */

import { LineshaftError } from '../errors.ts';
import {
  type Filter,
  isDefinite,
  type JsonPath,
  type Operand,
  type Operator,
  type PathFunction,
  type PathStep,
} from './parse-path.ts';
import { sameJson } from './same-json.ts';

/** Where a path begins: a document that is looked up by its first name. */
export interface PathRoot {
  /** undefined: there is nothing of this name. */
  lookup(name: string): unknown;
  /** All names, for paths such as `*.output`. Default: such paths find nothing. */
  names?(): Iterable<string>;
}

/** How much may still be looked at; a path that looks at more is hostile, or at fault. */
export interface PathBudget {
  left: number;
}

/** A regular expression reads at most so much of a text: it may backtrack. */
const matchedLength = 2_000;

/**
 * What stands at a path: the value of a definite one, or undefined where there is nothing; else a list, perhaps empty.
 *
 * @throws EXPRESSION_LIMIT when more than the budget is looked at
 */
export function readPath(path: JsonPath, root: PathRoot, budget: PathBudget): unknown {
  const { steps } = path;
  const [first] = steps;
  if (first === undefined) return allOf(root);
  // Nearly all paths begin with one name: the rest of the document is not even built.
  const name = nameOf(first);
  if (name === undefined) return readSteps(steps, [allOf(root)], { path, root, budget });
  const value = root.lookup(name);
  // And nearly all go on with names: no lists are made for those.
  for (let at = 1; at < steps.length; at += 1)
    if (nameOf(steps[at]) === undefined) return readSteps(steps.slice(1), [value], { path, root, budget });
  return readNamed(steps, value, budget);
}

/** The name of a step that is one name. */
function nameOf(step: PathStep | undefined): string | undefined {
  return step?.type === 'names' && step.names.length === 1 ? step.names[0] : undefined;
}

/** What stands at the names of all steps but the first. */
function readNamed(steps: readonly PathStep[], start: unknown, budget: PathBudget): unknown {
  let value = start;
  for (let at = 1; at < steps.length; at += 1) {
    if (value === undefined) return undefined;
    spend(budget, 1);
    const name = nameOf(steps[at]) ?? '';
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** The same from a value inside a document, as filters ask it of `@`. */
function readFrom(path: JsonPath, value: unknown, root: PathRoot, budget: PathBudget): unknown {
  return readSteps(path.steps, [value], { path, root, budget });
}

interface Reading {
  readonly path: JsonPath;
  readonly root: PathRoot;
  readonly budget: PathBudget;
}

function readSteps(steps: readonly PathStep[], start: readonly unknown[], reading: Reading): unknown {
  let values: unknown[] = start.filter((value) => value !== undefined);
  for (const [at, step] of steps.entries()) {
    if (step.type === 'call') {
      const subject = isOneSoFar(reading.path, steps, at) ? values[0] : values;
      values = [callFunction(step.name, subject)].filter((value) => value !== undefined);
    } else if (step.type === 'descend') values = withDescendants(values, reading.budget);
    else values = values.flatMap((value) => readStep(step, value, at === steps.length - 1, reading));
  }
  const called = steps.at(-1)?.type === 'call';
  return reading.path.definite || called ? values[0] : values;
}

function isOneSoFar(path: JsonPath, steps: readonly PathStep[], at: number): boolean {
  return path.definite || steps.slice(0, at).every((step) => isDefinite(step, false));
}

function readStep(step: PathStep, value: unknown, last: boolean, reading: Reading): unknown[] {
  spend(reading.budget, 1);
  if (typeof value !== 'object' || value === null) return [];
  switch (step.type) {
    case 'names':
      return readNames(step.names, value, last);
    case 'indices':
      return Array.isArray(value) ? step.indices.flatMap((index) => present(value.at(index))) : [];
    case 'slice': {
      if (!Array.isArray(value)) return [];
      const items: unknown[] = value.slice(step.from ?? 0, step.to ?? value.length);
      spend(reading.budget, items.length);
      return items;
    }
    case 'all':
      return childrenOf(value, reading.budget);
    case 'filter': {
      // An object is asked itself, a list is asked for its items, as Jayway does.
      const items = Array.isArray(value) ? childrenOf(value, reading.budget) : [value];
      return items.filter((item) => filterHolds(step.filter, item, reading.root, reading.budget));
    }
    default:
      return [];
  }
}

function readNames(names: readonly string[], value: object, last: boolean): unknown[] {
  if (Array.isArray(value)) return [];
  const found = names.filter((name) => Object.hasOwn(value, name));
  const read = (name: string) => (value as Record<string, unknown>)[name];
  if (names.length === 1 || !last) return found.map(read);
  return [Object.fromEntries(found.map((name) => [name, read(name)]))];
}

function present(value: unknown): unknown[] {
  return value === undefined ? [] : [value];
}

function childrenOf(value: object, budget: PathBudget): unknown[] {
  const children: unknown[] = Array.isArray(value) ? value : Object.values(value);
  spend(budget, children.length);
  return children;
}

/** The values and all that is inside them, outer before inner, in the order of the document. No recursion: documents may be deep. */
function withDescendants(values: readonly unknown[], budget: PathBudget): unknown[] {
  const found: unknown[] = [];
  const waiting = values.toReversed();
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    found.push(value);
    const children = childrenOf(value, budget);
    for (let at = children.length - 1; at >= 0; at -= 1) waiting.push(children[at]);
  }
  return found;
}

function allOf(root: PathRoot): unknown {
  if (root.names === undefined) return undefined;
  return Object.fromEntries([...root.names()].map((name) => [name, root.lookup(name)]));
}

function callFunction(name: PathFunction, subject: unknown): unknown {
  if (name === 'length' || name === 'size') return lengthOf(subject);
  if (name === 'keys') return isObject(subject) ? Object.keys(subject) : undefined;
  if (!Array.isArray(subject)) return undefined;
  if (name === 'first') return subject[0];
  if (name === 'last') return subject.at(-1);
  const numbers = subject.filter((item): item is number => typeof item === 'number');
  if (numbers.length === 0) return undefined;
  const sum = numbers.reduce((total, item) => total + item, 0);
  if (name === 'sum') return sum;
  if (name === 'avg') return sum / numbers.length;
  const better = name === 'min' ? Math.min : Math.max;
  return numbers.reduce((best, item) => better(best, item));
}

function lengthOf(subject: unknown): number | undefined {
  if (typeof subject === 'string' || Array.isArray(subject)) return subject.length;
  return isObject(subject) ? Object.keys(subject).length : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Takes from what may still be looked at. */
function spend(budget: PathBudget, nodes: number): void {
  budget.left -= nodes;
  if (budget.left >= 0) return;
  throw new LineshaftError('EXPRESSION_LIMIT', {
    message: `an expression looks at more values than are allowed; name the place instead of searching for it`,
  });
}

/** Whether a value passes. @throws EXPRESSION_LIMIT when more than the budget is looked at */
function filterHolds(filter: Filter, item: unknown, root: PathRoot, budget: PathBudget): boolean {
  spend(budget, 1);
  const holds = (inner: Filter) => filterHolds(inner, item, root, budget);
  const read = (operand: Operand) => operandValue(operand, item, root, budget);
  switch (filter.type) {
    case 'or':
      return holds(filter.left) || holds(filter.right);
    case 'and':
      return holds(filter.left) && holds(filter.right);
    case 'not':
      return !holds(filter.of);
    case 'exists':
      return read(filter.operand) !== undefined;
    default:
      return compare(filter.operator, read(filter.left), read(filter.right), budget);
  }
}

function operandValue(operand: Operand, item: unknown, root: PathRoot, budget: PathBudget): unknown {
  if (operand.type === 'value') return operand.value;
  return operand.from === '@'
    ? readFrom(operand.path, item, root, budget)
    : readPath(operand.path, root, budget);
}

function compare(operator: Operator, left: unknown, right: unknown, budget: PathBudget): boolean {
  switch (operator) {
    case '==':
      return equals(left, right);
    case '!=':
      return !equals(left, right);
    case '<':
      return orderOf(left, right) < 0;
    case '<=':
      return orderOf(left, right) <= 0;
    case '>':
      return orderOf(left, right) > 0;
    case '>=':
      return orderOf(left, right) >= 0;
    case '=~':
      return typeof left === 'string' && right instanceof RegExp && right.test(left.slice(0, matchedLength));
    default:
      return compareLists(operator, left, right, budget);
  }
}

type ListOperator = Exclude<Operator, '==' | '!=' | '<' | '<=' | '>' | '>=' | '=~'>;

function compareLists(operator: ListOperator, left: unknown, right: unknown, budget: PathBudget): boolean {
  const among = (item: unknown, list: unknown) => {
    if (!Array.isArray(list)) return false;
    spend(budget, list.length);
    return list.some((each) => equals(item, each));
  };
  const lefts = Array.isArray(left) ? left : [];
  switch (operator) {
    case 'in':
      return among(left, right);
    case 'nin':
      return Array.isArray(right) && !among(left, right);
    case 'contains':
      return typeof left === 'string' && typeof right === 'string'
        ? left.includes(right)
        : among(right, left);
    case 'subsetof':
      return Array.isArray(left) && lefts.every((item) => among(item, right));
    case 'anyof':
      return lefts.some((item) => among(item, right));
    case 'noneof':
      return Array.isArray(left) && !lefts.some((item) => among(item, right));
    case 'size':
      return sizeOf(left) === (typeof right === 'number' ? right : sizeOf(right));
    default:
      return (sizeOf(left) === 0) === right;
  }
}

/** NaN where two values have no order; then no comparison holds. */
function orderOf(left: unknown, right: unknown): number {
  if (typeof left === 'string' && typeof right === 'string') return left < right ? -1 : left > right ? 1 : 0;
  return numberOf(left) - numberOf(right);
}

function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
}

/** A number equals the text that shows it, as in Jayway. */
function equals(left: unknown, right: unknown): boolean {
  const mixed =
    (typeof left === 'number' && typeof right === 'string') ||
    (typeof left === 'string' && typeof right === 'number');
  return mixed ? numberOf(left) === numberOf(right) : left !== undefined && sameJson(left, right);
}

function sizeOf(value: unknown): number | undefined {
  return typeof value === 'string' || Array.isArray(value) ? value.length : undefined;
}
