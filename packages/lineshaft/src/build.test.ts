import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildOf } from './build.ts';
import { folderWith, writeFiles } from './testing/command.ts';

const commit = '0123456789abcdef0123456789abcdef01234567';

test('the build is the version of the nearest package and the commit that is checked out', () => {
  const root = folderWith({
    'package.json': '{"version":"1.4.0"}',
    'tasks/package.json': '{"type":"module"}',
    '.git/HEAD': 'ref: refs/heads/main\n',
    '.git/refs/heads/main': `${commit}\n`,
  });
  expect(buildOf(join(root, 'tasks'))).toBe('1.4.0+0123456789ab');
});

test('branches may be packed, HEAD may be a commit, and a worktree has its branches elsewhere', () => {
  const packed = folderWith({
    '.git/HEAD': 'ref: refs/heads/main\n',
    '.git/packed-refs': `# pack-refs\n${commit} refs/heads/main\n`,
  });
  expect(buildOf(packed)).toBe('0.0.0+0123456789ab');
  const detached = folderWith({ '.git/HEAD': `${commit}\n` });
  expect(buildOf(detached)).toBe('0.0.0+0123456789ab');
  const worktree = join(packed, 'tree');
  mkdirSync(worktree);
  writeFiles(packed, {
    'tree/.git': 'gitdir: ../.git/worktrees/tree\n',
    '.git/worktrees/tree/HEAD': 'ref: refs/heads/main\n',
    '.git/worktrees/tree/commondir': '../..\n',
  });
  expect(buildOf(worktree)).toBe('0.0.0+0123456789ab');
});

test('without either it is 0.0.0', () => {
  expect(buildOf(folderWith())).toBe('0.0.0');
});
