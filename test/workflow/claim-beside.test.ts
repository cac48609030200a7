/** What a report makes ready, or makes room for, goes to who waits for it in the commit of the report. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lineshaft, PolledStep } from '../../packages/core/src/index.ts';
import { expectNothingInUse } from '../limits/ledger.ts';
import { freshName, openSite, openStranger, type Site, until, versions } from '../worker/site.ts';

describe.each(versions)('claims beside reports on PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  const poll = (kind: string, more: object = {}, of: Lineshaft = site.lineshaft): Promise<PolledStep[]> =>
    of.workflows.poll({ kind, workerId: 'w', count: 1, timeoutMs: 20_000, ...more });
  const complete = (polled: PolledStep | undefined, of: Lineshaft = site.lineshaft) =>
    of.workflows.report({ stepId: polled?.step.id ?? '', status: 'COMPLETED' });
  /** A workflow of these steps, one after the other. */
  const flow = async (kinds: readonly string[]): Promise<string> => {
    const name = freshName('flow');
    const tasks = kinds.map((kind, n) => ({ name: kind, taskReferenceName: `s${n}`, type: 'SIMPLE' }));
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks }, { overwrite: false });
    return name;
  };
  const start = (name: string): Promise<string> => site.lineshaft.workflows.start({ name });
  /** The transactions in which a step was taken and another was written last. */
  const transactions = async (taken: PolledStep | undefined, written: PolledStep | undefined) => {
    const [row] = await site.rows<{ taken: string; written: string }>(
      `select (select xmin::text from lineshaft.job_lease where job_id = $1) as taken,
         (select xmin::text from lineshaft.step where id = $2) as written`,
      [taken?.step.id, written?.step.id],
    );
    return row;
  };

  it('gives the next step with the report of the one before', async () => {
    const kind = freshName('kind');
    await start(await flow([kind, kind]));
    const [first] = await poll(kind);
    const waiting = [poll(kind), poll(kind, { timeoutMs: 300 })];
    await complete(first);
    const [second] = (await Promise.all(waiting)).flat();
    expect(second?.step).toMatchObject({ ref: 's1', status: 'IN_PROGRESS', workerId: 'w', pollCount: 1 });
    const seen = await transactions(second, first);
    expect(seen?.taken).toBe(seen?.written);
    await complete(second);
    expect(await poll(kind, { timeoutMs: 0 })).toEqual([]);
  });

  it('gives the room of a limit to who waits for it, with the report that frees it', async () => {
    const kind = freshName('kind');
    const name = await flow([kind]);
    await site.lineshaft.workflows.putTask({ name: kind, concurrentExecLimit: 1 });
    await Promise.all([start(name), start(name), start(name)]);
    let [held] = await poll(kind);
    for (let n = 0; n < 2; n += 1) {
      const waiting = poll(kind);
      // It was found that there is no room before there is some.
      expect(await poll(kind, { timeoutMs: 50 })).toEqual([]);
      await complete(held);
      const [next] = await waiting;
      const seen = await transactions(next, held);
      expect(seen?.taken).toBe(seen?.written);
      held = next;
    }
    await complete(held);
    await expectNothingInUse(site);
  });

  it('does not wait for the counter of a limit that somebody else has', async () => {
    const [plain, limited] = [freshName('kind'), freshName('kind')];
    const name = await flow([plain, limited]);
    await site.lineshaft.workflows.putTask({ name: limited, concurrentExecLimit: 1 });
    // The counter is made by the first that comes under it.
    await start(name);
    await complete((await poll(plain))[0]);
    await complete((await poll(limited))[0]);
    await start(name);
    const [first] = await poll(plain);
    const stranger = await openStranger(site.url);
    await stranger.query(
      'select from lineshaft.counter where limit_id = (select id from lineshaft.limit where name = $1) for update',
      [`task.${limited}`],
    );
    const waiting = poll(limited);
    const reported = await complete(first);
    expect(reported?.step.status).toBe('COMPLETED');
    await stranger.query('commit');
    await stranger.end();
    const [second] = await waiting;
    await complete(second);
    await expectNothingInUse(site);
  });

  it('a run goes on although what is claimed beside it fails', async () => {
    const kind = freshName('kind');
    const runId = await start(await flow([kind, kind]));
    const [first] = await poll(kind);
    await site.rows(
      `create function lineshaft.refuse() returns trigger language plpgsql as
       $$ begin raise data_corrupted using message = 'no leases today'; end $$`,
    );
    await site.rows(
      'create trigger refuse before insert on lineshaft.job_lease for each row execute function lineshaft.refuse()',
    );
    const waiting = poll(kind);
    try {
      await complete(first);
      const { steps } = await site.lineshaft.workflows.show(runId);
      expect(steps.map(({ status }) => status)).toEqual(['COMPLETED', 'SCHEDULED']);
    } finally {
      await site.rows('drop function lineshaft.refuse() cascade');
    }
    const [second] = await waiting;
    expect(second?.step.ref).toBe('s1');
    await complete(second);
    const { run } = await site.lineshaft.workflows.show(runId);
    expect(run.status).toBe('COMPLETED');
  });

  it('two servers under two limits exceed none, lose nothing, and never lock each other out', async () => {
    const kinds = [freshName('kind'), freshName('kind')];
    for (const kind of kinds) await site.lineshaft.workflows.putTask({ name: kind, concurrentExecLimit: 2 });
    const servers = [site.other(), site.other()];
    const names = [await flow(kinds), await flow(kinds.toReversed())];
    const runs = await Promise.all(Array.from({ length: 40 }, (_, n) => start(names[n % 2] ?? '')));
    const now = new Map<string, number>();
    const done = new Set<string>();
    let most = 0;
    await Promise.all(
      Array.from({ length: 12 }, async (_, n) => {
        const kind = kinds[n % 2] ?? '';
        while (done.size < 80) {
          const polled = await poll(kind, { timeoutMs: 200, count: 2 }, servers[n % 3 === 0 ? 0 : 1]);
          now.set(kind, (now.get(kind) ?? 0) + polled.length);
          most = Math.max(most, now.get(kind) ?? 0);
          await new Promise((resolve) => setTimeout(resolve, 2));
          for (const each of polled) {
            expect(done.has(each.step.id)).toBe(false);
            done.add(each.step.id);
            now.set(kind, (now.get(kind) ?? 0) - 1);
            await complete(each, servers[n % 2]);
          }
        }
      }),
    );
    expect(most).toBe(2);
    for (const runId of runs) {
      const { run } = await site.lineshaft.workflows.show(runId, { steps: false });
      expect(run.status).toBe('COMPLETED');
    }
    await expectNothingInUse(site);
    const [row] = await site.rows<{ deadlocks: string }>(
      'select deadlocks from pg_stat_database where datname = current_database()',
    );
    expect(Number(row?.deadlocks)).toBe(0);
  });

  it('a poll whose time is over does not wait for a report that does not come to an end', async () => {
    const kind = freshName('kind');
    const runId = await start(await flow([kind, kind]));
    const [first] = await poll(kind);
    const waiting = poll(kind, { timeoutMs: 100 });
    const stranger = await openStranger(site.url);
    await stranger.query('select from lineshaft.run where id = $1 for update', [runId]);
    const reported = complete(first);
    expect(await waiting).toEqual([]);
    await stranger.query('commit');
    await stranger.end();
    await reported;
    // It was claimed for a poll that was over by then, and is there for others.
    const [second] = await poll(kind);
    expect(second?.step).toMatchObject({ ref: 's1', pollCount: 1 });
    await complete(second);
  });

  it('a client that is closed meanwhile hands out what was claimed', async () => {
    const kind = freshName('kind');
    const runId = await start(await flow([kind, kind]));
    const leaving = site.other();
    const [first] = await poll(kind, {}, leaving);
    const waiting = poll(kind, {}, leaving);
    const stranger = await openStranger(site.url);
    await stranger.query('select from lineshaft.run where id = $1 for update', [runId]);
    const reported = complete(first, leaving);
    await until('the report waits for the run', async () => {
      const [row] = await site.rows<{ n: number }>(
        "select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock' and query like '%apply_runs%'",
      );
      return row?.n === 1;
    });
    const closed = leaving.close();
    await stranger.query('commit');
    await stranger.end();
    await reported;
    const [second] = await waiting;
    await closed;
    expect(second?.step.ref).toBe('s1');
    await complete(second);
  });
});
