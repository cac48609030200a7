/** Runs a program on the Node of the tests, and finds things in the repository. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const repository = dirname(dirname(import.meta.dirname));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when its standard output has this text. */
  printed(text: string): Promise<void>;
}

export function runNode(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Running {
  const { LINESHAFT_DATABASE_URL: _, ...env } = process.env;
  const child = spawn(process.execPath, args, {
    cwd: options.cwd ?? repository,
    env: { ...env, NO_COLOR: '1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    child.emit('printed');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const printed = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!stdout.includes(text)) return;
        child.off('printed', look);
        resolve();
      };
      child.on('printed', look);
      ended.then(() => reject(new Error(`it ended without printing '${text}': ${stdout}${stderr}`)), reject);
      look();
    });
  return { child, ended, printed };
}

/**
 * A folder for files that are made by a test, inside of the repository, so that imports of its packages resolve. Under
 * `.lineshaft/`, which git ignores.
 */
export function makeFolder(name: string): string {
  const parent = join(repository, '.lineshaft');
  mkdirSync(parent, { recursive: true });
  return mkdtempSync(join(parent, `${name}-`));
}

/** All Markdown files that people read, relative to the repository. */
export function markdownFiles(): string[] {
  const own = readdirSync(repository).filter((name) => name.endsWith('.md'));
  const others = ['docs', 'examples', 'packages', 'bench'].flatMap((folder) =>
    readdirSync(join(repository, folder), { recursive: true })
      .map((path) => join(folder, String(path)))
      .filter((path) => path.endsWith('.md') && !/(^|\/)(node_modules|dist|results|\.\w+)\//.test(path)),
  );
  return [...own, ...others].sort();
}
