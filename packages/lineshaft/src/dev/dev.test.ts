import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { folderWith, RunningCommand, runLineshaft, writeFiles } from '../testing/command.ts';
import { TaskWatcher } from './task-watcher.ts';

const running: RunningCommand[] = [];

afterEach(async () => {
  for (const command of running.splice(0)) {
    command.signal('SIGTERM');
    await command.ended;
  }
});

function startDev(cwd: string): RunningCommand {
  const command = new RunningCommand(['dev'], { cwd });
  running.push(command);
  return command;
}

test('dev, from an empty folder to a failing handler, with the embedded database', async () => {
  const cwd = folderWith();
  const dev = startDev(cwd);
  const empty = await dev.says(/No tasks yet\. Write tasks\/hello\.ts:[\s\S]*enqueue hello .* --wait\n/);
  const example = empty.split('\n').filter((line) => /^ {4}(?:export|\}| {2})/.test(line));
  writeFiles(cwd, { 'tasks/hello.ts': example.join('\n') });
  await dev.says(/worker started .*kinds=\S*hello/);
  const hello = await runLineshaft(['enqueue', 'hello', '{"name":"Ada"}', '--wait', '20s', '--json'], {
    cwd,
  });
  expect(hello).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(hello.stdout)).toMatchObject({ state: 'succeeded', output: 'Hello Ada' });
  await dev.says(/hello succeeded job=/);

  writeFiles(cwd, {
    'tasks/mail/send.ts': `interface Mail { to: string }
export default function send(mail: Mail) {
  throw new Error('no route to ' + mail.to);
}`,
  });
  await dev.says(/tasks\/mail\/send\.ts changed: the worker starts anew/);
  await dev.says(/worker started .*kinds=\S*hello,mail\/send/);
  await runLineshaft(['enqueue', 'mail/send', '{"to":"eve"}'], { cwd });
  await dev.says(
    /attempt 1 of 5: no route to eve; runs again in [\d.]+ s .*\n {4}at send \(tasks\/mail\/send\.ts:3:9\)/,
  );

  dev.signal('SIGINT');
  const { code, stdout } = await dev.ended;
  expect({ code, last: stdout.trim().split('\n').at(-1) }).toEqual({ code: 0, last: 'stopped' });
  expect(existsSync(join(cwd, '.lineshaft/keeper.json'))).toBe(false);
  rmSync(cwd, { recursive: true, force: true });
}, 60_000);

test('a change is what differs from the last look, of files and of the folder itself', async () => {
  const cwd = folderWith();
  const watcher = new TaskWatcher(join(cwd, 'tasks'));
  const next = async (): Promise<string[]> =>
    (await watcher.next()).map((file) => file.slice(cwd.length + 1));
  try {
    writeFiles(cwd, { 'tasks/a.ts': '1' });
    expect(await next()).toEqual(['tasks/a.ts']);
    writeFiles(cwd, { 'tasks/mail/b.ts': '1', 'tasks/.hidden': '1', 'tasks/a.ts~': '1' });
    expect(await next()).toEqual(['tasks/mail/b.ts']);
    writeFiles(cwd, { 'tasks/mail/b.ts': '22' });
    expect(await next()).toEqual(['tasks/mail/b.ts']);
    rmSync(join(cwd, 'tasks/mail'), { recursive: true });
    expect(await next()).toEqual(['tasks/mail/b.ts']);
    rmSync(join(cwd, 'tasks'), { recursive: true });
    expect(await next()).toEqual(['tasks/a.ts']);
    writeFiles(cwd, { 'tasks/c.ts': '1' });
    expect(await next()).toEqual(['tasks/c.ts']);
  } finally {
    watcher.close();
  }
});
