/** Workers that poll: who gets what, who waits, what is given back, and what is remembered of them. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lineshaft } from '../../packages/core/src/index.ts';
import { startPgbouncer } from '../../packages/core/src/testing/pgbouncer.ts';
import { freshName, openSite, type Site, until, versions } from '../worker/site.ts';
import { waitingSteps } from './waiting-steps.ts';

const base = { workerId: 'w', count: 1, timeoutMs: 0 };

describe.each(versions)('polls on PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  const poll = (
    request: Partial<typeof base> & { kind: string; domain?: string; signal?: AbortSignal },
    of: Lineshaft = site.lineshaft,
  ) => of.workflows.poll({ ...base, ...request });
  const count = async (table: string): Promise<number> => {
    const [row] = await site.rows<{ n: number }>(`select count(*)::int as n from lineshaft.${table}`);
    return row?.n ?? -1;
  };

  it('gives a step with its run, IN_PROGRESS, and writes no row of the step', async () => {
    const kind = freshName('kind');
    const [made] = await waitingSteps(site, kind, 1);
    const [polled] = await poll({ kind, workerId: 'anna' });
    expect(polled?.run).toMatchObject({ id: made?.runId, priority: 0, definition: { name: 'test' } });
    expect(polled?.step).toMatchObject({
      id: made?.stepId,
      ref: 'ref',
      status: 'IN_PROGRESS',
      workerId: 'anna',
      pollCount: 1,
      input: { n: 1 },
      definition: { taskReferenceName: 'ref' },
    });
    expect(polled?.step.startedAt).toBeGreaterThan(0);
    expect(
      await site.rows('select status, revision from lineshaft.step where id = $1', [made?.stepId]),
    ).toEqual([{ status: 'SCHEDULED', revision: 1 }]);
    const { step } = await site.lineshaft.workflows.showStep(made?.stepId ?? '');
    expect(step).toMatchObject({ status: 'IN_PROGRESS', workerId: 'anna', pollCount: 1 });
    expect(await poll({ kind })).toEqual([]);
  });

  it('looks at exactly the domain that is asked for', async () => {
    const kind = freshName('kind');
    await waitingSteps(site, kind, 1);
    await waitingSteps(site, kind, 1, { domain: 'blue' });
    expect(await poll({ kind, domain: 'red', count: 5 })).toHaveLength(0);
    expect(await poll({ kind, domain: 'blue', count: 5 })).toHaveLength(1);
    expect(await poll({ kind, count: 5 })).toHaveLength(1);
    expect(await poll({ kind, count: 5 })).toHaveLength(0);
  });

  it('gives the most urgent first, then the oldest', async () => {
    const kind = freshName('kind');
    const low = await waitingSteps(site, kind, 2);
    const high = await waitingSteps(site, kind, 2, { priority: 7 });
    const polled = await poll({ kind, count: 10 });
    expect(polled.map(({ step }) => step.id)).toEqual([...high, ...low].map(({ stepId }) => stepId));
  });

  it('wakes who waits, in this process and in another', async () => {
    const kind = freshName('kind');
    const other = site.other();
    const waiting = [poll({ kind, timeoutMs: 20_000 }), poll({ kind, timeoutMs: 20_000 }, other)];
    await waitingSteps(site, kind, 2);
    const polled = await Promise.all(waiting);
    expect(polled.map((steps) => steps.length)).toEqual([1, 1]);
  });

  it('answers with nothing when the time is over, and at once without a time', async () => {
    const kind = freshName('kind');
    expect(await poll({ kind, timeoutMs: 60 })).toEqual([]);
    expect(await poll({ kind })).toEqual([]);
  });

  it('asks nothing for polls that come and wait while nothing has come', async () => {
    const quiet = site.other();
    const kinds = Array.from({ length: 25 }, () => freshName('kind'));
    const wave = () => Promise.all(kinds.map((kind) => poll({ kind, timeoutMs: 40 }, quiet)));
    const claims = (): number => quiet.statementCounts().get('claim_remote') ?? 0;
    await until('it is known that nothing waits', async () => {
      const before = claims();
      await wave();
      return claims() === before && before > 0;
    });
    const before = claims();
    for (let n = 0; n < 20; n += 1) await wave();
    // All is looked at once in 5 s, in case a message was lost.
    expect(claims() - before).toBeLessThanOrEqual(1);
    expect(before).toBeLessThan(25);
  });

  it('deals steps out to all who wait, each once', async () => {
    const kind = freshName('kind');
    const servers = [site.lineshaft, site.other(), site.other()];
    const waiting = Array.from({ length: 30 }, (_, n) =>
      poll({ kind, count: 10, timeoutMs: 1_000, workerId: `w${n}` }, servers[n % 3]),
    );
    const made = await waitingSteps(site, kind, 100);
    const ids = (await Promise.all(waiting)).flat().map(({ step }) => step.id);
    while (ids.length < 100) {
      const more = await poll({ kind, count: 100 });
      expect(more.length).toBeGreaterThan(0);
      ids.push(...more.map(({ step }) => step.id));
    }
    expect(new Set(ids)).toEqual(new Set(made.map(({ stepId }) => stepId)));
    expect(ids).toHaveLength(100);
  });

  it('gives back what was taken for a client that has gone', async () => {
    const kind = freshName('kind');
    const gone = new AbortController();
    const waiting = poll({ kind, timeoutMs: 20_000, signal: gone.signal });
    gone.abort();
    expect(await waiting).toEqual([]);
    const [made] = await waitingSteps(site, kind, 1);
    const [first] = await poll({ kind });
    expect(first?.step.id).toBe(made?.stepId);
    expect(await site.lineshaft.workflows.giveBack([made?.stepId ?? ''])).toBe(1);
    expect(await site.lineshaft.workflows.giveBack([made?.stepId ?? ''])).toBe(0);
    const [second] = await poll({ kind, timeoutMs: 5_000 });
    expect(second?.step).toMatchObject({ id: made?.stepId, pollCount: 1 });
  });

  it('leaves no lease behind when a step that is polled is withdrawn, and none where a claim is undone', async () => {
    const kind = freshName('kind');
    const made = await waitingSteps(site, kind, 3);
    const leases = await count('lease');
    await poll({ kind, count: 3 });
    expect(await count('lease')).toBe(leases + 3);
    await site.rows('select lineshaft.withdraw_jobs($1)', [made.slice(0, 2).map(({ stepId }) => stepId)]);
    expect(await count('lease')).toBe(leases + 1);
    const [row] = await site.rows<{ claim: string }>(
      'select claim from lineshaft.job_lease where job_id = $1',
      [made[2]?.stepId],
    );
    await site.rows('select lineshaft.return_claim($1)', [row?.claim]);
    expect(await count('lease')).toBe(leases);
    expect(await poll({ kind, timeoutMs: 5_000 })).toHaveLength(1);
  });

  it('lapses where a worker is not heard of: the run is told, and nothing is left of the job', async () => {
    const kind = freshName('kind');
    const [made] = await waitingSteps(site, kind, 1, { responseMs: 1_000 });
    await site.work('none', { handlers: {} });
    await poll({ kind, workerId: 'silent' });
    const [mark] = await until('the mark is there', async () => {
      const marks = await site.rows<{ event: object }>('select event from lineshaft.mark where run_id = $1', [
        made?.runId,
      ]);
      return marks.length > 0 && marks;
    });
    expect(mark?.event).toMatchObject({ type: 'lapsed', stepId: made?.stepId, workerId: 'silent' });
    expect(await site.rows('select from lineshaft.job where id = $1', [made?.stepId])).toEqual([]);
    expect(await site.rows('select from lineshaft.job_lease where job_id = $1', [made?.stepId])).toEqual([]);
    expect(await site.rows('select from lineshaft.lease where $1 = any (job_ids)', [made?.stepId])).toEqual(
      [],
    );
    await site.rest();
  });

  it('is not among the workers', async () => {
    expect((await site.lineshaft.workers()).map(({ workerId }) => workerId)).not.toContain('remote');
    const findings = await site.lineshaft.examine();
    expect(JSON.stringify(findings)).not.toContain('remote');
  });

  it('remembers who polled last, for all servers', async () => {
    const kind = freshName('kind');
    await poll({ kind, workerId: 'one' });
    await poll({ kind, workerId: 'two' });
    await poll({ kind, domain: 'blue', workerId: 'three' });
    const seen = async (of: Lineshaft) =>
      (await of.workflows.pollRecords(kind))
        .map(({ domain, workerId }) => `${domain ?? ''}:${workerId}`)
        .sort();
    expect(await seen(site.lineshaft)).toEqual([':two', 'blue:three']);
    const other = site.other();
    await until('the other server knows', async () => (await seen(other)).length === 2);
    expect(await seen(other)).toEqual([':two', 'blue:three']);
  });

  it('counts what waits, by queue: not what somebody has', async () => {
    const kind = freshName('kind');
    await waitingSteps(site, kind, 3);
    await waitingSteps(site, kind, 2, { delayMs: 60_000 });
    await waitingSteps(site, kind, 1, { domain: 'a:b' });
    await poll({ kind });
    const names = [kind, `a:b:${kind}`, 'unheard-of'];
    expect([...(await site.lineshaft.workflows.queueSizes(names))]).toEqual([
      [kind, 4],
      [`a:b:${kind}`, 1],
      ['unheard-of', 0],
    ]);
    expect((await site.lineshaft.workflows.queueSizes()).get(kind)).toBe(4);
    expect(await site.lineshaft.workflows.requeue(kind)).toBe(5);
  });

  it('goes on after the database was away, and answers with nothing meanwhile', async () => {
    const kind = freshName('kind');
    const other = site.other();
    expect(await poll({ kind }, other)).toEqual([]);
    const waiting = poll({ kind, timeoutMs: 20_000 }, other);
    await site.rows(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    );
    await until('somebody can write again', () => waitingSteps(site, kind, 1).catch(() => undefined));
    expect(await waiting).toHaveLength(1);
  });

  it('polls the database where nobody can tell it anything', async () => {
    const bouncer = await startPgbouncer(site.url);
    try {
      const kind = freshName('kind');
      const pooled = site.other({ databaseUrl: bouncer.url(new URL(site.url).pathname.slice(1)) });
      const waiting = poll({ kind, timeoutMs: 20_000 }, pooled);
      await poll({ kind }, pooled);
      await waitingSteps(site, kind, 1);
      expect(await waiting).toHaveLength(1);
      await pooled.close();
    } finally {
      await bouncer.stop();
    }
  });
});
