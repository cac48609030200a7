/**
 * Every TypeScript block of the documentation that is marked `ts run` runs against a real PostgreSQL, in the order of
 * its page and on a database of the page's own, and prints the `text` block that follows it.
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { createDatabase } from '../../packages/core/src/testing/server.ts';
import { makeFolder, markdownFiles, repository, runNode } from './run-node.ts';

interface Block {
  readonly name: string;
  readonly code: string;
  readonly output: string | undefined;
}

const folder = makeFolder('docs-blocks');
const pages = markdownFiles()
  .map((page) => ({ page, blocks: blocksOf(page) }))
  .filter(({ blocks }) => blocks.length > 0);

for (const { blocks } of pages) for (const { name, code } of blocks) writeFileSync(join(folder, name), code);
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));

test('the first screen of the README has a program, and most pages have one', () => {
  expect(pages.map(({ page }) => page)).toContain('README.md');
  expect(pages.length).toBeGreaterThan(12);
});

test('the program of the README has at most 15 lines', () => {
  const [program] = blocksOf('README.md');
  expect(program?.code.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(15);
});

describe.concurrent.each(pages)('$page', ({ blocks }) => {
  test('its programs do what it says', { timeout: 60_000 }, async ({ expect }) => {
    const url = await createDatabase(inject('postgres18'));
    for (const { name, code, output } of blocks) {
      // What brings its own database shall not be given one.
      const env: Record<string, string> = code.includes('openEmbedded')
        ? {}
        : { LINESHAFT_DATABASE_URL: url };
      const { ended } = runNode([join(folder, name)], { cwd: folder, env });
      const { code: exitCode, stdout, stderr } = await ended;
      expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }, `${name}: ${stderr}`).toEqual({
        exitCode: 0,
        stderr: '',
      });
      if (output !== undefined) expect(stdout.trimEnd()).toBe(output);
    }
  });
});

test('all programs of the documentation and the examples compile', { timeout: 60_000 }, async () => {
  const settings = {
    extends: join(repository, 'examples/tsconfig.json'),
    include: [join(folder, '*.ts'), join(repository, 'examples/**/*.ts')],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
  const { ended } = runNode([join(repository, 'node_modules/typescript/bin/tsc'), '-p', folder]);
  const { code, stdout } = await ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
});

/** The blocks of a page that are marked to run, each with the output that the page shows for it. */
function blocksOf(page: string): Block[] {
  const text = readFileSync(join(repository, page), 'utf8');
  const pattern = /^```ts run\n([\s\S]*?)^```\n(?:\s*^```text\n([\s\S]*?)^```\n)?/gm;
  const stem = page.replace(/\.md$/, '').replaceAll(/\W/g, '-');
  return [...text.matchAll(pattern)].map(([, code = '', output], place) => ({
    name: `${stem}-${place + 1}.ts`,
    code,
    output: output?.trimEnd(),
  }));
}
