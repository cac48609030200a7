/** How runs change in one process: many at once, with little memory, and one that cannot be decided about. */

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
    const name = freshName('flow');
    const step = {
      name: 'next',
      taskReferenceName: 'a',
      type: 'SIMPLE',
      inputParameters: { big: '${workflow.input.big}' },
    };
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks: [step] }, { overwrite: false });
    const inputs = Array.from({ length: 20 }, (_, n) => ({ big: n === 7 ? 'x'.repeat(2_000_000) : 'small' }));
    const outcomes = await Promise.allSettled(
      inputs.map((input) => site.lineshaft.workflows.start({ name, input })),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(
      inputs.map(({ big }) => (big === 'small' ? 'fulfilled' : 'rejected')),
    );
    expect(outcomes[7]).toMatchObject({ reason: { code: 'PAYLOAD_TOO_LARGE' } });
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
