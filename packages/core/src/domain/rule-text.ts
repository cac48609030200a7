/**
 * Rules as people type them: `age > 30d and queue = mail and not (kind like "report-%" or label.tenant in (a, b))`.
 * Reads a text into the data of a rule; what the data mean is checked by `rule-check.ts`. Pure.
 */

import { LineshaftError } from './errors.ts';
import type { RuleNode, RuleOperator, RuleValue } from './rules.ts';
import { didYouMean } from './suggest.ts';

const operators: Readonly<Record<string, RuleOperator>> = {
  '=': 'eq',
  '!=': 'ne',
  '>': 'gt',
  '>=': 'gte',
  '<': 'lt',
  '<=': 'lte',
  in: 'in',
  like: 'like',
};
const fieldNames = [
  'age',
  'finishedAge',
  'queue',
  'kind',
  'project',
  'state',
  'label.NAME',
  'size',
  'attempts',
  'priority',
];
const numbers: ReadonlySet<string> = new Set(['size', 'attempts', 'priority']);
const words = /\s*(?:(\(|\)|,|!=|>=|<=|=|>|<)|"((?:[^"\\]|\\.)*)"|([^\s"(),!=<>]+)|(\S))/gy;
const maxLength = 10_000;
const maxDepth = 20;

interface Word {
  readonly text: string;
  readonly quoted: boolean;
  /** Counted from 1. */
  readonly column: number;
}

/**
 * The data of a rule in text.
 *
 * @throws OPTION_INVALID with the column
 * @example parseRule('age > 30d and queue = mail', 'rule')
 */
export function parseRule(text: string, place: string): RuleNode {
  const reader = new Reader(text, place);
  const rule = reader.any(1);
  reader.end();
  return rule;
}

class Reader {
  private readonly words: readonly Word[];
  private readonly place: string;
  private readonly endColumn: number;
  private at = 0;

  constructor(text: string, place: string) {
    this.place = place;
    this.endColumn = text.length + 1;
    if (text.length > maxLength) throw this.refuse(maxLength, `is longer than ${maxLength} characters`);
    this.words = wordsOf(text);
  }

  /** One or several alternatives with `or` between them. */
  any(depth: number): RuleNode {
    const rules = [this.all(depth)];
    while (this.take('or')) rules.push(this.all(depth));
    return only(rules) ?? { or: rules };
  }

  end(): void {
    const word = this.words[this.at];
    if (word !== undefined)
      throw this.refuse(word.column, `'and', 'or' or the end must come before '${word.text}'`);
  }

  private all(depth: number): RuleNode {
    const rules = [this.one(depth)];
    while (this.take('and')) rules.push(this.one(depth));
    return only(rules) ?? { and: rules };
  }

  private one(depth: number): RuleNode {
    const { column } = this.words[this.at] ?? { column: this.endColumn };
    if (depth > maxDepth) throw this.refuse(column, `is more than ${maxDepth} levels deep`);
    if (this.take('not')) return { not: this.one(depth + 1) };
    if (!this.take('(')) return this.comparison();
    const rule = this.any(depth + 1);
    this.demand(')');
    return rule;
  }

  private comparison(): RuleNode {
    const word = this.next('a field, such as age or queue');
    const name = /^label\.(.+)$/s.exec(word.text)?.[1];
    const field = name === undefined ? word.text : 'label';
    if (name === undefined && (word.quoted || !fieldNames.includes(field))) {
      const meant = didYouMean(word.text, fieldNames);
      throw this.refuse(
        word.column,
        `there is no field '${word.text}'${meant}; fields: ${fieldNames.join(', ')}`,
      );
    }
    const sign = this.next(`one of ${Object.keys(operators).join(' ')}`);
    const op = operators[sign.text.toLowerCase()];
    if (op === undefined || sign.quoted)
      throw this.refuse(sign.column, `'${sign.text}' is none of ${Object.keys(operators).join(' ')}`);
    const value = op === 'in' ? this.list(field) : this.value(field);
    return { field, ...(name === undefined ? {} : { name }), op, value } as RuleNode;
  }

  private list(field: string): RuleValue {
    this.demand('(');
    const values = [this.value(field)];
    while (this.take(',')) values.push(this.value(field));
    this.demand(')');
    return values as string[] | number[];
  }

  private value(field: string): string | number {
    const word = this.next('a value');
    if (!word.quoted && /^[(),]$|^[!=<>]+$/.test(word.text))
      throw this.refuse(word.column, `a value must come before '${word.text}'`);
    if (!word.quoted && numbers.has(field) && /^-?\d+$/.test(word.text)) return Number(word.text);
    return word.text;
  }

  private next(what: string): Word {
    const word = this.words[this.at];
    if (word === undefined) throw this.refuse(this.endColumn, `${what} is missing at the end`);
    this.at += 1;
    return word;
  }

  private take(text: string): boolean {
    const word = this.words[this.at];
    if (word === undefined || word.quoted || word.text.toLowerCase() !== text) return false;
    this.at += 1;
    return true;
  }

  private demand(text: string): void {
    const word = this.words[this.at];
    if (this.take(text)) return;
    throw this.refuse(
      word?.column ?? this.endColumn,
      `'${text}' is missing ${word === undefined ? 'at the end' : `before '${word.text}'`}`,
    );
  }

  private refuse(column: number, what: string): LineshaftError {
    return new LineshaftError('OPTION_INVALID', {
      message: `${this.place}, column ${column}: ${what}`,
      details: { field: this.place, column },
    });
  }
}

function wordsOf(text: string): Word[] {
  return Array.from(text.trimEnd().matchAll(words), (found) => {
    const [all, sign, quoted, bare, stray] = found;
    const column = found.index + all.length - all.trimStart().length + 1;
    if (quoted !== undefined) return { text: quoted.replaceAll(/\\(["\\])/g, '$1'), quoted: true, column };
    return { text: sign ?? bare ?? stray ?? '', quoted: false, column };
  });
}

function only<Item>(items: readonly Item[]): Item | undefined {
  return items.length === 1 ? items[0] : undefined;
}
