import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lineshaft, silentLog } from '@lineshaft/core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createDatabase } from '../../../core/src/testing/server.ts';
import { type CommandResult, folderWith, runLineshaft } from '../testing/command.ts';
import { inTurns } from '../testing/in-turns.ts';

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

async function runJson(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout, stderr } = await run(...args, '--json');
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('queue, project, migrate, doctor, worker list', () => {
  test('the circuit of a kind is set, opened, closed and reset', async () => {
    expect((await run('circuit', 'list')).stdout).toContain('no circuits');
    const set = ['--failure-rate', '0.3', '--pause', '1m', '--probes', '5', '--min-attempts', '7'];
    expect(await runJson('circuit', 'set', 'charge', ...set)).toMatchObject({
      ...{ kind: 'charge', state: 'closed', automatic: true },
      settings: { failureRate: 0.3, pauseMs: 60_000, probes: 5, minAttempts: 7, windowMs: 60_000 },
    });
    expect(
      await runJson('circuit', 'open', 'charge', '--until', '10m', '--reason', 'the bank is down'),
    ).toMatchObject({
      ...{ state: 'open', byHand: true, reason: 'the bank is down' },
    });
    expect((await run('circuit', 'list')).stdout).toMatch(/charge +open .*in 10 min +the bank is down/);
    expect((await run('circuit', 'show', 'charge')).stdout).toMatch(
      /opens +when 30 % of at least 7 attempts in 60 s/,
    );
    expect(await runJson('circuit', 'close', 'charge')).toMatchObject({ state: 'closed', byHand: false });
    expect(await runJson('circuit', 'set', 'charge', '--off')).toMatchObject({ automatic: false });
    expect(await runJson('circuit', 'reset', 'charge')).toMatchObject({ settings: { failureRate: 0.5 } });
    const refused = await run('circuit', 'close', 'chrage');
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("did you mean 'charge'?")]);
    for (const wrong of [
      ['set', 'charge', '--failure-rate', '2'],
      ['set', 'charge', '--failure-rate', 'half'],
      ['set', 'charge', '--pause', 'soon'],
      ['open', 'no kind'],
      ['open', 'charge', '--until', 'later'],
    ]) {
      expect([wrong, (await run('circuit', ...wrong)).code]).toEqual([wrong, 2]);
    }
  });

  test('a queue is declared, changed, paused, resumed and deleted', async () => {
    const settings = [
      '--tag',
      'capability=smtp',
      '--backoff',
      'fixed',
      '--timeout',
      '10s',
      '--keep',
      '7d',
      '--ncores',
      '2',
    ];
    expect(await runJson('queue', 'declare', 'mail', '-c', '5', ...settings)).toMatchObject({
      ...{ name: 'mail', concurrency: 5, tags: ['capability=smtp'], limits: { timeoutMs: 10_000 } },
      backoff: { type: 'fixed', delayMs: 1_000 },
      executorOptions: { size: 2 },
      retention: { succeededMs: 604_800_000 },
    });
    const rules = ['--retry-rule', 'ECONNREFUSED=20', '--retry-rule', '/too many=/i=fixed:1m'];
    expect(await runJson('queue', 'declare', 'mail', ...rules)).toMatchObject({
      retryRules: [
        { error: 'ECONNREFUSED', maxAttempts: 20 },
        { error: '/too many=/i', backoff: { type: 'fixed', delayMs: 60_000 } },
      ],
    });
    expect((await run('queue', 'show', 'mail')).stdout).toContain('ECONNREFUSED: 20 attempts;');
    for (const wrong of ['X', 'X=perhaps', '=fail', 'X=fixed:soon', '/(/=fail', 'X=0']) {
      const refused = await run('queue', 'declare', 'mail', '--retry-rule', wrong);
      expect([wrong, refused.code]).toEqual([wrong, 2]);
    }
    expect(await runJson('queue', 'declare', 'mail', '--retry-rule', 'none')).toMatchObject({
      retryRules: [],
    });
    expect((await run('queue', 'pause', 'mail', '--until', '10m')).stdout).toContain('it resumes in 10 min');
    expect((await run('queue', 'list')).stdout).toMatch(/mail +default +paused, resumes in 10 min/);
    expect(await runJson('queue', 'resume', 'mail')).toMatchObject({
      state: 'active',
      resumeAt: null,
      concurrency: 5,
    });
    expect((await run('queue', 'delete', 'mail')).code).toBe(0);
    expect((await run('queue', 'show', 'mail')).code).toBe(3);
  });

  test('queue delete is refused with 4 while it holds jobs, unless they go with it', async () => {
    await lineshaft.declare({ name: 'full' });
    await lineshaft.enqueue('x', {}, { queue: 'full' });
    expect((await run('queue', 'delete', 'full')).code).toBe(4);
    expect((await run('queue', 'delete', 'full', '--purge')).code).toBe(0);
  });

  test('queue show tells for which kinds, tags and builds jobs wait and nobody listens', async () => {
    await lineshaft.declare({ name: 'watched', tags: ['for=watched'] });
    const pinned = new Lineshaft({
      databaseUrl: url,
      build: '2.0.0',
      kinds: { definitions: { pinned: { pin: 'exact' } } },
    });
    await pinned.enqueue('pinned', {}, { queue: 'watched' });
    await pinned.enqueue('unknown', {}, { queue: 'watched' });
    await pinned.enqueue('tagged', {}, { queue: 'watched', requirements: ['capability=gpu'] });
    await pinned.close();
    expect((await run('queue', 'show', 'watched')).stdout).toContain('no live worker serves the queue');
    const handlers = { pinned: () => 1, tagged: () => 1 };
    const worker = lineshaft.worker({
      handlers,
      tags: ['for=watched'],
      queues: ['watched'],
      name: 'w1',
      signals: false,
    });
    await worker.start();
    const { stdout } = await run('queue', 'show', 'watched');
    expect(stdout).toContain('pinned to build 2.0.0 (exact), and no live worker runs it');
    expect(stdout).toContain('1 job of kind unknown: no live worker knows the kind');
    expect(stdout).toContain('no live worker has the tags capability=gpu');
    expect((await run('worker', 'list')).stdout).toMatch(/w1 +leads/);
    await worker.stop();
    expect((await run('worker', 'list')).stdout).toContain('no workers; start one');
  });

  test('project create is harmless when it is there', async () => {
    expect(await runJson('project', 'create', 'p1')).toMatchObject({ name: 'p1', made: true });
    expect(await runJson('project', 'create', 'p1')).toMatchObject({ name: 'p1', made: false });
    expect((await run('project', 'list')).stdout).toMatch(/default[\s\S]*p1/);
  });

  test('migrate plans, stops where it is told to, and goes on; doctor tells what is missing', async () => {
    const schema = ['--schema', 'other'];
    const plan = await runJson('migrate', '--plan', ...schema);
    expect(plan).toMatchObject({ schema: 'other', planned: true, from: 0 });
    expect(await runJson('migrate', '--to', '1', ...schema)).toMatchObject({ from: 0, current: 1 });
    const sick = await run('doctor', ...schema);
    expect(sick).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/error .*is at version 1[\s\S]*lineshaft migrate/),
    });
    expect((await run('migrate', ...schema)).stdout).toContain("schema 'other' was brought from version 1");
    const well = await run('doctor', '--json', ...schema);
    const { findings } = JSON.parse(well.stdout) as { findings: { code: string; severity: string }[] };
    // The servers of the tests give up durability for speed, and the doctor sees it.
    const errors = findings.filter(({ severity }) => severity === 'error').map(({ code }) => code);
    expect({ code: well.code, errors }).toEqual({ code: 1, errors: ['setting-fsync'] });
    expect(Object.keys(findings[0] ?? {})).toEqual(['code', 'severity', 'title', 'detail', 'remedy']);
  });
});

test('bench measures in a schema of its own and drops it', async () => {
  const result = await runJson('bench', '--jobs', '500');
  expect(result).toMatchObject({
    jobs: 500,
    enqueueOneByOne: { jobsPerSecond: expect.any(Number) },
    drain: { jobs: expect.any(Number) },
    latency: { p50Ms: expect.any(Number), p99Ms: expect.any(Number) },
  });
  await expect(new Lineshaft({ databaseUrl: url, schema: 'lineshaft' }).queues()).resolves.not.toContainEqual(
    expect.objectContaining({ name: 'bench' }),
  );
});

test('the completion scripts complete commands, options and values', async () => {
  const scripts = await inTurns(['bash', 'zsh', 'fish'].map((shell) => () => run('completion', shell)));
  expect(scripts.map(({ code }) => code)).toEqual([0, 0, 0]);
  const file = join(cwd, 'completion.bash');
  writeFileSync(file, scripts[0]?.stdout ?? '');
  expect(spawnSync('bash', ['-n', file]).status).toBe(0);
  const complete = (...words: string[]): string[] => {
    const list = words.map((word) => `'${word}'`).join(' ');
    const script = `source '${file}'; COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _lineshaft;
      echo "\${COMPREPLY[*]}"`;
    return spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout.trim().split(' ');
  };
  expect(complete('lineshaft', 'j')).toEqual(['job']);
  expect(complete('lineshaft', 'job', 'l')).toEqual(['list']);
  expect(complete('lineshaft', 'job', 'list', '--st')).toEqual(['--state']);
  expect(complete('lineshaft', 'job', 'list', '--state', 'f')).toEqual(['failed']);
  expect(complete('lineshaft', 'queue', 'declare', 'x', '--executor', 'th')).toEqual(['thread']);
  expect(complete('lineshaft', 'completion', 'b')).toEqual(['bash']);
  expect(scripts[1]?.stdout).toContain("'declare:make a queue");
  expect(scripts[2]?.stdout).toContain(`-n "__lineshaft_at ' job'" -a list`);
});
