/**
 * The packages as a stranger gets them: packed, installed in an empty folder outside of the repository, and used
 * there as the README says.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createDatabase } from '../../packages/core/src/testing/server.ts';

const root = join(import.meta.dirname, '../..');
const children: ChildProcess[] = [];
let folder = '';
let env: NodeJS.ProcessEnv = {};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ls packed '));
  // The embedded server's user must be able to enter.
  chmodSync(folder, 0o755);
  env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, NO_COLOR: '1' };
  delete env['LINESHAFT_DATABASE_URL'];
  for (const name of ['core', 'server', 'lineshaft']) {
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], {
      cwd: join(root, 'packages', name),
      env,
    });
  }
  const tarballs = readdirSync(folder).map((file) => `./${file}`);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'stranger', type: 'module', private: true }),
  );
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs], {
    cwd: folder,
    env,
  });
}, 180_000);

afterAll(async () => {
  for (const child of children) await ended(child);
  rmSync(folder, { recursive: true, force: true });
});

describe('the packed packages', () => {
  it('run the first block of the README as TypeScript', async () => {
    const url = await createDatabase(inject('postgres18'));
    writeFileSync(join(folder, 'first.ts'), readmeBlock());
    const output = execFileSync(process.execPath, ['first.ts'], {
      cwd: folder,
      env: { ...env, LINESHAFT_DATABASE_URL: url },
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(output).toContain('Hello Ada');
  });

  it('run the first block of the README as JavaScript', async () => {
    const url = await createDatabase(inject('postgres18'));
    writeFileSync(join(folder, 'first.mjs'), stripTypeScriptTypes(readmeBlock()));
    const output = execFileSync(process.execPath, ['first.mjs'], {
      cwd: folder,
      env: { ...env, LINESHAFT_DATABASE_URL: url },
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(output).toContain('Hello Ada');
  });

  it('take a stranger from npx lineshaft dev to the output of a first task', async () => {
    const dev = spawn('npx', ['lineshaft', 'dev'], {
      cwd: folder,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(dev);
    const seen = listen(dev);
    await seen.until(/tasks/);
    mkdirSync(join(folder, 'tasks'), { recursive: true });
    writeFileSync(
      join(folder, 'tasks/hello.ts'),
      "export default ({ name }: { name: string }) => 'Hello ' + name + ' from a task';\n",
    );
    await seen.until(/worker started.*hello/);
    const output = execFileSync('npx', ['lineshaft', 'enqueue', 'hello', '{"name":"Ada"}', '--wait'], {
      cwd: folder,
      env,
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(output).toContain('Hello Ada from a task');
    await ended(dev);
  }, 60_000);
});

/** The first TypeScript block of the README. */
function readmeBlock(): string {
  const block = /```ts[^\n]*\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1];
  if (block === undefined) throw new Error('the README has no block of TypeScript');
  return block;
}

function listen(child: ChildProcess): { until(pattern: RegExp): Promise<void> } {
  let text = '';
  const waiting = new Set<() => void>();
  const hear = (chunk: Buffer): void => {
    text += chunk.toString();
    for (const look of waiting) look();
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  return {
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`${pattern} was not seen in:\n${text}`)), 40_000);
        const look = (): void => {
          if (!pattern.test(text)) return;
          waiting.delete(look);
          clearTimeout(late);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}

/** Ends a child that leads a process group, as Ctrl-C in its terminal would. */
function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('close', () => resolve());
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
  });
}
