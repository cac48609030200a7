/** The text of a JSON path while it is read: a place in it, and what may be taken there. Pure. */

import { LineshaftError } from '../errors.ts';

const maxLength = 2_000;

export class PathText {
  readonly source: string;
  private at = 0;

  constructor(source: string) {
    this.source = source;
    if (source.length > maxLength) throw invalidPath(this, `is longer than ${maxLength} characters`);
  }

  get ended(): boolean {
    return this.at >= this.source.length;
  }

  get place(): number {
    return this.at;
  }

  /** The next character; empty at the end. */
  peek(): string {
    return this.source[this.at] ?? '';
  }

  /** Takes the word if it stands here. */
  takes(word: string): boolean {
    if (!this.source.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  take(word: string): void {
    if (!this.takes(word)) throw invalidPath(this, `lacks '${word}'`);
  }

  takeWhile(holds: (char: string) => boolean): string {
    const from = this.at;
    while (!this.ended && holds(this.peek())) this.at += 1;
    return this.source.slice(from, this.at);
  }

  skipSpace(): void {
    this.takeWhile((char) => char === ' ' || char === '\t' || char === '\n' || char === '\r');
  }

  takeInteger(): number | undefined {
    const found = /^-?\d{1,9}/.exec(this.source.slice(this.at, this.at + 10));
    if (found === null) return undefined;
    this.at += found[0].length;
    return Number(found[0]);
  }

  /** A text in single or double quotes; a backslash takes the next character as it is, but for `\n`, `\t`, `\r`. */
  takeQuoted(): string {
    const quote = this.peek();
    if (quote !== "'" && quote !== '"') throw invalidPath(this, 'lacks a text in quotes');
    this.at += 1;
    let text = '';
    while (this.peek() !== quote) {
      if (this.ended) throw invalidPath(this, 'lacks the closing quote');
      text += this.takeCharacter();
    }
    this.at += 1;
    return text;
  }

  private takeCharacter(): string {
    const char = this.peek();
    this.at += 1;
    if (char !== '\\') return char;
    const escaped = this.peek();
    this.at += 1;
    return { n: '\n', t: '\t', r: '\r' }[escaped] ?? escaped;
  }
}

/** The error for a path that can't be read. */
export function invalidPath(text: PathText, trouble: string): LineshaftError {
  return new LineshaftError('OPTION_INVALID', {
    message: `the path '${text.source.slice(0, 60)}' ${trouble} (at character ${text.place + 1})`,
    details: { field: 'expression' },
  });
}
