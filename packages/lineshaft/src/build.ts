/**
 * The build of the code in a folder: `<version of its package>+<commit>`, by which deployments are told
 * apart.
 */

import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const commitLength = 12;
const fallback = '0.0.0';

/**
 * The build of the package that a folder belongs to: the version in the nearest `package.json` that has one,
 * and the commit that is checked out. Without either: `0.0.0`, and no commit.
 */
export function buildOf(directory: string): string {
  const version = nearest(directory, versionIn) ?? fallback;
  const commit = nearest(directory, commitIn);
  return commit === undefined ? version : `${version}+${commit.slice(0, commitLength)}`;
}

function nearest(directory: string, look: (folder: string) => string | undefined): string | undefined {
  for (let folder = resolve(directory); ; folder = dirname(folder)) {
    const found = look(folder);
    if (found !== undefined || folder === dirname(folder)) return found;
  }
}

function versionIn(folder: string): string | undefined {
  try {
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      version?: unknown;
    };
    return typeof version === 'string' ? version : undefined;
  } catch {
    return undefined;
  }
}

function commitIn(folder: string): string | undefined {
  const git = join(folder, '.git');
  const entry = statSync(git, { throwIfNoEntry: false });
  if (entry === undefined) return undefined;
  // In a worktree, `.git` is a file that names the folder; branches are kept with the main one.
  const pointer = entry.isFile() ? /^gitdir: (.*)$/m.exec(read(git))?.[1] : git;
  if (pointer === undefined) return undefined;
  const own = resolve(folder, pointer);
  const common = resolve(own, read(join(own, 'commondir')).trim() || '.');
  const head = read(join(own, 'HEAD')).trim();
  const branch = /^ref: (.*)$/.exec(head)?.[1];
  const commit = branch === undefined ? head : branchCommit(common, branch);
  return /^[0-9a-f]{40,64}$/.test(commit) ? commit : undefined;
}

function branchCommit(git: string, branch: string): string {
  const loose = read(join(git, branch)).trim();
  if (loose !== '') return loose;
  const line = read(join(git, 'packed-refs'))
    .split('\n')
    .find((packed) => packed.endsWith(` ${branch}`));
  return line?.split(' ')[0] ?? '';
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
