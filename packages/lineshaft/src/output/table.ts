/**
 * Tables for a terminal: columns as wide as their cells, and one that gives way where the line is too narrow.
 * Pure.
 */

import { displayWidth, fitText, oneLine } from './text-width.ts';

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | undefined;
  /** Applied to the padded cell. */
  readonly style?: (row: Row) => Paint | undefined;
  readonly align?: 'right';
  /** Cut to what is left of the line. At most one column. */
  readonly gives?: boolean;
}

export type Paint = (text: string) => string;

const gap = '  ';
const leastWidth = 8;

/**
 * Lays rows out as lines, the titles first.
 *
 * @param columns values that are undefined show as `-`.
 * @param lineWidth of the terminal; undefined: nothing is cut.
 */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: { readonly lineWidth: number | undefined; readonly titleStyle: Paint },
): string {
  const cells = rows.map((row) => columns.map(({ value }) => oneLine(String(value(row) ?? '-'))));
  const widths = columns.map(({ title }, place) =>
    Math.max(displayWidth(title), ...cells.map((line) => displayWidth(line[place] ?? ''))),
  );
  const giving = columns.findIndex(({ gives }) => gives === true);
  if (options.lineWidth !== undefined && giving >= 0) {
    const total = widths.reduce((sum, width) => sum + width, 0) + gap.length * (columns.length - 1);
    const over = total - options.lineWidth;
    if (over > 0) widths[giving] = Math.max(leastWidth, (widths[giving] ?? 0) - over);
  }
  const titles = columns.map((column, place) =>
    options.titleStyle(pad(column.title, widths[place] ?? 0, column, place === columns.length - 1)),
  );
  const lines = cells.map((line, at) => {
    const row = rows[at];
    return columns.map((column, place) => {
      const padded = pad(line[place] ?? '', widths[place] ?? 0, column, place === columns.length - 1);
      const paint = row === undefined ? undefined : column.style?.(row);
      return paint === undefined ? padded : paint(padded);
    });
  });
  return [titles, ...lines].map((line) => line.join(gap).trimEnd()).join('\n');
}

/** Pairs of a name and a value, the values in one column. Values of several lines are indented. */
export function renderFacts(facts: readonly (readonly [string, string | undefined])[], paint: Paint): string {
  const given = facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined);
  const width = Math.max(0, ...given.map(([name]) => displayWidth(name)));
  return given
    .map(([name, value]) => {
      const indented = value.replaceAll('\n', `\n${' '.repeat(width + gap.length)}`);
      return `${paint(name.padEnd(width))}${gap}${indented}`;
    })
    .join('\n');
}

function pad(text: string, width: number, column: { readonly align?: 'right' }, last: boolean): string {
  const fitted = fitText(text, width);
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(fitted)));
  if (column.align === 'right') return blanks + fitted;
  return last ? fitted : fitted + blanks;
}
