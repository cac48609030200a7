/** A process that dies between a claim and the answer of a poll: its steps wait again, others are left alone. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lineshaft } from '../../packages/core/src/index.ts';
import { freshName, openSite, type Site, until, versions } from '../worker/site.ts';
import { waitingSteps } from './waiting-steps.ts';

const base = { workerId: 'w', count: 1, timeoutMs: 0 };

interface Hold {
  readonly claim: string | null;
  /** From the claim until when the worker must have been heard of. */
  readonly ms: number;
}

describe.each(versions)('answers of polls on PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  const poll = (kind: string, confirm: boolean, of: Lineshaft) =>
    of.workflows.poll({ ...base, kind, confirm });
  const hold = async (stepId: string): Promise<Hold | undefined> => {
    const [row] = await site.rows<Hold>(
      `select p.claim, (extract(epoch from p.until - l.taken_at) * 1000)::int as ms
      from lineshaft.job_lease p join lineshaft.lease l on l.id = p.lease where p.job_id = $1`,
      [stepId],
    );
    return row;
  };
  /** The time of the step is over, and a rescuer looks. */
  const lapse = (stepId: string) =>
    until('its time is over', async () => {
      await site.rows(`update lineshaft.job_lease set until = now() - interval '1 ms' where job_id = $1`, [
        stepId,
      ]);
      // Nobody's time is over before the database has been up for as long.
      const taken = await site.rows<{ job_id: string }>(
        'select job_id from lineshaft.rescue_jobs(3, 86400000)',
      );
      return taken.some((row) => row.job_id === stepId);
    });

  it('a step whose answer was not sent waits again, as if nobody had taken it', async () => {
    const kind = freshName('kind');
    const [made] = await waitingSteps(site, kind, 1);
    const stepId = made?.stepId ?? '';
    const dying = site.other();
    expect(await poll(kind, true, dying)).toHaveLength(1);
    await dying.close();
    expect(await hold(stepId)).toMatchObject({ claim: expect.any(String), ms: 10_000 });
    await lapse(stepId);
    expect(await site.rows('select from lineshaft.mark where run_id = $1', [made?.runId])).toEqual([]);
    expect(await site.rows('select from lineshaft.lease where $1 = any (job_ids)', [stepId])).toEqual([]);
    const [again] = await poll(kind, false, site.lineshaft);
    expect(again?.step).toMatchObject({ id: stepId, status: 'IN_PROGRESS', pollCount: 1 });
  });

  it('a step whose answer was sent has the time of its task', async () => {
    const kind = freshName('kind');
    const [made] = await waitingSteps(site, kind, 1, { responseMs: 5_000 });
    const stepId = made?.stepId ?? '';
    const server = site.other();
    expect(await poll(kind, true, server)).toHaveLength(1);
    expect((await hold(stepId))?.claim).not.toBeNull();
    server.workflows.confirmPoll([stepId]);
    expect(await until('it is written', async () => (await hold(stepId))?.claim === null)).toBe(true);
    expect(await hold(stepId)).toEqual({ claim: null, ms: 5_000 });
    await lapse(stepId);
    // Its worker had it: the run is told.
    expect(
      await site.rows('select event from lineshaft.mark where run_id = $1', [made?.runId]),
    ).toMatchObject([{ event: { type: 'lapsed', stepId } }]);
  });

  it('a poll of this process counts as answered when it is', async () => {
    const kind = freshName('kind');
    const [made] = await waitingSteps(site, kind, 1);
    const here = site.other();
    await poll(kind, false, here);
    await here.close();
    expect(await hold(made?.stepId ?? '')).toEqual({ claim: null, ms: 3_600_000 });
  });

  it('a worker that says that it lives has got its answer', async () => {
    const kind = freshName('kind');
    const [made] = await waitingSteps(site, kind, 1);
    const stepId = made?.stepId ?? '';
    const server = site.other();
    await poll(kind, true, server);
    await site.rows('select from lineshaft.extend_polled($1)', [[stepId]]);
    expect((await hold(stepId))?.claim).toBeNull();
  });

  it('whoever took a step before says nothing of who has it now', async () => {
    const kind = freshName('kind');
    const [made] = await waitingSteps(site, kind, 1);
    const stepId = made?.stepId ?? '';
    const [first, second] = [site.other(), site.other()];
    await poll(kind, true, first);
    const before = await hold(stepId);
    await second.workflows.giveBack([stepId]);
    expect(await poll(kind, true, second)).toHaveLength(1);
    await site.rows('select lineshaft.confirm_polled($1, $2, $3)', [[stepId], [before?.claim], [true]]);
    expect((await hold(stepId))?.claim).not.toBeNull();
  });
});
