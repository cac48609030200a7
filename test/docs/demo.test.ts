/** The demo, on a small folder of packages: the same report each time, a clean end, and a clean end by Ctrl-C. */

import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createDatabase } from '../../packages/core/src/testing/server.ts';
import { type Ended, makeFolder, repository, runNode } from './run-node.ts';

const demo = join(repository, 'examples/demo/demo.ts');
const folder = makeFolder('demo');
const nodeModules = join(folder, 'node_modules');
let env: Record<string, string>;

beforeAll(async () => {
  env = { LINESHAFT_DATABASE_URL: await createDatabase(inject('postgres18')) };
  for (const name of ['commander', 'pg', 'pg-types', 'zod', '@types/pg']) {
    cpSync(join(repository, 'node_modules', name), join(nodeModules, name), {
      recursive: true,
      dereference: true,
    });
  }
  cpSync(join(nodeModules, 'pg-types'), join(nodeModules, 'pg/node_modules/pg-types'), { recursive: true });
  writePackage('@acme/old', {
    name: '@acme/old',
    version: '0.1.0',
    licenses: [{ type: 'MIT' }, { type: 'GPL-2.0' }],
  });
  writePackage('bare', {});
  writePackage(
    'bare-with-licence',
    {},
    'Permission is hereby granted, free of charge, to any person obtaining a copy',
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('gives the same report when it is run again, times apart', { timeout: 60_000 }, async () => {
  const first = await runDemo();
  // What tools leave behind is not what was installed.
  mkdirSync(join(nodeModules, '.cache'));
  writeFileSync(join(nodeModules, '.cache/package.json'), '{}');
  mkdirSync(join(nodeModules, 'commander/.vite'));
  writeFileSync(join(nodeModules, 'commander/.vite/file'), 'x');
  symlinkSync('../bare', join(nodeModules, 'linked'));
  const second = await runDemo();
  expect({ ...first.report, times: undefined }).toEqual({ ...second.report, times: undefined });
  expect(first.report.packages).toBe(9);
  expect(first.report.all.map(({ path, licence }) => [path, licence])).toEqual([
    ['@acme/old', 'MIT OR GPL-2.0'],
    ['@types/pg', 'MIT'],
    ['bare', 'none stated'],
    ['bare-with-licence', 'MIT *'],
    ['commander', 'MIT'],
    ['pg', 'MIT'],
    ['pg-types', 'MIT'],
    ['pg/node_modules/pg-types', 'MIT'],
    ['zod', 'MIT'],
  ]);
  expect(first.report.duplicates.largest.map(({ file }) => file)).toContainEqual(
    expect.stringMatching(/pg-types/),
  );
  expect(first.ended.stdout).toContain('9 packages');
  expect(first.ended.stdout).not.toContain('\u001b');
});

test('ends cleanly by Ctrl-C', async () => {
  const running = runNode([demo], { cwd: folder, env });
  await running.printed('worker processes');
  running.child.kill('SIGINT');
  const { code, stdout } = await running.ended;
  expect(code).toBe(130);
  expect(stdout).toMatch(/stopped; nothing is left running\n$/);
});

test('says what is wrong and ends with 1 where there are no packages', async () => {
  const { code, stderr } = await runNode([demo, join(folder, 'nowhere')], { cwd: folder, env }).ended;
  expect(code).toBe(1);
  expect(stderr).toBe(`the demo failed: there are no packages in ${join(folder, 'nowhere')}\n`);
});

interface ReadReport {
  readonly packages: number;
  readonly all: readonly { readonly path: string; readonly licence: string }[];
  readonly duplicates: { readonly largest: readonly { readonly file: string }[] };
}

async function runDemo(): Promise<{ ended: Ended; report: ReadReport }> {
  const ended = await runNode([demo, nodeModules], { cwd: folder, env }).ended;
  expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
  const report = JSON.parse(readFileSync(join(folder, '.lineshaft/demo/report.json'), 'utf8')) as ReadReport;
  return { ended, report };
}

function writePackage(name: string, manifest: Record<string, unknown>, licence?: string): void {
  const path = join(nodeModules, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'package.json'), JSON.stringify(manifest));
  if (licence !== undefined) writeFileSync(join(path, 'LICENSE.md'), licence);
}
