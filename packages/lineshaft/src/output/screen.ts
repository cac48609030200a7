/**
 * What a command writes: its result on standard output, as text for people or as one JSON document;
 * everything else
 * (warnings, progress) on standard error.
 */

import { styleText } from 'node:util';
import type { Host } from '../host.ts';
import { type Column, type Paint, renderFacts, renderTable } from './table.ts';

export type Style = Parameters<typeof styleText>[0];

export class Screen {
  readonly json: boolean;
  private readonly host: Host;

  constructor(host: Host, json: boolean) {
    this.host = host;
    this.json = json;
  }

  /** The result of the command: the document with `--json`, otherwise the text. Called once. */
  result(document: unknown, text: () => string): void {
    this.print(this.json ? jsonDocument(document) : text());
  }

  /** A line of the result, for people; nothing with `--json`. */
  say(text: string): void {
    if (!this.json) this.print(text);
  }

  /** Something that the user should know, though the command goes on. */
  warn(message: string): void {
    const line = this.json
      ? JSON.stringify({ warning: { message } })
      : `${styleText('yellow', 'warning:', { stream: this.host.stderr })} ${message}`;
    this.host.stderr.write(`${line}\n`);
  }

  /** Styles a text, where standard output is a terminal and NO_COLOR does not forbid it. */
  style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.host.stdout });
  }

  paint(style: Style): Paint {
    return (text) => this.style(style, text);
  }

  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
    const lineWidth = this.host.stdout.isTTY ? this.host.stdout.columns : undefined;
    return renderTable(columns, rows, { lineWidth, titleStyle: this.paint('dim') });
  }

  facts(facts: readonly (readonly [string, string | undefined])[]): string {
    return renderFacts(facts, this.paint('dim'));
  }

  private print(text: string): void {
    this.host.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }
}

/** JSON for programs: fields without a value are `null`, so that the field names are always there. */
export function jsonDocument(value: unknown): string {
  return JSON.stringify(value, (_key, field: unknown) => (field === undefined ? null : field), 2);
}
