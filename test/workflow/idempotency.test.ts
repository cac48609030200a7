/** One run has an idempotency key of a workflow, also when callers race. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IdempotencyStrategy, StepDefinition } from '../../packages/core/src/index.ts';
import { freshName, openSite, type Site, versions } from '../worker/site.ts';

describe.each(versions)('PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
    await define('flow', [{ name: 'work', taskReferenceName: 'work', type: 'SIMPLE' }]);
  });
  afterAll(() => site.close());

  const flows = () => site.lineshaft.workflows;
  const define = (name: string, tasks: readonly StepDefinition[]) =>
    flows().putWorkflow({ name, version: 1, tasks }, { overwrite: true });
  const start = (key: string, strategy?: IdempotencyStrategy, by = flows()) =>
    by.start({
      name: 'flow',
      idempotencyKey: key,
      ...(strategy === undefined ? {} : { idempotencyStrategy: strategy }),
    });

  test('another start fails, is given the run, or begins one when that has ended', async () => {
    const key = freshName('key');
    const id = await start(key);
    expect((await flows().show(id)).run.idempotencyKey).toBe(key);
    const taken = { code: 'RUN_EXISTS', details: { name: 'flow', runId: id } };
    await expect(start(key)).rejects.toMatchObject(taken);
    await expect(start(key, 'FAIL')).rejects.toMatchObject(taken);
    await expect(start(key, 'FAIL_ON_RUNNING')).rejects.toMatchObject(taken);
    expect(await start(key, 'RETURN_EXISTING')).toBe(id);
    await flows().terminate(id);
    expect(await start(key, 'RETURN_EXISTING')).toBe(id);
    await expect(start(key, 'FAIL')).rejects.toMatchObject(taken);
    const next = await start(key, 'FAIL_ON_RUNNING');
    expect(next).not.toBe(id);
    await expect(start(key, 'FAIL_ON_RUNNING')).rejects.toMatchObject({ details: { runId: next } });
    // A run that is removed gives its key up.
    await flows().remove(next);
    expect(await start(key)).not.toBe(next);
  });

  test('of callers that race, in several processes, one starts a run', async () => {
    const other = site.other().workflows;
    const keys = Array.from({ length: 10 }, () => freshName('raced'));
    const starts = keys.flatMap((key) =>
      Array.from({ length: 6 }, (_each, n) => start(key, 'RETURN_EXISTING', n % 2 === 0 ? flows() : other)),
    );
    const ids = await Promise.all(starts);
    expect(new Set(ids).size).toBe(keys.length);
    const [row] = await site.rows<{ n: string }>(
      'select count(*) as n from lineshaft.run where idempotency_key = any ($1)',
      [keys],
    );
    expect(row?.n).toBe('10');
  });

  test('a key whose starter has died is free soon, and a starter that comes back then starts nothing', async () => {
    const key = freshName('key');
    const dead = '0193f1f0-0000-7000-8000-0000000000aa';
    await site.rows(`select lineshaft.claim_run_key('flow', $1, $2, null, false)`, [key, dead]);
    await site.rows(
      `update lineshaft.run_key set claimed_at = claimed_at - interval '11 seconds' where run_id = $1`,
      [dead],
    );
    const id = await start(key, 'RETURN_EXISTING');
    expect(id).not.toBe(dead);
    const late = JSON.stringify({ name: 'flow', idempotency: key });
    await expect(
      site.rows('select lineshaft.keep_run_keys($1, $2, $3)', [[dead], [0], [late]]),
    ).rejects.toMatchObject({ code: 'LS409', detail: expect.stringContaining('RUN_BUSY') });
    expect(await start(key, 'RETURN_EXISTING')).toBe(id);
  });

  test('a start that fails gives the key back', async () => {
    const key = freshName('key');
    const unknown = { name: 'unknown', idempotencyKey: key };
    await expect(flows().start(unknown)).rejects.toMatchObject({ code: 'WORKFLOW_NOT_FOUND' });
    await define('unknown', [{ name: 'work', taskReferenceName: 'work', type: 'SIMPLE' }]);
    await flows().start(unknown);
  });

  test('runs that steps start have keys too', async () => {
    const startWorkflow = {
      name: 'flow',
      idempotencyKey: '${workflow.input.key}',
      idempotencyStrategy: '${workflow.input.how}',
    };
    await define('starter', [
      { name: 's', taskReferenceName: 's', type: 'START_WORKFLOW', inputParameters: { startWorkflow } },
    ]);
    const play = async (key: string, how: string) => {
      const id = await flows().start({ name: 'starter', input: { key, how } });
      const view = await flows().waitForRun(id, ({ run }) => run.status !== 'RUNNING', { timeoutMs: 15_000 });
      return { status: view.run.status, started: view.steps[0]?.output['workflowId'] };
    };
    const key = freshName('key');
    const first = await play(key, 'FAIL');
    expect(first.status).toBe('COMPLETED');
    expect(await play(key, 'RETURN_EXISTING')).toEqual(first);
    expect((await play(key, 'FAIL')).status).toBe('FAILED');
  });
});
