/**
 * `${…}` in inputs and outputs of workflows, with Conductor's rules (`docs/learn/workflow-expressions.md`). What stands
 * between the braces is a JSON path into what is known: `workflow` and the steps by their reference names. Never an error
 * for what is missing, that is null. Pure; compiled once, and the compiled are kept within a bound.
 */

import { LineshaftError } from '../errors.ts';
import { javaText } from './java-text.ts';
import { type PathBudget, type PathRoot, readPath } from './json-path.ts';
import { type JsonPath, parsePath } from './parse-path.ts';

/** What expressions may speak of. */
export interface Scope extends PathRoot {
  /**
   * The document of a first name: `workflow` (with `input`, `output`, `status`, `variables` …) or the reference name of a
   * step (with `input`, `output`, `status` …). Asked only for names that occur. undefined: there is none.
   */
  lookup(name: string): unknown;
  /** What `${CPEWF_TASK_ID}` is: the id of the step whose input is made. */
  readonly taskId?: string | undefined;
  /** What `${NAME}` and `${workflow.env.NAME}` may show of the process environment. Default nothing. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Bounds of one call of `resolve`. */
const maxDepth = 200;
const maxTextLength = 10_485_760;
const maxLookedAt = 200_000;
/** `${a.${b}}`: so deep at most; deeper ones stay as they are. */
const maxNesting = 10;

/**
 * A value with its expressions replaced: through objects and lists, not in names. A text that is one expression becomes
 * what stands there, with its type; in a longer text it becomes text (null: `null`; objects as Java writes them). `$${x}`
 * is the text `${x}`; `${}` the empty text; `${workflow.secrets.NAME}` stays as it is.
 *
 * The value is not changed; parts without expressions are shared with the result.
 *
 * @throws EXPRESSION_LIMIT when texts grow beyond 10 MiB, values are nested more than 200 deep, or paths look at more than
 * 200,000 values: the step or run that asks fails, trying again is useless
 * @example resolve({ n: '${first.output.n}', text: 'n is ${first.output.n}' }, scope) // { n: 3, text: 'n is 3' }
 */
export function resolve(value: unknown, scope: Scope): unknown {
  return resolveValue(value, { scope, budget: { left: maxLookedAt }, textLeft: maxTextLength }, 0);
}

/**
 * A value that `resolve` gives back as it is: `${` in its texts is written `$${`. Parts without are shared with the result.
 *
 * @example literal({ note: 'costs ${5}' }) // { note: 'costs $${5}' }
 */
export function literal(value: unknown): unknown {
  return literalValue(value, 0);
}

function literalValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.replaceAll('${', '$$${');
  // What is deeper `resolve` refuses.
  if (typeof value !== 'object' || value === null || depth > maxDepth) return value;
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => literalValue(item, depth + 1));
    return items.some((item, at) => item !== value[at]) ? items : value;
  }
  const entries = Object.entries(value).map(([name, item]): [string, unknown] => [
    name,
    literalValue(item, depth + 1),
  ]);
  const changed = entries.some(([name, item]) => item !== (value as Record<string, unknown>)[name]);
  return changed ? Object.fromEntries(entries) : value;
}

/** The texts between the braces of all expressions in a value, nested ones too: for checks of definitions. */
export function expressionsIn(value: unknown): string[] {
  const found: string[] = [];
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next === 'string') collect(templateOf(next), found);
    else if (typeof next === 'object' && next !== null)
      for (const item of Object.values(next)) waiting.push(item);
  }
  return found;
}

interface Resolving {
  readonly scope: Scope;
  readonly budget: PathBudget;
  textLeft: number;
}

function resolveValue(value: unknown, resolving: Resolving, depth: number): unknown {
  if (typeof value === 'string') return value.includes('${') ? resolveText(value, resolving) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= maxDepth) throw tooMuch(`values are nested more than ${maxDepth} deep`);
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => resolveValue(item, resolving, depth + 1));
    return items.some((item, at) => item !== value[at]) ? items : value;
  }
  const entries = Object.entries(value);
  let changed = false;
  const resolved = entries.map(([name, item]): [string, unknown] => {
    const now = resolveValue(item, resolving, depth + 1);
    changed ||= now !== item;
    return [name, now];
  });
  // `fromEntries` defines own properties, whatever their name.
  return changed ? Object.fromEntries(resolved) : value;
}

function resolveText(text: string, resolving: Resolving): unknown {
  const template = templateOf(text);
  const [first] = template;
  if (template.length === 1 && first !== undefined && typeof first !== 'string')
    return readExpression(first, resolving) ?? null;
  return fill(template, resolving);
}

function fill(template: Template, resolving: Resolving): string {
  let text = '';
  for (const part of template) {
    const piece =
      typeof part === 'string'
        ? part
        : javaText(readExpression(part, resolving) ?? null, resolving.textLeft + 1);
    resolving.textLeft -= piece.length;
    if (resolving.textLeft < 0) throw tooMuch(`texts grow beyond ${maxTextLength} characters`);
    text += piece;
  }
  return text;
}

function tooMuch(trouble: string): LineshaftError {
  return new LineshaftError('EXPRESSION_LIMIT', {
    message: `an expression can't be replaced: ${trouble}; make it smaller`,
  });
}

/** What a text is made of: texts, and expressions between them. */
type Template = readonly (string | Expression)[];

type Expression =
  | { readonly type: 'path'; readonly source: string; readonly path: JsonPath }
  /** One name only: of the environment, or else of a step. */
  | { readonly type: 'name'; readonly source: string; readonly name: string }
  /** `workflow.env.NAME` */
  | { readonly type: 'environment'; readonly source: string; readonly name: string }
  /** Its path is made when it is read, since it has expressions itself. */
  | { readonly type: 'nested'; readonly source: string; readonly inner: Template }
  | { readonly type: 'value'; readonly source: string; readonly value: string | null };

function readExpression(expression: Expression, resolving: Resolving): unknown {
  switch (expression.type) {
    case 'path':
      return readPath(expression.path, resolving.scope, resolving.budget);
    case 'environment':
      return environmentValue(expression.name, resolving.scope);
    case 'name':
      return nameValue(expression.name, resolving.scope);
    case 'value':
      return expression.value;
    default: {
      const compiled = compileExpression(fill(expression.inner, resolving), undefined);
      // What came in by data is a place, nothing else: no expression is made of it a second time.
      return compiled.type === 'nested' ? null : readExpression(compiled, resolving);
    }
  }
}

function nameValue(name: string, scope: Scope): unknown {
  if (name === 'CPEWF_TASK_ID') return scope.taskId;
  return environmentValue(name, scope) ?? scope.lookup(name);
}

function environmentValue(name: string, scope: Scope): unknown {
  const { environment = {} } = scope;
  return Object.hasOwn(environment, name) ? environment[name] : undefined;
}

function collect(template: Template, found: string[]): void {
  for (const part of template) {
    if (typeof part === 'string') continue;
    found.push(part.source);
    if (part.type === 'nested') collect(part.inner, found);
  }
}

/** Compiled texts, in two generations: when the younger is full, the elder is forgotten and it becomes the elder. */
let younger = new Map<string, Template>();
let elder = new Map<string, Template>();
const generationSize = 2_000;
/** Longer texts are compiled each time, so that what is kept stays small. */
const keptLength = 1_000;

function templateOf(text: string): Template {
  if (text.length > keptLength) return compileTemplate(text, 0);
  const known = younger.get(text);
  if (known !== undefined) return known;
  const template = elder.get(text) ?? compileTemplate(text, 0);
  if (younger.size >= generationSize) {
    elder = younger;
    younger = new Map();
  }
  younger.set(text, template);
  return template;
}

function compileTemplate(text: string, nesting: number): Template {
  const parts: (string | Expression)[] = [];
  const ends = closingBraces(text);
  let literal = '';
  let at = 0;
  while (at < text.length) {
    const next = text.indexOf('$', at);
    if (next < 0) break;
    literal += text.slice(at, next);
    at = next;
    const end = text[at + 1] === '{' ? ends.get(at + 1) : undefined;
    if (text.startsWith('$${', at)) {
      literal += '${';
      at += 3;
    } else if (end === undefined || nesting > maxNesting) {
      literal += '$';
      at += 1;
    } else {
      const expression = compileInner(text.slice(at + 2, end), nesting);
      if (expression === undefined) literal += text.slice(at, end + 1);
      else {
        if (literal !== '') parts.push(literal);
        literal = '';
        parts.push(expression);
      }
      at = end + 1;
    }
  }
  literal += text.slice(at);
  if (literal !== '' || parts.length === 0) parts.push(literal);
  return parts;
}

/** Where each opened brace is closed, in one pass: a text of many unclosed ones must not cost its square. */
function closingBraces(text: string): Map<number, number> {
  const ends = new Map<number, number>();
  const opened: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '{') opened.push(at);
    else if (text[at] === '}') {
      const begin = opened.pop();
      if (begin !== undefined) ends.set(begin, at);
    }
  }
  return ends;
}

/** undefined: it stays as it is, a secret is put in only where it is handed out. */
function compileInner(source: string, nesting: number): Expression | undefined {
  if (/^\s*workflow\.secrets\./.test(source)) return undefined;
  return compileExpression(source, nesting);
}

function compileExpression(source: string, nesting: number | undefined): Expression {
  if (source.trim() === '') return { type: 'value', source, value: '' };
  if (nesting !== undefined && source.includes('${'))
    return { type: 'nested', source, inner: compileTemplate(source, nesting + 1) };
  const [, prefix, name] = /^(workflow\.env\.)?([A-Za-z_][A-Za-z0-9_]*)$/.exec(source.trim()) ?? [];
  if (name !== undefined) return { type: prefix === undefined ? 'name' : 'environment', source, name };
  try {
    return { type: 'path', source, path: parsePath(source) };
  } catch {
    // Not a path: nothing stands there. Definitions are checked when they are registered.
    return { type: 'value', source, value: null };
  }
}
