/**
 * The language in which runs and steps are searched, as Conductor's clients write it: `field op value` joined by `AND`,
 * with `=`, `>`, `<` and `IN (a,b)`, values bare or in quotes, `*` for anything in a value of `=`. From text to a checked
 * tree; `store/search-sql.ts` makes SQL of it. Pure.
 */

import { invalidOption, LineshaftError } from '../errors.ts';
import { didYouMean } from '../suggest.ts';

/** What sort of values a field has. Times in milliseconds since 1970. */
export type FieldTypes = Readonly<Record<string, 'id' | 'text' | 'number' | 'time'>>;

/** What can be asked of runs and steps. */
export const searchFields = {
  workflowId: 'id',
  correlationId: 'text',
  workflowType: 'text',
  version: 'number',
  status: 'text',
  startTime: 'time',
  endTime: 'time',
  updateTime: 'time',
  scheduledTime: 'time',
  taskId: 'id',
  taskType: 'text',
  taskDefName: 'text',
  parentWorkflowId: 'id',
  classifier: 'text',
} as const satisfies FieldTypes;

/** One condition; with `in` one of the values is enough. A `like` value has `*` for anything. */
export interface SearchCondition {
  readonly field: string;
  readonly type: FieldTypes[string];
  readonly op: 'eq' | 'like' | 'gt' | 'lt' | 'in';
  readonly values: readonly string[];
}

export interface SortKey {
  readonly field: string;
  readonly descending: boolean;
}

/** What is asked for: all conditions hold and all words occur. */
export interface SearchTree {
  readonly conditions: readonly SearchCondition[];
  /** Of the free text; one that ends in `*` is the beginning of a word. */
  readonly words: readonly string[];
  readonly sort: readonly SortKey[];
  /** 0 and more. */
  readonly start: number;
  readonly size: number;
}

/** So many characters may a query, a free text or a sort rule have. */
const textMax = 10_000;
const conditionsMax = 50;
const valuesMax = 1_000;
const wordsMax = 50;
/** How far into the results one may look; who wants more narrows the time. */
export const startMax = 100_000;
export const sizeMax = 5_000;

/** What `validateSearch` takes: `RunSearch` of the port. */
interface SearchInput {
  readonly query?: unknown;
  readonly freeText?: unknown;
  readonly sort?: unknown;
  readonly start?: unknown;
  readonly size?: unknown;
}

/**
 * Checks a search. Conditions on fields that do not exist are left out, as Conductor does; what cannot be read is refused.
 *
 * @throws OPTION_INVALID with field and place
 * @example validateSearch({ query: "workflowType = 'order' AND status IN (FAILED,TIMED_OUT)", size: 20 })
 */
export function validateSearch(search: SearchInput): SearchTree {
  const { query = '', freeText = '*', sort = '' } = search;
  return {
    conditions: parseSearchQuery(textOf(query, 'query')),
    words: wordsOf(textOf(freeText, 'freeText')),
    sort: parseSort(textOf(sort, 'sort')),
    start: numberWithin(search.start ?? 0, 'start', startMax),
    size: numberWithin(search.size ?? 100, 'size', sizeMax),
  };
}

/** The conditions of a query, in order, on fields that there are. @throws OPTION_INVALID with the place */
export function parseSearchQuery(text: string, fields: FieldTypes = searchFields): SearchCondition[] {
  const tokens = tokensOf(text);
  const conditions: SearchCondition[] = [];
  for (let place = 0; place < tokens.length; ) {
    const [field, operator] = [tokens[place], tokens[place + 1]];
    if (field?.type !== 'word') throw unreadable(field, text, 'the name of a field');
    const op = operator === undefined ? undefined : operatorOf(operator);
    if (op === undefined) throw unreadable(operator, text, '=, >, < or IN');
    const { values, next } = valuesFrom(tokens, place + 2, op, text);
    const condition = conditionOf(field.text, op, values, fields);
    if (condition !== undefined) conditions.push(condition);
    if (conditions.length > conditionsMax) {
      throw refused('query', `query must have at most ${conditionsMax} conditions`);
    }
    place = next;
    if (place >= tokens.length) break;
    const and = tokens[place];
    if (and?.type !== 'word' || and.text.toUpperCase() !== 'AND') throw unreadable(and, text, 'AND');
    place += 1;
    if (place >= tokens.length) throw unreadable(undefined, text, 'a condition after AND');
  }
  return conditions;
}

interface Token {
  readonly type: 'word' | 'quoted' | 'sign';
  readonly text: string;
  /** The first character is 1. */
  readonly position: number;
}

const tokenPattern = /\s+|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([=<>(),])|([^\s=<>(),"']+)/gy;

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let end = 0;
  for (const match of text.matchAll(tokenPattern)) {
    end = match.index + match[0].length;
    const quoted = match[1] ?? match[2];
    const position = match.index + 1;
    if (quoted !== undefined) {
      tokens.push({ type: 'quoted', text: quoted.replaceAll(/\\(.)/g, '$1'), position });
    } else if (match[3] !== undefined) tokens.push({ type: 'sign', text: match[3], position });
    else if (match[4] !== undefined) tokens.push({ type: 'word', text: match[4], position });
  }
  if (end < text.length) {
    throw refused('query', `query: the quote at character ${end + 1} is not closed`);
  }
  return tokens;
}

function operatorOf(token: Token): 'eq' | 'gt' | 'lt' | 'in' | undefined {
  if (token.type === 'sign') {
    return ({ '=': 'eq', '>': 'gt', '<': 'lt' } as const)[token.text];
  }
  return token.type === 'word' && token.text.toUpperCase() === 'IN' ? 'in' : undefined;
}

function valuesFrom(
  tokens: readonly Token[],
  from: number,
  op: 'eq' | 'gt' | 'lt' | 'in',
  text: string,
): { values: string[]; next: number } {
  if (op !== 'in') return oneValue(tokens, from, text);
  if (tokens[from]?.text !== '(' || tokens[from]?.type !== 'sign') throw unreadable(tokens[from], text, '(');
  const values: string[] = [];
  let place = from + 1;
  for (;;) {
    const one = oneValue(tokens, place, text);
    values.push(...one.values);
    if (values.length > valuesMax) throw refused('query', `query: IN must name at most ${valuesMax} values`);
    const after = tokens[one.next];
    place = one.next + 1;
    if (after?.type === 'sign' && after.text === ')') return { values, next: place };
    if (after?.type !== 'sign' || after.text !== ',') throw unreadable(after, text, ', or )');
  }
}

/** A quoted value, or bare words up to the next sign or AND: `workflowType = my flow` is one value. */
function oneValue(tokens: readonly Token[], from: number, text: string): { values: string[]; next: number } {
  const first = tokens[from];
  if (first?.type === 'quoted') return { values: [first.text], next: from + 1 };
  const words: string[] = [];
  let next = from;
  for (let token = tokens[next]; token?.type === 'word'; token = tokens[next]) {
    if (words.length > 0 && token.text.toUpperCase() === 'AND') break;
    words.push(token.text);
    next += 1;
  }
  if (words.length === 0) throw unreadable(first, text, 'a value');
  return { values: [words.join(' ')], next };
}

/** undefined: the field does not exist, or anything fits. */
function conditionOf(
  field: string,
  op: 'eq' | 'gt' | 'lt' | 'in',
  values: readonly string[],
  fields: FieldTypes,
): SearchCondition | undefined {
  const type = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (type === undefined) return undefined;
  if (type === 'time' || type === 'number') {
    for (const value of values) checkNumber(field, type, value);
  } else if (op === 'gt' || op === 'lt') {
    throw refused('query', `query: ${field} is a text: compare it with = or IN`);
  }
  if (type === 'id') {
    const ids = values.map((value) => value.toLowerCase()).filter((value) => uuidPattern.test(value));
    // What is no id names nothing; an empty list fits nothing.
    return { field, type, op: 'in', values: ids };
  }
  if (op !== 'eq' || type !== 'text' || !values[0]?.includes('*')) return { field, type, op, values };
  return /^\*+$/.test(values[0]) ? undefined : { field, type, op: 'like', values };
}

const uuidPattern = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

function checkNumber(field: string, type: 'time' | 'number', value: string): void {
  if (/^\d{1,15}$/.test(value)) return;
  const what = type === 'time' ? 'milliseconds since 1970' : 'a whole number';
  throw refused('query', `query: ${field} must be compared with ${what}, not '${value.slice(0, 60)}'`);
}

/** The keys of `field:ASC|DESC`, several joined by `|`; unknown fields are left out. @throws OPTION_INVALID */
export function parseSort(text: string, fields: FieldTypes = searchFields): SortKey[] {
  return text
    .split('|')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [field = '', direction = 'ASC', ...more] = part.split(':').map((each) => each.trim());
      const order = direction.toUpperCase();
      if (more.length > 0 || (order !== 'ASC' && order !== 'DESC')) {
        const hint = didYouMean(order, ['ASC', 'DESC']);
        throw refused('sort', `sort must be field:ASC or field:DESC, not '${part.slice(0, 60)}'${hint}`);
      }
      return Object.hasOwn(fields, field) ? [{ field, descending: order === 'DESC' }] : [];
    });
}

/** The words of a free text; none where anything fits. */
function wordsOf(text: string): string[] {
  const words = text.split(/\s+/).filter((word) => word !== '' && !/^\*+$/.test(word));
  if (words.length > wordsMax) throw refused('freeText', `freeText must have at most ${wordsMax} words`);
  return words;
}

function textOf(value: unknown, field: string): string {
  if (typeof value !== 'string') throw invalidOption(field, value, 'a text');
  if (value.length > textMax) throw refused(field, `${field} must have at most ${textMax} characters`);
  if (value.includes('\0')) throw refused(field, `${field} must not have NUL characters`);
  return value;
}

function numberWithin(value: unknown, field: string, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value;
  const hint = field === 'start' ? '; narrow the search by startTime to see others' : '';
  throw new LineshaftError('OPTION_INVALID', {
    message: `${field} must be a whole number from 0 to ${most}, not ${String(value).slice(0, 60)}${hint}`,
    details: { field },
  });
}

function unreadable(token: Token | undefined, text: string, expected: string): LineshaftError {
  const where =
    token === undefined
      ? `at its end (character ${text.length + 1})`
      : `at character ${token.position} ('${token.text.slice(0, 40)}')`;
  return refused('query', `query: ${expected} must stand ${where}`);
}

function refused(field: string, message: string): LineshaftError {
  return new LineshaftError('OPTION_INVALID', { message, details: { field } });
}
