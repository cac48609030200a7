/** The rules of the repository, each checked by its tool: format and lint, layers, unused code, package shape. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);

function run(
  program: string,
  ...args: string[]
): { readonly status: number | null; readonly output: string } {
  const result = spawnSync(bin(program), args, { cwd: root, encoding: 'utf8', timeout: 120_000 });
  return { status: result.status, output: `${result.stdout}${result.stderr}`.slice(-8_000) };
}

// On two cores that others use as well the compiler takes its time.
describe('the repository', { timeout: 180_000 }, () => {
  it('is formatted and free of lint', () => {
    expect(run('biome', 'check', '--max-diagnostics=20', '.')).toMatchObject({ status: 0 });
  });

  it('type-checks, tests, tools and bench included', () => {
    expect(run('tsc', '--noEmit', '-p', 'tsconfig.check.json')).toEqual({ status: 0, output: '' });
  });

  it('keeps its layers, without cycles', () => {
    const result = run(
      'depcruise',
      'packages/core/src',
      'packages/server/src',
      'packages/lineshaft/src',
      '--config',
      '.dependency-cruiser.cjs',
    );
    expect(result, result.output).toMatchObject({ status: 0 });
  });

  it('has no unused files, exports or dependencies', () => {
    const result = run('knip');
    expect(result, result.output).toMatchObject({ status: 0 });
  });

  it.each(['core', 'server', 'lineshaft'])('package %s has a valid shape for publishing', (name) => {
    const result = run('publint', join('packages', name), '--strict');
    expect(result, result.output).toMatchObject({ status: 0 });
  });

  it('holds SQL in the store alone', () => {
    const offenders: string[] = [];
    for (const file of sources(join(root, 'packages/core/src'))) {
      if (/\/(store|testing|adapters)\/|\.test\.ts$|generated/.test(file)) continue;
      const text = readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      if (/['"`]\s*(select|insert into|update|delete from)\s+[a-z"]+/i.test(text)) offenders.push(file);
    }
    expect(offenders).toEqual([]);
  });

  it('has no file of more than 500 lines and no folder named by grammar', () => {
    const long: string[] = [];
    for (const name of [
      'packages/core/src',
      'packages/server/src',
      'packages/lineshaft/src',
      'bench/src',
      'lab/src',
      'tools',
      'test',
      'examples',
    ]) {
      if (!existsSync(join(root, name))) continue;
      for (const file of sources(join(root, name))) {
        const lines = readFileSync(file, 'utf8').split('\n').length;
        if (lines > 500 && !file.includes('.generated.')) long.push(`${file}: ${lines} lines`);
        if (/\/(utils?|helpers|common|lib)(\/|\.ts)/.test(file))
          long.push(`${file}: a name that says nothing`);
      }
    }
    expect(long).toEqual([]);
  });
});

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.(ts|mjs)$/.test(entry.name)) yield path;
  }
}
