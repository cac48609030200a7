import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Route, Session } from '../../packages/core/src/store/session.ts';
import { bindStatements } from '../../packages/core/src/store/statements.ts';
import { groupResults, type ResultGroup } from '../../packages/core/src/worker/completion-groups.ts';
import { HeldJob, Lease } from '../../packages/core/src/worker/held-job.ts';
import { QueueRuntime } from '../../packages/core/src/worker/queue-runtime.ts';
import { gate, openSite, openStranger, type Site, until, versions } from '../worker/site.ts';

const statements = bindStatements('lineshaft');

describe.each(versions)('statements that race, on PostgreSQL %i', (version) => {
  let site: Site;
  const sessions: Session[] = [];
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(async () => {
    await Promise.all(sessions.map((session) => session.close()));
    await site.close();
  });

  function session(): Session {
    const route = new Route({ databaseUrl: site.url, applicationName: 'race', statementTimeoutMs: 20_000 });
    const made = new Session(route, 'hot');
    sessions.push(made);
    return made;
  }

  /** A worker that nobody keeps alive has claimed some jobs of a new queue. */
  async function claimed(count: number) {
    const name = await site.queue();
    const made = await site.lineshaft.enqueueMany(
      Array.from({ length: count }, () => ({ kind: 'one', queue: name })),
    );
    const { queue } = await site.lineshaft.showQueue(name);
    const [lane] = await site.rows<{ id: number }>('select id from lineshaft.lane where queue_id = $1', [
      queue.id,
    ]);
    const hand = session();
    const values = [name, name, '0.0.0', '{*}', '{one}', '{}', 10, 60_000, '{}'];
    const [[worker = ''] = []] = (await hand.query(statements.registerWorker, values)) as string[][];
    const rows = await hand.query(statements.claimLane, [worker, lane?.id, count]);
    const lease = new Lease(rows[0]?.[0] ?? '', 0);
    const runtime = new QueueRuntime(queue);
    const jobs = rows.map((row) => {
      const at = {
        id: lane?.id ?? 0,
        queueId: queue.id,
        kind: 'one',
        requirements: [],
        pin: 'none',
        build: '',
        wants: {},
      } as const;
      return new HeldJob(row, lease, at, runtime);
    });
    lease.unsettled = jobs.length;
    await site.rows("update lineshaft.worker set lease_until = now() - interval '1 s' where id = $1", [
      worker,
    ]);
    return { queue: name, ids: made.map((each) => each.id), worker, jobs, hand };
  }

  /** The completion of these jobs, as the worker writes it. */
  function completion(jobs: readonly HeldJob[]): ResultGroup {
    const results = jobs.map((job) => ({
      job,
      ending: { type: 'succeeded', attempt: 1, outputText: '"done"' } as const,
      finishedMs: Date.now(),
      enqueue: [],
    }));
    const [group] = groupResults(results, { workerName: 'by hand', clockOffsetMs: 0 });
    if (group === undefined) throw new TypeError('jobs of one queue are one group');
    return group;
  }

  /** Where each job is, in how many places. */
  async function places(ids: readonly string[]): Promise<string[]> {
    const rows = await site.rows<{ places: string }>(
      `select concat_ws('+',
        (select string_agg('ready', '+') from lineshaft.ready r where r.job_id = t.id),
        (select 'leased' from lineshaft.lease l join lineshaft.job j on j.id = t.id
          where t.id = any (l.job_ids) and l.fences[array_position(l.job_ids, t.id)] = j.fence),
        (select 'dead' from lineshaft.dead d where d.job_id = t.id),
        (select string_agg('finished', '+') from lineshaft.history h where t.id = any (h.ids))
      ) as places
      from unnest($1::uuid[]) with ordinality as t (id, n) order by t.n`,
      [ids],
    );
    return rows.map((row) => row.places);
  }

  async function somebodyWaits(): Promise<void> {
    await until('one waits for the other', async () => {
      const text =
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
      return (await site.rows(text)).length > 0;
    });
  }

  test('a job whose place is moved while a claim is on its way to it stays for the next one', async () => {
    const { ids, worker, jobs, hand } = await claimed(1);
    await hand.query(statements.returnLeases, [worker, null]);
    expect(await places(ids)).toEqual(['ready']);
    // The claim, held up where it has its snapshot and has read nothing.
    const { text } = statements.claimLane;
    const heldUp = text
      .replace('with picked as', 'with held as materialized (select pg_advisory_xact_lock(4711)), picked as')
      .replace(
        'where r.lane = $2::integer',
        'where r.lane = $2::integer and (select count(*) from held) = 1',
      );
    expect(heldUp.length).toBeGreaterThan(text.length + 80);
    await using stranger = await openStranger(site.url);
    await stranger.query('select pg_advisory_lock(4711)');
    const claiming = hand.query({ name: '', text: heldUp }, [worker, jobs[0]?.lane.id, 1]);
    await somebodyWaits();
    // As the re-prioritiser does it.
    await site.rows('update lineshaft.ready set priority = priority + 1 where job_id = any ($1)', [ids]);
    await stranger.query('select pg_advisory_unlock(4711)');
    expect(await claiming).toEqual([]);
    expect(await places(ids)).toEqual(['ready']);
  });

  test('a batch that is completed first is never revived by a rescue that had begun', async () => {
    const { ids, worker, jobs, hand } = await claimed(3);
    const group = completion(jobs);
    const written = gate();
    const commit = gate();
    const completing = hand.transaction(async (run) => {
      await run(group.statement(statements), group.values());
      written.open();
      await commit.opened;
    });
    await written.opened;
    const rescuing = session().query(statements.rescue, [worker, 3]);
    await somebodyWaits();
    commit.open();
    await completing;
    expect(await rescuing).toEqual([['0', '0', '{}']]);
    expect(await places(ids)).toEqual(['finished', 'finished', 'finished']);
  });

  test('of a batch that is completed in part the rest is rescued, and only the rest', async () => {
    const { ids, worker, jobs, hand } = await claimed(3);
    const done = jobs.slice(0, 2);
    const left = jobs[2]?.jobId ?? '';
    const group = completion(done);
    const written = gate();
    const commit = gate();
    const completing = hand.transaction(async (run) => {
      await run(group.statement(statements), group.values());
      written.open();
      await commit.opened;
    });
    await written.opened;
    const rescuing = session().query(statements.rescue, [worker, 3]);
    await somebodyWaits();
    commit.open();
    await completing;
    expect(await rescuing).toEqual([['1', '0', `{${left}}`]]);
    expect(await places(ids)).toEqual(ids.map((id) => (id === left ? 'ready' : 'finished')));
  });

  test('a batch that is rescued first is not completed by a write that came too late', async () => {
    const { ids, worker, jobs, hand } = await claimed(3);
    const group = completion(jobs);
    const rescued = gate();
    const commit = gate();
    const rescuing = session().transaction(async (run) => {
      const rows = await run(statements.rescue, [worker, 3]);
      rescued.open();
      await commit.opened;
      return rows;
    });
    await rescued.opened;
    const completing = hand.query(group.statement(statements), group.values());
    const refused = expect(completing).rejects.toMatchObject({ code: 'LEASE_LOST' });
    await somebodyWaits();
    commit.open();
    expect(await rescuing).toMatchObject([['3', '0', expect.any(String)]]);
    await refused;
    expect(await places(ids)).toEqual(['ready', 'ready', 'ready']);
    for (const id of ids)
      expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'ready', rescued: 1 });
  });

  test('a worker that is being rescued claims nothing', async () => {
    const { queue, worker, hand } = await claimed(1);
    const { id } = await site.lineshaft.enqueue('one', null, { queue });
    const [lane] = await site.rows<{ lane: number }>('select lane from lineshaft.job where id = $1', [id]);
    const rescued = gate();
    const commit = gate();
    const rescuing = session().transaction(async (run) => {
      await run(statements.rescue, [worker, 3]);
      rescued.open();
      await commit.opened;
    });
    await rescued.opened;
    const claiming = hand.query(statements.claimLane, [worker, lane?.lane, 10]);
    const refused = expect(claiming).rejects.toMatchObject({ details: { sqlstate: '23503' } });
    await somebodyWaits();
    commit.open();
    await rescuing;
    await refused;
    expect(await places([id])).toEqual(['ready']);
  });

  test('a job is cancelled once, whether its worker completes it at the same moment or not', async () => {
    const { ids, jobs, hand } = await claimed(2);
    const stranger = await openStranger(site.url);
    await stranger.query(`select * from lineshaft.cancel($1, 'no')`, [[ids[0]]]);
    const group = completion(jobs);
    const completing = hand.query(group.statement(statements), group.values());
    const refused = expect(completing).rejects.toMatchObject({ code: 'LEASE_LOST' });
    await somebodyWaits();
    await stranger.query('commit');
    await refused;
    await stranger.end();
    expect(await places(ids)).toEqual(['finished', 'leased']);
    expect((await site.lineshaft.showJob(ids[0] ?? '')).state).toBe('cancelled');
  });

  test('two processes that promote the same due jobs move each of them once', async () => {
    const queue = await site.queue();
    const requests = Array.from({ length: 50 }, () => ({ kind: 'one', queue, delayMs: 1 }));
    const ids = (await site.lineshaft.enqueueMany(requests)).map((made) => made.id);
    await until('they are due', async () => {
      const [row] = await site.rows<{ due: boolean }>(
        'select max(due) < clock_timestamp() as due from lineshaft.later',
      );
      return row?.due;
    });
    const moved = gate();
    const commit = gate();
    const first = session().transaction(async (run) => {
      const rows = await run(statements.promote, [20]);
      moved.open();
      await commit.opened;
      return rows;
    });
    await moved.opened;
    const second = await session().query(statements.promote, [1_000]);
    commit.open();
    expect([Number((await first)[0]?.[0]), Number(second[0]?.[0])]).toEqual([20, 30]);
    expect(await session().query(statements.promote, [1_000])).toMatchObject([['0', null]]);
    expect(await places(ids)).toEqual(ids.map(() => 'ready'));
  });

  test('a job that comes due at the moment of its cancel was waiting, and leaves nothing behind', async () => {
    const queue = await site.queue();
    const { id } = await site.lineshaft.enqueue('one', null, { queue, delayMs: 1 });
    await until('it is due', async () => {
      const [row] = await site.rows<{ due: boolean }>(
        'select due < clock_timestamp() as due from lineshaft.job where id = $1',
        [id],
      );
      return row?.due;
    });
    const promoting = session();
    let cancelled: Promise<unknown> = Promise.resolve();
    await promoting.transaction(async (run) => {
      await run(statements.promote, [1_000]);
      cancelled = site.lineshaft.cancel([id]);
      await until('the cancel waits', async () => {
        const [row] = await site.rows<{ n: string }>(
          "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and query like '%cancel%'",
        );
        return Number(row?.n) > 0;
      });
    });
    expect(await cancelled).toEqual([{ id, result: 'cancelled' }]);
    expect(await site.rows('select 1 from lineshaft.ready where job_id = $1', [id])).toEqual([]);
  });

  test('a claim and a cancel of one waiting job end with one of them', async () => {
    const name = await site.queue();
    const { id } = await site.lineshaft.enqueue('one', null, { queue: name });
    const [lane] = await site.rows<{ lane: number }>('select lane from lineshaft.job where id = $1', [id]);
    const hand = session();
    const values = [name, name, '0.0.0', '{*}', '{one}', '{}', 10, 60_000, '{}'];
    const [[worker = ''] = []] = (await hand.query(statements.registerWorker, values)) as string[][];
    const took = gate();
    const commit = gate();
    const claiming = hand.transaction(async (run) => {
      const rows = await run(statements.claimLane, [worker, lane?.lane, 1]);
      took.open();
      await commit.opened;
      return rows;
    });
    await took.opened;
    const cancelling = site.lineshaft.cancel([id]);
    await somebodyWaits();
    commit.open();
    expect(await claiming).toHaveLength(1);
    expect(await cancelling).toEqual([{ id, result: 'running' }]);
    expect(await places([id])).toEqual(['finished']);
  });
});
