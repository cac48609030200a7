/** The page for users of Conductor: its Python program runs with the real SDK and prints what the page says. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createDatabase } from '../../packages/core/src/testing/server.ts';
import { pythonWith } from '../../tools/reference/python.ts';
import { run } from '../../tools/reference/run.ts';
import { startOurs } from '../clients/ours.ts';

const page = readFileSync(new URL('../../docs/start/conductor.md', import.meta.url), 'utf8');
const requirements = fileURLToPath(new URL('../clients/python/requirements.txt', import.meta.url));

function block(language: string): string {
  const found = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(page)?.[1];
  if (found === undefined) throw new Error(`the page has no block of ${language}`);
  return found;
}

test('the program of the page prints what the page says', { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lineshaft-docs-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const server = await startOurs(await createDatabase(inject('postgres18')));
  onTestFinished(() => server.stop());
  const python = await pythonWith('python', requirements);
  writeFileSync(join(folder, 'greet.py'), block('python'));

  const printed = await run(python, ['greet.py'], {
    cwd: folder,
    env: { ...process.env, CONDUCTOR_SERVER_URL: `${server.url}/api` },
  });

  expect(printed).toContain(block('text').trim());
});

test('the SDK that the page installs is the one that the tests use', () => {
  const [named] = /conductor-python==[\d.]+/.exec(page) ?? [''];
  expect(readFileSync(requirements, 'utf8').split('\n')).toContain(named);
});

test('what the page types into a shell is shell', () => {
  for (const [, script] of page.matchAll(/^```sh\n(.*?)^```/gms)) {
    expect(spawnSync('/bin/sh', ['-n'], { input: script, encoding: 'utf8' }).stderr).toBe('');
  }
});
