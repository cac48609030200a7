import { describe, expect, test } from 'vitest';
import { isLineshaftError } from '../domain/errors.ts';
import { bindSchema, checkSchemaName } from './schema-name.ts';

describe('the name of the schema', () => {
  test.each(['lineshaft', 'a', '_x9', 'select', 'x'.repeat(50)])('%s is allowed', (name) => {
    expect(checkSchemaName(name)).toBe(name);
  });

  test('none is the default', () => {
    expect(checkSchemaName(undefined)).toBe('lineshaft');
  });

  test.each(['', 'Jobs', '1a', 'a-b', 'a b', 'a"b', "a'b", 'ä', 'pg_jobs', 'a\n', 'x'.repeat(51), 7, null])(
    '%j is refused with the field and the value',
    (name) => {
      let thrown: unknown;
      try {
        checkSchemaName(name);
      } catch (error) {
        thrown = error;
      }
      expect(isLineshaftError(thrown, 'OPTION_INVALID')).toBe(true);
      expect(thrown).toMatchObject({ details: { field: 'schema' } });
      expect((thrown as Error).message).toMatch(/^schema must be 1 to 50 lower-case letters/);
    },
  );
});

describe('putting the name into SQL', () => {
  test('qualifiers are bound and quoted', () => {
    expect(bindSchema('select * from lineshaft.job j, lineshaft.lane', 'order')).toBe(
      'select * from "order".job j, "order".lane',
    );
  });

  test('qualifiers in literals are bound', () => {
    expect(bindSchema(`select 'lineshaft.job'::regclass, format('lineshaft.%I', x)`, 'jobs')).toBe(
      `select '"jobs".job'::regclass, format('"jobs".%I', x)`,
    );
  });

  test('the channel is bound', () => {
    expect(bindSchema(`perform pg_notify('lineshaft', 'l')`, 'jobs')).toBe(`perform pg_notify('jobs', 'l')`);
  });

  test('the schema itself is bound', () => {
    expect(bindSchema('create schema lineshaft', 'order')).toBe('create schema "order"');
  });

  test('what only looks alike stays', () => {
    const text = `-- the command lineshaft. Not xlineshaft.job\n'declare it: lineshaft queue declare NAME'`;
    expect(bindSchema(text, 'jobs')).toBe(text);
  });

  test('a bad name is refused', () => {
    expect(() => bindSchema('select lineshaft.x', 'a"; drop table x; --')).toThrow(/schema must be/);
  });
});
