/** How runs change in one process: many at once, with little memory, and one that cannot be decided about. */

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshName, openSite, type Site, until } from '../worker/site.ts';

describe('changes of runs', () => {
  let site: Site;

  beforeAll(async () => {
    site = await openSite(18);
  });

  afterAll(() => site?.close());

  const waiting = async (): Promise<string> => {
    const name = freshName('flow');
    const human = { name: 'human', taskReferenceName: 'h', type: 'HUMAN' };
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks: [human] }, { overwrite: false });
    return name;
  };

  it('forgets marks of runs that are gone, and does not look at them again and again', async () => {
    const gone = '0193f1f0-0000-7000-8000-00000000dead';
    await site.rows(
      `insert into lineshaft.mark (run_id, event, at) values ($1, '{"type":"time"}', now() - interval '1 minute')`,
      [gone],
    );
    await site.work('workflow', { handlers: {} });
    await until('the mark is gone', async () => (await site.rows('select from lineshaft.mark')).length === 0);
    await site.rest();
  });

  it('looks at a paused run whose time has come now and then, not without end', async () => {
    const runId = await site.lineshaft.workflows.start({ name: await waiting() });
    await site.lineshaft.workflows.pause(runId);
    await site.rows(`update lineshaft.run set wake_at = now() - interval '1 minute' where id = $1`, [runId]);
    await site.work('workflow', { handlers: {} });
    await until('it is put off', async () => {
      const [row] = await site.rows<{ off: boolean }>(
        'select wake_at is null or wake_at > now() as off from lineshaft.run where id = $1',
        [runId],
      );
      return row?.off;
    });
    await site.rest();
  });

  it('goes on with all others when the database refuses what one of them wants', async () => {
    const name = await waiting();
    // Longer than an entry of an index may be, and nothing that could be compressed.
    const correlationIds = Array.from({ length: 20 }, (_, n) =>
      n === 7 ? randomBytes(5_000).toString('hex') : `order ${n}`,
    );
    const outcomes = await Promise.allSettled(
      correlationIds.map((correlationId) => site.lineshaft.workflows.start({ name, correlationId })),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(
      correlationIds.map((_, n) => (n === 7 ? 'rejected' : 'fulfilled')),
    );
  });

  it('gives a worker an input that is too large for a job', async () => {
    const name = freshName('flow');
    const step = {
      name: 'measure',
      taskReferenceName: 'a',
      type: 'SIMPLE',
      inputParameters: { big: '${workflow.input.big}' },
    };
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks: [step] }, { overwrite: false });
    await site.work('workflow', {
      handlers: { measure: ({ big }: { big: string }) => ({ length: big.length }) },
    });
    const runId = await site.lineshaft.workflows.start({ name, input: { big: 'x'.repeat(2_000_000) } });
    const { run } = await site.lineshaft.workflows.waitForRun(runId, ({ run }) => run.endedAt !== undefined, {
      timeoutMs: 20_000,
    });
    expect(run).toMatchObject({ status: 'COMPLETED', output: { length: 2_000_000 } });
    await site.rest();
  });

  it('starts what is asked for at the very moment at which all before it is done', async () => {
    const name = await waiting();
    for (let n = 0; n < 30; n += 1) {
      let last = site.lineshaft.workflows.start({ name });
      // Each continues a few microtasks later than the one before.
      for (let late = 0; late < n; late += 1) last = last.then((id) => id);
      await last;
      await site.lineshaft.workflows.start({ name });
    }
  });

  it('tells of a run that is not there', async () => {
    await expect(
      site.lineshaft.workflows.decide('0193f1f0-0000-7000-8000-000000000000'),
    ).rejects.toMatchObject({
      code: 'RUN_NOT_FOUND',
    });
    await expect(site.lineshaft.workflows.show('no id')).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    await expect(site.lineshaft.workflows.showStep('no id')).rejects.toMatchObject({
      code: 'STEP_NOT_FOUND',
    });
  });
});
