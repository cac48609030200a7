import { describe, expect, test } from 'vitest';
import { type Column, renderFacts, renderTable } from './table.ts';
import { displayWidth, fitText, oneLine, printable } from './text-width.ts';

const plain = (text: string): string => text;

describe('width of texts', () => {
  test.each([
    ['abc', 3],
    ['日本', 4],
    ['e\u0301', 1],
    ['👩‍👩‍👧', 2],
    ['🇫🇷', 2],
    ['\u001b[31mred\u001b[0m', 3],
    ['ß…', 2],
  ])('%s takes %d columns', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  test('a text is cut between characters', () => {
    expect(fitText('日本語テキスト', 6)).toBe('日本…');
    expect(fitText('short', 10)).toBe('short');
  });

  test('a text from outside cannot steer the terminal', () => {
    expect(oneLine('a\n\u001b[2Jb\u2028c')).toBe('a [2Jb c');
    expect(printable('a\u001b[2J\tb\r\nc')).toBe('a\ufffd[2J  b\nc');
  });
});

describe('tables', () => {
  interface Row {
    readonly name: string;
    readonly count: number | undefined;
    readonly note: string;
  }
  const columns: Column<Row>[] = [
    { title: 'name', value: ({ name }) => name },
    { title: 'count', value: ({ count }) => count, align: 'right' },
    { title: 'note', value: ({ note }) => note, gives: true },
  ];
  const rows: Row[] = [
    { name: '日本', count: 7, note: 'a rather long note' },
    { name: 'x', count: undefined, note: '' },
  ];

  test('columns are as wide as their cells', () => {
    expect(renderTable(columns, rows, { lineWidth: undefined, titleStyle: plain })).toBe(
      ['name  count  note', '日本      7  a rather long note', 'x         -'].join('\n'),
    );
  });

  test('one column gives way where the line is too narrow', () => {
    const table = renderTable(columns, rows, { lineWidth: 24, titleStyle: plain });
    expect(table.split('\n')[1]).toBe('日本      7  a rather l…');
  });

  test('facts leave out what is unknown and indent what has several lines', () => {
    const facts = renderFacts(
      [
        ['id', '1'],
        ['output', '{\n}'],
        ['worker', undefined],
      ],
      plain,
    );
    expect(facts).toBe('id      1\noutput  {\n        }');
  });
});
