import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lineshaft } from '@lineshaft/core';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { createDatabase } from '../../../core/src/testing/server.ts';
import { folderWith, RunningCommand, runLineshaft } from '../testing/command.ts';

let url = '';
let lineshaft: Lineshaft;
const running: RunningCommand[] = [];

const cwd = folderWith({
  'tasks/hello.ts': "export default ({ name }: { name: string }) => 'Hello ' + name;",
  'tasks/mail/send.ts': `interface Mail { to: string }
export const maxAttempts = 2;
function deliver(mail: Mail): never {
  throw new Error('no route to ' + mail.to);
}
export function handler(mail: Mail) {
  deliver(mail);
}`,
  'tasks/gate.mjs': `import { existsSync } from 'node:fs';
export default async (file, job) => {
  console.log('gate is closed');
  while (!existsSync(file)) {
    job.signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return 'through';
};`,
  'tasks/where.mjs': `import { isMainThread } from 'node:worker_threads';
export default () => ({ pid: process.pid, isMainThread });`,
  'tasks/broken.ts': 'export default function () {\n  const x: = 1;\n}\n',
});

beforeAll(async () => {
  url = await createDatabase(inject('postgres18'));
  lineshaft = new Lineshaft({ databaseUrl: url });
  await lineshaft.migrate();
});

afterEach(async () => {
  for (const command of running.splice(0)) {
    command.signal('SIGKILL');
    await command.ended;
  }
});

afterAll(() => lineshaft.close());

function start(...args: string[]): RunningCommand {
  const command = new RunningCommand(['worker', ...args], { cwd, env: { LINESHAFT_DATABASE_URL: url } });
  running.push(command);
  return command;
}

test('--once runs what is there and stops; a module that does not load is told with its place', async () => {
  const { id } = await lineshaft.enqueue('hello', { name: 'Ada' });
  const failing = await lineshaft.enqueue('mail/send', { to: 'ada@example.org' }, { maxAttempts: 1 });
  const { code, stdout, stderr } = await start('--once').ended;
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^drained in .*: 1 succeeded, 1 failed, 0 run again later, 0 cancelled\n$/),
  });
  expect(stderr).toMatch(
    /error tasks\/broken\.ts is left out: .*\n.*tasks\/broken\.ts:2\n.*\n {2}const x: = 1;/,
  );
  expect(stderr).toMatch(
    /mail\/send failed in attempt 1 of 1: no route to ada@example.org; it is a dead letter now/,
  );
  expect(stderr).toMatch(
    /\n {4}at deliver \(tasks\/mail\/send\.ts:4:9\)\n {4}at handler \(tasks\/mail\/send\.ts:7:3\)\n/,
  );
  expect(stderr).not.toContain('MODULE_TYPELESS');
  expect((await lineshaft.showJob(id)).output).toBe('Hello Ada');
  const shown = await runLineshaft(['job', 'show', failing.id], {
    cwd,
    env: { LINESHAFT_DATABASE_URL: url },
  });
  expect(shown.stdout).toMatch(/state +failed; give it new attempts: lineshaft job retry/);
  expect(shown.stdout).toMatch(
    /attempt 1 failed .*: Error: no route to ada@example.org\n {4}at deliver \(tasks\/mail/,
  );
});

test('a failed attempt that is tried again says when, in the log and in job show', async () => {
  const backoff = { type: 'fixed', delayMs: 3_600_000, jitter: 0 } as const;
  const { id } = await lineshaft.enqueue('mail/send', { to: 'eve' }, { backoff });
  const { stderr } = await start('--once').ended;
  expect(stderr).toContain('mail/send failed in attempt 1 of 5: no route to eve; runs again in 3600 s');
  const shown = await runLineshaft(['job', 'show', id], { cwd, env: { LINESHAFT_DATABASE_URL: url } });
  expect(shown.stdout).toMatch(/state +retrying, runs again .* UTC \(in 60 min\)/);
});

test('SIGTERM in the middle of a job: it finishes, its result lands, the worker ends with 0', async () => {
  const file = join(cwd, 'open-1');
  const { id } = await lineshaft.enqueue('gate', file);
  const command = start();
  await command.says(/gate is closed/);
  command.signal('SIGTERM');
  await command.says(/worker stops/);
  writeFileSync(file, '');
  expect((await command.ended).code).toBe(0);
  expect(await lineshaft.showJob(id)).toMatchObject({ state: 'succeeded', output: 'through' });
});

test('a second signal gives running jobs back at once', async () => {
  const { id } = await lineshaft.enqueue('gate', join(cwd, 'never'), { maxAttempts: 3 });
  const command = start('--shutdown-timeout', '1h');
  await command.says(/gate is closed/);
  command.signal('SIGINT');
  await command.says(/worker stops/);
  command.signal('SIGINT');
  expect((await command.ended).code).toBe(0);
  expect(await lineshaft.showJob(id)).toMatchObject({ state: 'ready', attempt: 0 });
  await lineshaft.cancel([id]);
}, 30_000);

test('names, capabilities and tags decide which jobs a worker gets', async () => {
  const requirements = ['capability=gpu', 'workername=w7', 'env=test'];
  const { id } = await lineshaft.enqueue('hello', { name: 'gpu' }, { requirements });
  await start('--once').ended;
  expect((await lineshaft.showJob(id)).state).toBe('ready');
  const flags = [
    '--workername',
    'w7',
    '--capability',
    'gpu',
    '--tag',
    'env=test',
    '--worker-id',
    'the-seventh',
  ];
  await start('--once', ...flags).ended;
  expect(await lineshaft.showJob(id)).toMatchObject({ state: 'succeeded', worker: 'the-seventh' });
});

test('queues and projects decide too; a queue that does not exist is probably a slip', async () => {
  const { id: project } = await lineshaft.createProject('tenant');
  await lineshaft.declare({ name: 'mail' });
  await lineshaft.declare({ name: 'mail', project: 'tenant' });
  const own = await lineshaft.enqueue('hello', { name: 'a' }, { queue: 'mail' });
  const theirs = await lineshaft.enqueue('hello', { name: 'b' }, { queue: 'mail', project: 'tenant' });
  const { stderr } = await start('--once', '-Q', 'mial,mail', '--project-id-filter', String(project)).ended;
  expect(stderr).toContain("queue 'mial' does not exist yet; did you mean 'mail'?");
  const states = await Promise.all(
    [own.id, theirs.id].map(async (id) => (await lineshaft.showJob(id)).state),
  );
  expect(states).toEqual(['ready', 'succeeded']);
});

test.each(['thread', 'process'])('--executor %s runs the tasks of the folder there', async (executor) => {
  await lineshaft.declare({ name: executor });
  const { id } = await lineshaft.enqueue('where', null, { queue: executor });
  const flags = [
    '--executor',
    executor,
    '--ncores',
    '1',
    '--max-tasks-per-child',
    '1',
    '--loglevel',
    'WARNING',
  ];
  const command = start('--once', '--json', '-Q', executor, ...flags);
  const { stdout, stderr } = await command.ended;
  expect(JSON.parse(stdout)).toMatchObject({ succeeded: 1, failed: 0, later: 0, cancelled: 0 });
  expect(stderr).not.toContain('worker started');
  const output = (await lineshaft.showJob(id)).output as { pid: number; isMainThread: boolean };
  expect(output.isMainThread).toBe(executor === 'process');
  expect(output.pid === command.pid).toBe(executor === 'thread');
});

test('the build is the package version and the commit, a variable, or a flag', async () => {
  const command = start('--build', '7.0.0', '--worker-id', 'seven');
  await command.says(/worker started/);
  expect(await lineshaft.workers()).toContainEqual(
    expect.objectContaining({ workerId: 'seven', build: '7.0.0' }),
  );
  command.signal('SIGTERM');
  expect((await command.ended).code).toBe(0);
});

test('a folder without tasks, and a database that was not migrated, are told at once', async () => {
  const env = { LINESHAFT_DATABASE_URL: url };
  const [empty, bare] = await Promise.all([
    runLineshaft(['worker', '--tasks', 'nowhere'], { cwd, env }),
    runLineshaft(['worker', '--schema', 'elsewhere', '--json'], { cwd, env }),
  ]);
  expect(empty).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no tasks in nowhere; write nowhere/hello.ts'),
  });
  expect(bare.code).toBe(5);
  expect(JSON.parse(bare.stderr.trim().split('\n').at(-1) ?? '').error.code).toBe('SCHEMA_MISSING');
});

test('enqueue --wait prints the output, and fails with 1 where the job failed', async () => {
  const env = { LINESHAFT_DATABASE_URL: url };
  const command = start();
  await command.says(/worker started/);
  const [good, bad] = await Promise.all([
    runLineshaft(['enqueue', 'hello', '{"name":"Ada"}', '--wait', '20s', '--json'], { cwd, env }),
    runLineshaft(['enqueue', 'mail/send', '{"to":"x"}', '--max-attempts', '1', '--wait'], { cwd, env }),
  ]);
  expect([good.code, JSON.parse(good.stdout)]).toMatchObject([
    0,
    { state: 'succeeded', output: 'Hello Ada', error: null },
  ]);
  expect(bad.code).toBe(1);
  expect(bad.stdout).toMatch(
    /attempt 1 failed .*: Error: no route to x\n {4}at deliver \(tasks\/mail\/send\.ts:4:9\)/,
  );
});
