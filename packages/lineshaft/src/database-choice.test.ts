import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chooseDatabase, chooseSchema, withoutPassword } from './database-choice.ts';
import { folderWith } from './testing/command.ts';

const flag = 'postgresql://flag/x';
const variable = 'postgres://variable/x';

test('the flag goes before the variable, the variable before the folder', () => {
  const cwd = folderWith();
  mkdirSync(join(cwd, '.lineshaft'));
  const env = { LINESHAFT_DATABASE_URL: variable };
  expect(chooseDatabase({ databaseUrl: flag }, { env, cwd })).toMatchObject({
    url: flag,
    from: '--database-url',
  });
  expect(chooseDatabase({}, { env, cwd })).toMatchObject({ url: variable, from: 'LINESHAFT_DATABASE_URL' });
  expect(chooseDatabase({}, { env: { LINESHAFT_DATABASE_URL: '' }, cwd })).toEqual({
    type: 'embedded',
    directory: cwd,
  });
});

test('a folder without a database gets one only from `dev`; otherwise the three ways are told', () => {
  const cwd = folderWith();
  expect(chooseDatabase({}, { env: {}, cwd }, true)).toEqual({ type: 'embedded', directory: cwd });
  expect(() => chooseDatabase({}, { env: {}, cwd })).toThrow(
    /lineshaft dev .*--database-url postgresql.*export LINESHAFT_DATABASE_URL/s,
  );
});

test('an address of something else is refused, and not repeated: it may hold a password', () => {
  const choose = (): unknown =>
    chooseDatabase({ databaseUrl: 'mysql://u:secret@h/x' }, { env: {}, cwd: '/' });
  expect(choose).toThrow('--database-url must begin with postgresql://');
  expect(choose).not.toThrow(/secret/);
});

test('the schema is that of the flag, the variable, or the default', () => {
  expect(chooseSchema({ schema: 'a' }, { LINESHAFT_SCHEMA: 'b' })).toBe('a');
  expect(chooseSchema({}, { LINESHAFT_SCHEMA: 'b' })).toBe('b');
  expect(chooseSchema({}, {})).toBeUndefined();
});

test('addresses are shown without their password', () => {
  expect(withoutPassword('postgresql://ada:secret@db:5433/app')).toBe('postgresql://ada@db:5433/app');
  expect(withoutPassword('postgresql://ada@/app?host=/tmp/s')).not.toContain('secret');
  expect(withoutPassword('nonsense')).toBe('postgresql://…');
});
