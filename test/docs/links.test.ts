/** Every relative link of the documentation leads somewhere, and every path that it names exists. */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { markdownFiles, repository } from './run-node.ts';

describe.each(markdownFiles())('%s', (page) => {
  const text = withoutBlocks(readFileSync(join(repository, page), 'utf8'));

  test('its links lead to files and headings that exist', () => {
    const broken: string[] = [];
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? join(repository, page) : join(repository, dirname(page), decodeURI(path));
      if (!existsSync(file) || (anchor !== undefined && !anchorsOf(file).has(anchor))) broken.push(target);
    }
    expect(broken).toEqual([]);
  });

  test('the paths of the repository that it names exist', () => {
    const named = text.matchAll(/`((?:packages|docs|examples|bench|tools|test)\/[\w./-]*)`/g);
    const missing = [...named]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(join(repository, path)));
    expect(missing).toEqual([]);
  });
});

test('every page of the documentation is linked from its first page, folders of decisions apart', () => {
  const index = readFileSync(join(repository, 'docs/README.md'), 'utf8');
  const pages = markdownFiles().filter((page) => /^docs\/(?!adr\/|README)/.test(page));
  expect(pages.filter((page) => !index.includes(`(${page.slice('docs/'.length)})`))).toEqual([]);
});

function withoutBlocks(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '');
}

/** The anchors that GitHub gives to headings. */
function anchorsOf(file: string): Set<string> {
  const headings = withoutBlocks(readFileSync(file, 'utf8')).matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
