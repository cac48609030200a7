import { describe, expect, test } from 'vitest';
import { parseMigrations, parseStatements } from './generate-statements.ts';

describe('statements', () => {
  test('the header goes, the text stays', () => {
    const content = '-- Finds a job.\n-- $1 id uuid\nselect 1 -- one\nwhere $1 = $1;\n';
    expect(parseStatements([{ file: 'find_job_2.sql', content }])).toEqual([
      { key: 'findJob2', name: 'find_job_2', text: 'select 1 -- one\nwhere $1 = $1' },
    ]);
  });

  test.each([
    ['no header', 'find.sql', 'select 1', 'find.sql: the first line must be a comment with the contract'],
    ['nothing but a header', 'find.sql', '-- Finds.\n', 'the statement must follow it'],
    ['a parameter without a word', 'find.sql', '-- $1 id uuid\nselect $1, $10', 'does not describe $10'],
    ['a wrong name', 'Find-job.sql', '-- Finds.\nselect 1', 'the name must be lower_case.sql'],
  ])('%s is refused', (_, file, content, message) => {
    expect(() => parseStatements([{ file, content }])).toThrow(message);
  });
});

describe('migrations', () => {
  const content = '-- A topic.\n-- Lock cost: none.\nselect 1;\n';

  test('they are sorted, with checksums of their whole texts', () => {
    const files = ['0002_more.sql', '0001_first.sql'].map((file) => ({ file, content }));
    expect(parseMigrations(files)).toMatchObject([
      { version: 1, name: 'first', text: content, checksum: expect.stringMatching(/^[0-9a-f]{64}$/) },
      { version: 2, name: 'more' },
    ]);
  });

  test.each([
    ['a gap', ['0001_a.sql', '0003_c.sql'], 'number 2 is missing before c'],
    ['a duplicate', ['0001_a.sql', '0001_b.sql'], 'number 1 (b) is there twice'],
    ['a wrong name', ['1_a.sql'], 'the name must be NNNN_lower_case.sql'],
  ])('%s is refused', (_, files, message) => {
    expect(() => parseMigrations(files.map((file) => ({ file, content })))).toThrow(message);
  });

  test('one that does not state its lock cost is refused', () => {
    const files = [{ file: '0001_a.sql', content: '-- A topic.\nselect 1;\n' }];
    expect(() => parseMigrations(files)).toThrow('must have a line "-- Lock cost: ..."');
  });
});
