/** `docs/reference` is what its generator writes. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fieldsOf, referencePages } from '../../tools/generate-docs.ts';
import { repository } from './run-node.ts';

const folder = join(repository, 'docs/reference');

test('the reference is up to date; if not, run: npx node tools/generate-docs.ts', async () => {
  const pages = await referencePages();
  expect([...pages.keys()].sort()).toEqual(readdirSync(folder).sort());
  for (const [name, text] of pages) expect(readFileSync(join(folder, name), 'utf8'), name).toBe(text);
});

test('fields are read with their types and comments, over several lines and without', () => {
  const source =
    'export interface Of<Map extends object>\n  extends Base {\n' +
    '  /** One line. */\n  readonly first?: string;\n  second(a: number): void;\n' +
    '  /**\n   * Two\n   * lines:\n   * - a\n   */\n  readonly third: readonly string[];\n}\n';
  expect(fieldsOf(source, 'Of')).toEqual([
    ['first', 'string', 'One line.'],
    ['second', '(a: number): void', ''],
    ['third', 'readonly string[]', 'Two lines:<br>a'],
  ]);
  expect(() => fieldsOf(source, 'Other')).toThrow('there is no interface Other');
});
