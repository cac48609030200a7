/**
 * What the demo writes: lines, and on a terminal a live part below them that is redrawn. Without a terminal
 * there is no live part, no colour and nothing that moves.
 */

import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

export class Terminal {
  /** Whether there is a live part. */
  readonly isLive: boolean;
  private readonly stream: NodeJS.WriteStream;
  private drawn: readonly string[] = [];

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream;
    this.isLive = stream.isTTY === true && process.env['TERM'] !== 'dumb';
    // Whoever reads us may go away early.
    stream.on('error', () => {});
  }

  get columns(): number {
    return this.isLive ? Math.max(this.stream.columns || 80, 40) : 100;
  }

  /** Colours a text where the terminal has colours and NO_COLOR is not set. */
  paint(style: Style, text: string): string {
    return styleText(style, text, { stream: this.stream });
  }

  /** Writes lines for good, above the live part. */
  say(...lines: readonly string[]): void {
    const live = this.drawn;
    this.stream.write(`${this.erase()}${lines.join('\n')}\n`);
    this.drawn = [];
    if (live.length > 0) this.draw(live);
  }

  /** Replaces the live part. A line must not be wider than the terminal. */
  draw(lines: readonly string[]): void {
    if (!this.isLive) return;
    this.stream.write(`${this.erase()}${this.drawn.length === 0 ? '\u001b[?25l' : ''}${lines.join('\n')}\n`);
    this.drawn = lines;
  }

  /** Removes the live part and gives the cursor back. */
  rest(): void {
    if (this.drawn.length > 0) this.stream.write(`${this.erase()}\u001b[?25h`);
    this.drawn = [];
  }

  private erase(): string {
    return this.drawn.length === 0 ? '' : `\u001b[${this.drawn.length}F\u001b[J`;
  }
}

/** A bar of `width` characters, filled to `share` (0 to 1). */
export function bar(share: number, width: number): string {
  const filled = Math.round(Math.min(Math.max(share, 0), 1) * width);
  return '━'.repeat(filled) + '─'.repeat(width - filled);
}

/** 1234567 as `1,234,567`. */
export function count(number: number): string {
  return number.toLocaleString('en-GB');
}

/** `512 B`, `3.4 KiB`, `61 MiB`. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `480 ms`, `3.2 s`. */
export function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Columns of equal width; those named in `right` are aligned to the right. Texts must be unpainted. */
export function table(rows: readonly (readonly string[])[], right: readonly number[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return right.includes(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('   ')
      .trimEnd(),
  );
}

/** A path of at most `width` characters; its middle goes first. */
export function shorten(path: string, width: number): string {
  if (path.length <= width) return path;
  const tail = Math.ceil((width - 1) * 0.6);
  return `${path.slice(0, width - 1 - tail)}…${path.slice(path.length - tail)}`;
}
