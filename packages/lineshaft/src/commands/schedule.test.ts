import { Lineshaft, silentLog } from '@lineshaft/core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
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
  return runLineshaft(['schedule', ...args], { cwd, env: { LINESHAFT_DATABASE_URL: url } });
}

async function runJson(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout, stderr } = await run(...args, '--json');
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('schedule', () => {
  test('where there is none, the list says how to make one', async () => {
    expect((await run('list')).stdout).toContain('lineshaft schedule declare NAME KIND --cron');
    expect(await runJson('list')).toEqual({ schedules: [] });
  });

  test('one is declared, changed, shown, run, paused, resumed and deleted', async () => {
    const rule = ['--cron', '0 6 * * MON-FRI', '--zone', 'Europe/Berlin'];
    const more = [
      '--jitter',
      '1m',
      '--backfill',
      '24h',
      '--backfill-most',
      '3',
      '--overlap',
      'skip',
      '--label',
      'tenant=acme',
    ];
    const declare = [
      'declare',
      'report',
      'make-report',
      '{"of":"sales"}',
      ...rule,
      ...more,
      '--priority',
      '5',
    ];
    expect(await runJson(...declare)).toMatchObject({
      ...{
        result: 'new',
        name: 'report',
        kind: 'make-report',
        payload: { of: 'sales' },
        cron: '0 6 * * MON-FRI',
      },
      ...{
        timeZone: 'Europe/Berlin',
        jitterMs: 60_000,
        backfill: { withinMs: 86_400_000, most: 3 },
        overlap: 'skip',
      },
      ...{ options: { priority: 5, labels: { tenant: 'acme' } }, everyMs: null, state: 'active' },
    });
    expect((await run(...declare)).stdout).toMatch(
      /report is as it was; it runs in .*; see: lineshaft schedule show report/,
    );
    expect((await run('list')).stdout).toMatch(
      /report +default +active +0 6 \* \* MON-FRI \(Europe\/Berlin\) +make-report +in /,
    );
    const { id } = await runJson('run', 'report');
    expect(await lineshaft.showJob(String(id))).toMatchObject({
      kind: 'make-report',
      priority: 5,
      state: 'ready',
    });
    const shown = (await run('show', 'report', '--runs', '3')).stdout;
    expect(shown).toMatch(/rule +0 6 \* \* MON-FRI \(Europe\/Berlin\)/);
    expect(shown).toMatch(/last run .*unfinished/);
    expect(
      shown.match(/^ {2}\d{4}-\d\d-\d\d 06:0\d:\d\d CES?T {2}\d{4}-\d\d-\d\d 0[45]:.* UTC \(in /gm),
    ).toHaveLength(3);
    expect(await runJson('pause', 'report', '--reason', 'holidays')).toMatchObject({
      state: 'paused',
      pauseReason: 'holidays',
    });
    expect((await run('list')).stdout).toMatch(/paused .*holidays/);
    expect((await run('resume', 'report')).stdout).toMatch(/report goes on; it runs in/);
    expect((await run('delete', 'report')).stdout).toContain('report is deleted');
    const gone = await run('show', 'report');
    expect(gone).toMatchObject({ code: 3, stdout: '' });
  });

  test('a rule is tried out without a database', async () => {
    const preview = [
      'schedule',
      'preview',
      '--cron',
      '30 2 * * *',
      '--zone',
      'Europe/Berlin',
      '--from',
      '2026-03-28T12:00:00Z',
    ];
    const tried = await runLineshaft([...preview, '-n', '2', '--json'], { cwd });
    expect(JSON.parse(tried.stdout)).toEqual({
      runs: ['2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z'],
    });
    const text = await runLineshaft([...preview, '-n', '1'], { cwd });
    expect(text.stdout).toMatch(/^ {2}2026-03-29 03:00:00 .* {2}2026-03-29 01:00:00 UTC/);
    const ended = ['schedule', 'preview', '--every', '1h', '--from', '2026-01-02', '--end', '2026-01-01'];
    expect((await runLineshaft(ended, { cwd })).stdout).toBe('it never runs after this time\n');
  });

  test.each([
    [['declare', 'a', 'k', '--cron', '0 25 * * *'], 'hour (field 2, character 3) must be 0 to 23'],
    [['declare', 'a', 'k', '--cron', '0 5 * * *', '--zone', 'Europe/Berln'], "did you mean 'Europe/Berlin'?"],
    [['declare', 'a', 'k'], 'either cron or every'],
    [['declare', 'a', 'k', '--every', '1m', '--cron', '* * * * *'], "cannot be used with option '--cron"],
    [['declare', 'a', 'k', '--every', '1m', '--backfill', 'lst'], "did you mean 'last'?"],
    [['declare', 'a', 'k', '--every', '1m', '--backfill-most', '3'], 'needs --backfill with a duration'],
    [['declare', 'a', 'k', '--every', '1m', '--overlap', 'x'], 'allow, skip, replace, queue'],
    [['declare', 'a', 'k', '{', '--every', '1m'], 'the payload is not JSON'],
    [['preview', '--cron', '* * * * MNO'], "did you mean 'MON'?"],
    [['preview', '--crn', '* * * * *'], 'did you mean --cron?'],
  ])('%j is refused with exit code 2', async (args, message) => {
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  test('a name that is not there is refused with exit code 3, and the one that was meant', async () => {
    await lineshaft.schedule({ name: 'nightly', cron: '@daily', kind: 'k' });
    for (const command of ['show', 'pause', 'resume', 'run', 'delete']) {
      const { code, stderr } = await run(command, 'nihgtly');
      expect({ code, stderr }).toMatchObject({
        code: 3,
        stderr: expect.stringContaining("did you mean 'nightly'?"),
      });
    }
  });
});
