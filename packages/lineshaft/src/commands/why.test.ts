import { Lineshaft, silentLog } from '@lineshaft/core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createDatabase } from '../../../core/src/testing/server.ts';
import { type CommandResult, folderWith, runLineshaft } from '../testing/command.ts';

let url = '';
let cwd = '';
let lineshaft: Lineshaft;

beforeAll(async () => {
  url = await createDatabase(inject('postgres18'));
  cwd = folderWith();
  lineshaft = new Lineshaft({ databaseUrl: url, log: silentLog });
  await lineshaft.migrate();
});

afterAll(() => lineshaft.close());

function run(...args: string[]): Promise<CommandResult> {
  return runLineshaft(args, { cwd, env: { LINESHAFT_DATABASE_URL: url } });
}

test('why tells of a job, a queue and a kind, with the command that mends it', async () => {
  await lineshaft.declare({ name: 'mail', tags: ['has=smtp'] });
  const { id } = await lineshaft.enqueue('send', {}, { queue: 'mail' });
  await lineshaft.enqueue('send', {}, { queue: 'mail' });
  const job = await run('why', id);
  expect(job).toMatchObject({ code: 0, stderr: '' });
  expect(job.stdout).toBe(
    `job ${id} is ready, kind send, queue mail\n` +
      'queue-unserved  no live worker serves queue mail (its tags: has=smtp; live workers: 0)\n' +
      '  → lineshaft worker -Q mail --tag has=smtp\n',
  );
  await run('queue', 'pause', 'mail');
  expect((await run('why', 'mail')).stdout).toBe(
    'queue mail\n' +
      'queue-paused  2 jobs: queue mail is paused\n' +
      '  → lineshaft queue resume mail\n' +
      'queue-unserved  2 jobs: no live worker serves queue mail (its tags: has=smtp; live workers: 0)\n' +
      '  → lineshaft worker -Q mail --tag has=smtp\n',
  );
  expect((await run('why', 'send')).stdout).toMatch(/^kind send\nqueue-paused {2}2 jobs: /);
  const { stdout } = await run('why', '1-mail', '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ subject: 'queue', name: 'mail', state: null, project: 'default' },
    reasons: [{ code: 'queue-paused', jobs: 2, command: 'lineshaft queue resume mail' }, {}],
  });
  // The command that it gives does what it says.
  const mend = JSON.parse(stdout).reasons[0].command.split(' ').slice(1);
  expect((await run(...mend)).code).toBe(0);
  expect((await run('why', 'mail')).stdout).not.toContain('queue-paused');
});

test('a kind that is called like a queue, and other projects', async () => {
  await lineshaft.createProject('shop');
  await lineshaft.declare({ name: 'twin', project: 'shop' });
  await lineshaft.declare({ name: 'twin' });
  await lineshaft.enqueue('twin', {}, { queue: 'twin', project: 'shop' });
  expect((await run('why', 'twin')).stdout).toMatch(/^queue twin\nnothing-waits {2}no job is ready/);
  expect((await run('why', 'twin', '--project', 'shop')).stdout).toMatch(
    /^queue twin \(project shop\)\nqueue-unserved/,
  );
  expect((await run('why', '--kind', 'twin')).stdout).toMatch(/^kind twin\nqueue-unserved {2}1 job: /);
});

test('enqueue --need and --prefer, queue declare --need: wrong amounts are refused with 2', async () => {
  const declared = await run('queue', 'declare', 'gpu', '--need', 'memory=1Gi', '--json');
  expect(JSON.parse(declared.stdout)).toMatchObject({ needs: { memory: 1_073_741_824 } });
  const flags = [
    '-q',
    'gpu',
    '--need',
    'gpu=2',
    '--need',
    'memory=4Gi',
    '--prefer',
    'disk=ssd',
    '--prefer-for',
    '1m',
  ];
  expect((await run('enqueue', 'train', '{}', ...flags)).code).toBe(0);
  const shown = await run('queue', 'show', 'gpu', '--json');
  expect(JSON.parse(shown.stdout).lanes).toMatchObject([
    { needs: { gpu: 2, memory: 4_294_967_296 }, prefers: ['disk=ssd'], ready: 1 },
  ]);
  expect((await run('queue', 'show', 'gpu')).stdout).toMatch(/gpu=2, memory=4Gi/);
  for (const [wrong, said] of [
    [['--need', 'gpu'], '--need must be key=value'],
    [['--need', 'gpu=one'], 'needs.gpu must be an amount from 0 to 8Ti'],
    [['--prefer-for', '5s'], 'preferMs needs the tags'],
  ] as const) {
    const { code, stderr } = await run('enqueue', 'train', '{}', '-q', 'gpu', ...wrong);
    expect({ code, said: stderr.includes(said) }, stderr).toEqual({ code: 2, said: true });
  }
});

test('what does not exist is told with exit code 3, what makes no sense with 2', async () => {
  const nothing = await run('why', 'mial');
  expect(nothing).toMatchObject({ code: 3, stdout: '' });
  expect(nothing.stderr).toContain("no queue and no kind is called 'mial'; did you mean 'mail'?");
  expect((await run('why', '019b0000-0000-7000-8000-000000000000')).code).toBe(3);
  expect((await run('why', 'twin', '--project', 'nowhere')).code).toBe(3);
  expect((await run('why', 'a b')).code).toBe(2);
  expect((await run('why')).code).toBe(2);
});
