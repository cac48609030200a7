import { Lineshaft } from '@lineshaft/core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createDatabase } from '../../../core/src/testing/server.ts';
import { type CommandResult, folderWith, runLineshaft } from '../testing/command.ts';
import { inTurns } from '../testing/in-turns.ts';

let url = '';
let cwd = '';
let lineshaft: Lineshaft;

beforeAll(async () => {
  url = await createDatabase(inject('postgres18'));
  cwd = folderWith({
    'tasks/typed.ts': `export const queue: string = 'typed';
      export const version = 3;
      export const upgrade = (_from: number, old: unknown) => old;
      export const schema = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) =>
        (value as { to?: string })?.to ? { value } : { issues: [{ message: 'missing', path: ['to'] }] } } };
      export default (payload: unknown) => payload;`,
    'tasks/broken.ts': 'throw new Error("at import");',
  });
  lineshaft = new Lineshaft({ databaseUrl: url });
  await lineshaft.migrate();
  await lineshaft.declare({ name: 'typed' });
});

afterAll(() => lineshaft.close());

function run(...args: string[]): Promise<CommandResult> {
  return runLineshaft(args, { cwd, env: { LINESHAFT_DATABASE_URL: url } });
}

async function runJson(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout, stderr } = await run(...args, '--json');
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('the command line', () => {
  test('--help tells commands and exit codes, and loads no database driver', async () => {
    const driver = `process.moduleLoadList.includes('NativeModule tls')`;
    const report = `process.on('exit', () => process.stderr.write(String(${driver})))`;
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(report)}` };
    const { code, stdout, stderr } = await runLineshaft(['--help'], { cwd, env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'false' });
    for (const text of ['dev', 'enqueue', 'Exit codes:', '5    the database is not available']) {
      expect(stdout).toContain(text);
    }
  });

  test('wrong commands, options and values end with 2, say what was meant, and nothing else', async () => {
    const wrong: [string[], string][] = [
      [['jbo'], "unknown command 'jbo'; did you mean job?"],
      [['job', 'lst'], "unknown command 'lst'; did you mean list?"],
      [['job', 'list', '--stat', 'x'], "unknown option '--stat'; did you mean --state?"],
      [['job', 'list', '-s', 'faild'], "not 'faild'; did you mean 'failed'?"],
      [['job', 'show'], "missing required argument 'id'"],
      [['job', 'show', 'nonsense'], "id must be a UUID, not 'nonsense'"],
      [
        ['queue', 'declare', 'q', '--executor', 'thred'],
        '--executor must be one of async, thread, process, command',
      ],
      [['queue', 'declare', 'q', '-c', 'many'], "--concurrency must be a whole number, not 'many'"],
      [['queue', 'declare', 'bad name'], "starting with a letter or digit, not 'bad name'"],
      [['worker', '--loglevel', 'loud'], "--loglevel must be debug, info, warn, error or silent, not 'loud'"],
      [['enqueue', 'k', '{', '-q', 'default'], 'the payload is not JSON'],
      [['enqueue', 'k', 'Ada'], `a text needs quotes of its own: '"Ada"'`],
      [['enqueue', 'k', '--wait', '{}'], 'write the payload before it'],
      [
        ['enqueue', 'k', '{}', '--delay', 'soon'],
        '--delay must be a duration such as 500ms, 10s, 10m or 1h30m',
      ],
      [
        ['enqueue', 'k', '{}', '--run-at', 'tomorrow'],
        '--run-at must be a time such as 2030-01-31T08:00:00Z',
      ],
      [
        ['enqueue', 'k', '{}', '-p', '99999'],
        'priority must be a whole number from -32768 to 32767, not 99999',
      ],
      [['--schema', 'Bad', 'queue', 'list'], 'schema must be 1 to 50 lower-case letters'],
    ];
    const results = await inTurns(
      wrong.map(
        ([args]) =>
          () =>
            run(...args),
      ),
    );
    for (const [at, [args, message]] of wrong.entries()) {
      expect({ args, ...results[at] }).toMatchObject({
        args,
        code: 2,
        stdout: '',
        stderr: expect.stringContaining(message),
      });
    }
  });

  test('a group without a command prints its help on standard error and ends with 2', async () => {
    const { code, stdout, stderr } = await run('queue');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: lineshaft queue');
  });

  test('with --json errors are one document with code, message and details', async () => {
    const results = await inTurns([
      () => run('job', 'list', '--stat', '--json'),
      () => run('job', 'show', '01890000-0000-7000-8000-000000000000', '--json'),
      () => run('--json', 'queue', 'show', 'defualt'),
    ]);
    expect(results.map(({ code, stderr }) => [code, JSON.parse(stderr).error])).toEqual([
      [
        2,
        { code: 'OPTION_UNKNOWN', message: expect.stringContaining('--state'), details: { field: '--stat' } },
      ],
      [3, { code: 'JOB_NOT_FOUND', message: expect.any(String), details: expect.any(Object) }],
      [
        3,
        {
          code: 'QUEUE_NOT_FOUND',
          message: expect.stringContaining("did you mean 'default'?"),
          details: expect.any(Object),
        },
      ],
    ]);
  });

  test('a database that is named nowhere, that is down, or that was not migrated', async () => {
    const env = { LINESHAFT_DATABASE_URL: '' };
    const [nowhere, down, empty] = await inTurns([
      () => runLineshaft(['job', 'list'], { cwd, env }),
      () => run('--database-url', 'postgresql://ada:secret@127.0.0.1:1/x', 'job', 'list'),
      () => run('--schema', 'elsewhere', 'queue', 'list'),
    ]);
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('lineshaft dev') });
    expect(down).toMatchObject({ code: 5, stderr: expect.stringContaining('ECONNREFUSED') });
    expect(down?.stderr).not.toContain('secret');
    expect(empty).toMatchObject({ code: 5, stderr: expect.stringContaining('run: lineshaft migrate') });
  });
});

describe('enqueue', () => {
  test('puts a job into a queue with its options, and says how to see it', async () => {
    const { code, stdout } = await run(
      ...['enqueue', 'report', '{"month":"2030-01"}', '-p', '-5', '--delay', '1h', '--unique', 'r1'],
      ...['--require', 'capability=gpu', '--label', 'team=a', '--max-attempts', '2', '--timeout', '1m'],
    );
    expect(code).toBe(0);
    const id = /enqueued report as job (\S+); see: lineshaft job show \1/.exec(stdout)?.[1] ?? '';
    const job = await lineshaft.showJob(id);
    expect(job).toMatchObject({
      ...{ kind: 'report', state: 'scheduled', priority: -5, payload: { month: '2030-01' }, maxAttempts: 2 },
      requirements: ['capability=gpu'],
      options: { labels: { team: 'a' }, limits: { timeoutMs: 60_000 } },
    });
    expect(await run('enqueue', 'report', '--unique', 'r1')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`kept: job ${id} was there already`),
    });
  });

  test('the folder of tasks says queue and version, and its schema checks the payload', async () => {
    const [good, bad, broken] = await inTurns([
      () => run('enqueue', 'typed', '{"to":"ada"}', '--json'),
      () => run('enqueue', 'typed', '{}'),
      () => run('enqueue', 'broken'),
    ]);
    const { id } = JSON.parse(good?.stdout ?? '') as { id: string };
    expect(await lineshaft.showJob(id)).toMatchObject({ queue: 'typed' });
    expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining('payload.to: missing') });
    expect(broken).toMatchObject({ code: 2, stderr: expect.stringContaining('tasks/broken.ts') });
  });

  test('a kind that nobody knows is enqueued with a warning that says what was meant', async () => {
    const first = await run('enqueue', 'typd', '-q', 'typed');
    expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining("did you mean 'typed'?") });
    expect(await run('enqueue', 'typd', '-q', 'typed')).toMatchObject({ code: 0, stderr: '' });
  });

  test('--wait gives up after its time with 6; the payload may come from standard input', async () => {
    const env = { LINESHAFT_DATABASE_URL: url };
    const args = ['enqueue', 'typed', '-', '--wait', '100ms', '--json'];
    const { code, stderr } = await runLineshaft(args, { cwd, env, input: '{"to":"stdin"}' });
    expect([code, JSON.parse(stderr).error.code]).toEqual([6, 'WAIT_TIMEOUT']);
  });
});

describe('job', () => {
  test('cancel, retry and delete say what became of each; the exit code is that of the worst', async () => {
    const [a, b] = await lineshaft.enqueueMany([
      { kind: 'later', delayMs: 3_600_000 },
      { kind: 'later', delayMs: 3_600_000 },
    ]);
    const nobody = '01890000-0000-7000-8000-000000000000';
    const [first = '', second = ''] = [a?.id, b?.id];
    expect(await runJson('job', 'cancel', first, '--reason', 'not wanted')).toEqual({
      jobs: [{ id: first, result: 'cancelled' }],
    });
    const results = [
      await run('job', 'cancel', first),
      await run('job', 'retry', second),
      await run('job', 'delete', second, nobody),
      await run('job', 'show', first),
    ];
    expect(results.map(({ code }) => code)).toEqual([4, 0, 3, 0]);
    expect(results[0]?.stdout).toContain('has finished already');
    expect(results[1]?.stdout).toContain('runs again');
    expect(results[2]?.stdout).toMatch(/deleted\n.*not found/);
    expect(results[3]?.stdout).toMatch(/state +cancelled[\s\S]*reason +not wanted/);
  });

  test('list shows what is there, and what to do where nothing is', async () => {
    const empty = await createDatabase(url);
    const other = new Lineshaft({ databaseUrl: empty });
    await other.migrate();
    await other.close();
    const { stdout } = await runLineshaft(['job', 'list'], { cwd, env: { LINESHAFT_DATABASE_URL: empty } });
    expect(stdout).toContain('no jobs yet; enqueue one: lineshaft enqueue');
    const { id } = await lineshaft.enqueue('listed', { a: 1 });
    expect(await runJson('job', 'list', '-k', 'listed', '-q', '1-default')).toEqual({
      jobs: [expect.objectContaining({ id, kind: 'listed', queue: 'default', state: 'ready', error: null })],
    });
    expect((await run('job', 'list', '-k', 'listed')).stdout).toMatch(
      /^id +kind +queue +state .*\n.* listed +default +ready/,
    );
    expect((await run('job', 'list', '-k', 'nothing')).stdout).toContain('no jobs match');
  });
});
