import { Lineshaft, silentLog } from '@lineshaft/core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createDatabase } from '../../../core/src/testing/server.ts';
import { type CommandResult, folderWith, runLineshaft } from '../testing/command.ts';

let url = '';
let cwd = '';
let lineshaft: Lineshaft;
let ids: string[] = [];

beforeAll(async () => {
  url = await createDatabase(inject('postgres18'));
  cwd = folderWith();
  lineshaft = new Lineshaft({ databaseUrl: url, log: silentLog });
  await lineshaft.migrate();
  await lineshaft.declare({ name: 'mail', maxAttempts: 1 });
  const worker = lineshaft.worker({
    signals: false,
    handlers: {
      send: (fails: unknown) => {
        if (fails === true) throw new Error('no');
      },
    },
  });
  await worker.start();
  const made = await lineshaft.enqueueMany(
    [false, false, true].map((payload) => ({ kind: 'send', queue: 'mail', payload })),
  );
  ids = made.map(({ id }) => id);
  await lineshaft.waitFor(ids, { timeoutMs: 20_000 });
  await worker.stop();
});

afterAll(() => lineshaft.close());

function run(...args: string[]): Promise<CommandResult> {
  return runLineshaft(['prune', ...args], { cwd, env: { LINESHAFT_DATABASE_URL: url } });
}

test('a dry run counts by queue and outcome, and changes nothing', async () => {
  const { stdout, code } = await run('--dry-run', '--rule', 'queue = mail');
  expect(code).toBe(0);
  expect(stdout).toMatch(/mail +default +failed +1 +/);
  expect(stdout).toMatch(/mail +default +succeeded +2 +/);
  expect(stdout).toContain('3 jobs would be forgotten');
  expect((await run('--dry-run', '--rule', 'queue = other')).stdout).toBe('nothing would be forgotten\n');
  expect((await lineshaft.showJob(ids[0] ?? '')).state).toBe('succeeded');
});

test('it forgets what fits any of the rules, in text or as JSON, and says how many and how old', async () => {
  const rules = [
    '--rule',
    'state = cancelled',
    '--rule',
    '{"field": "state", "op": "eq", "value": "succeeded"}',
  ];
  const first = await run(...rules, '--json');
  expect(JSON.parse(first.stdout)).toMatchObject({ dryRun: false, pruned: 2, partitions: [] });
  expect(first.stderr).toBe('');
  const second = await run('--rule', 'state = failed and age < 1h', '--gentle');
  expect(second.stdout).toMatch(/^1 job forgotten\nthey finished .+ ago to .+ ago\n$/);
  expect(await lineshaft.countPrunable({ rule: 'age >= 0ms' })).toEqual([]);
});

test('a wrong rule is refused with the place in it, exit code 2', async () => {
  const wrong = await run('--rule', 'age > 1d and quue = mail');
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("rules[0], column 14: there is no field 'quue'; did you mean 'queue'?");
  const json = await run('--rule', '{"field": "age", "op": "eq", "value": "1d"}');
  expect(json.code).toBe(2);
  expect(json.stderr).toContain('rules[0].op must be one of gt, gte, lt, lte (age)');
  expect((await run('--rule', '{"field"')).stderr).toContain('--rule is not JSON');
  expect((await run('--batch', '0')).stderr).toContain('batch must be a whole number from 1 to 100000');
});
