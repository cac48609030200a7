/** Every file of `examples/` runs on a database of its own, ends by itself, and prints what its last comment says. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { createDatabase } from '../../packages/core/src/testing/server.ts';
import { repository, runNode } from './run-node.ts';

const names = readdirSync(join(repository, 'examples')).filter((name) => /^\d\d-[\w-]+\.ts$/.test(name));

test('the examples are numbered without a gap', () => {
  expect(names.map((name) => Number(name.slice(0, 2)))).toEqual(names.map((_, place) => place + 1));
  expect(names.length).toBeGreaterThanOrEqual(10);
});

describe.concurrent.each(names)('%s', (name) => {
  const text = readFileSync(join(repository, 'examples', name), 'utf8');

  test('has fewer than 60 lines', ({ expect }) => {
    expect(text.split('\n').length).toBeLessThan(60);
  });

  test('prints what it says', { timeout: 60_000 }, async ({ expect }) => {
    const env = { LINESHAFT_DATABASE_URL: await createDatabase(inject('postgres18')) };
    const { code, stdout, stderr } = await runNode([join(repository, 'examples', name)], { env }).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(/^\/\* Prints:\n([\s\S]*?)^\*\/$/m.exec(text)?.[1]);
  });
});
