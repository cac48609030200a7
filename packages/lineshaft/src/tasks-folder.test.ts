import { symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { listTaskFiles, loadTask, loadTasks } from './tasks-folder.ts';
import { folderWith } from './testing/command.ts';

const handler = 'export default () => 1;\n';

test('the kind is the path without extension; index files are named after their folder', () => {
  const folder = folderWith({
    'hello.ts': handler,
    'mail/send.mjs': handler,
    'mail/index.js': handler,
    'index.ts': handler,
    '_shared.ts': handler,
    '.hidden.ts': handler,
    '_lib/x.ts': handler,
    'node_modules/x/index.js': handler,
    'hello.test.ts': handler,
    'types.d.ts': '',
    'notes.md': '',
    'data.json': '{}',
  });
  symlinkSync(join(folder, '_shared.ts'), join(folder, 'linked.ts'));
  symlinkSync(join(folder, 'nowhere'), join(folder, 'broken.ts'));
  const { files, problems } = listTaskFiles(folder);
  expect(files.map(({ kind, file }) => [kind, relative(folder, file)])).toEqual([
    ['hello', 'hello.ts'],
    ['index', 'index.ts'],
    ['linked', 'linked.ts'],
    ['mail', 'mail/index.js'],
    ['mail/send', 'mail/send.mjs'],
  ]);
  expect(problems).toEqual([]);
});

test('a folder that does not exist has no tasks; a file is no folder', () => {
  const folder = folderWith({ 'file.txt': '' });
  expect(listTaskFiles(join(folder, 'tasks'))).toEqual({ files: [], problems: [] });
  expect(() => listTaskFiles(join(folder, 'file.txt'))).toThrow(/'file.txt' can't be read \(ENOTDIR\)/);
});

test('two files for one kind are a problem, and neither is taken', () => {
  const { files, problems } = listTaskFiles(
    folderWith({ 'a.ts': handler, 'a.js': handler, 'b.ts': handler }),
  );
  expect(files.map(({ kind }) => kind)).toEqual(['b']);
  expect(problems.map(({ message }) => message)).toEqual([
    "the kind 'a' has two files, a.js and a.ts; remove one, or begin its name with '_'",
  ]);
});

test('what a module exports besides its handler defines its kind', async () => {
  const folder = folderWith({
    'default.ts':
      'export const queue: string = "mail"; export const maxAttempts = 3; export default () => 1;',
    'named.js':
      'export const version = 2; export const upgrade = (from, old) => old; export function handler() {}',
  });
  const { handlers, kinds, problems } = await loadTasks(folder);
  expect(problems).toEqual([]);
  expect(handlers['default']?.export).toBe('default');
  expect(handlers['named']?.export).toBe('handler');
  expect(kinds.definitions).toMatchObject({
    default: { queue: 'mail', maxAttempts: 3 },
    named: { version: 2, upgrade: expect.any(Function) },
  });
});

test('modules that cannot be used are reported with their reason, and the others go on', async () => {
  const folder = folderWith({
    'bad-version.ts': 'export const version = 2; export default () => 1;',
    'command.ts': 'export const executor = "command"; export default () => 1;',
    'missing.ts': 'import "no-such-package"; export default () => 1;',
    'no-handler.ts': 'export const x = 1;',
    'syntax.mjs': 'export default function () {\n  const x = ;\n}\n',
    'throws.ts': 'throw new Error("at import");',
    'works.ts': handler,
  });
  const { handlers, problems } = await loadTasks(folder);
  expect(Object.keys(handlers)).toEqual(['works']);
  const reasons = Object.fromEntries(problems.map(({ file, message }) => [relative(folder, file), message]));
  expect(reasons).toEqual({
    'bad-version.ts': expect.stringContaining('upgrade must be a function, because the version is 2'),
    'command.ts': expect.stringContaining("executor must be 'async', 'thread' or 'process'"),
    'missing.ts': expect.stringContaining('no-such-package'),
    'no-handler.ts': expect.stringContaining('it exports x'),
    'syntax.mjs': expect.any(String),
    'throws.ts': 'at import',
  });
});

test('one kind is loaded without the others', async () => {
  const folder = folderWith({ 'a.ts': handler, 'throws.ts': 'throw new Error("at import");' });
  expect(Object.keys((await loadTask(folder, 'a')).handlers)).toEqual(['a']);
  expect((await loadTask(folder, 'other')).handlers).toEqual({});
});
