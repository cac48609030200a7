import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobContext, Lineshaft, Worker } from '../../packages/core/src/index.ts';
import { openSite, type Site, until, versions } from '../worker/site.ts';

/** Numbers that look random and are the same each time: mulberry32. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const kinds = ['good', 'flaky', 'sleepy', 'quitter', 'hopeless', 'parent'] as const;
const jobs = 600;
const faults = 25;

describe.each(versions)('real workers under random faults, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  test('every job that was acknowledged ends as it should, and nothing is left behind', async () => {
    const random = randomNumbers(version);
    const below = (limit: number): number => Math.floor(random() * limit);
    const queue = await site.queue({
      maxAttempts: 3,
      backoff: { type: 'fixed', delayMs: 5, jitter: 1 },
      pollingIntervalMs: 200,
    });
    const runs = new Map<string, number>();
    const children: string[] = [];
    const ran = (job: JobContext): number => {
      runs.set(job.id, (runs.get(job.id) ?? 0) + 1);
      return runs.get(job.id) ?? 0;
    };
    const handlers = {
      good: async (ms: number, job: JobContext) => {
        ran(job);
        await new Promise((resolve) => setTimeout(resolve, ms));
        return 'good';
      },
      flaky: (_payload: unknown, job: JobContext) => {
        ran(job);
        if (job.attempt === 1) throw new Error('once');
      },
      sleepy: (_payload: unknown, job: JobContext) => {
        if (ran(job) === 1) job.snooze(5);
      },
      quitter: (_payload: unknown, job: JobContext) => job.cancel('enough'),
      hopeless: () => {
        throw new Error('never');
      },
      parent: (_payload: unknown, job: JobContext) => {
        ran(job);
        job.enqueue('child', job.id, { queue });
      },
      child: (parent: string) => void children.push(parent),
    };
    const clients = [1, 2, 3].map((n) => site.other({ applicationName: `worker ${n}` }));
    const workers: Worker[] = [];
    const startOne = async (client: Lineshaft): Promise<void> => {
      const worker = client.worker({
        queues: [queue],
        signals: false,
        leaseMs: 2_000,
        heartbeatMs: 100,
        graceMs: 50,
        maxRescues: 100,
        handlers,
      });
      workers.push(worker);
      await worker.start();
    };
    for (const client of clients) await startOne(client);

    const cancelled = new Set<string>();
    const acknowledged = new Map<string, (typeof kinds)[number]>();
    const faultTypes: readonly (() => Promise<unknown>)[] = [
      () =>
        site.rows('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [
          `worker ${1 + below(3)}`,
        ]),
      () =>
        site
          .rows(
            `with one as (
            update lineshaft.worker set lease_until = now() - interval '1 s'
            where id = (select id from lineshaft.worker order by id limit 1 offset $1) returning id
          ) select id from one`,
            [below(3)],
          )
          .then((rows) =>
            Promise.all(rows.map((row) => site.rows('select lineshaft.rescue($1, 100)', [row['id']]))),
          ),
      async () => {
        await site.lineshaft.pauseQueue(queue);
        await site.lineshaft.resumeQueue(queue);
      },
      async () => {
        const id = [...acknowledged.keys()][below(acknowledged.size)];
        if (id === undefined) return;
        const [change] = await site.lineshaft.cancel([id], 'by the storm');
        if (change?.result === 'cancelled' || change?.result === 'running') cancelled.add(id);
      },
      async () => {
        await workers[below(workers.length)]?.stopNow();
        const client = clients[below(clients.length)];
        if (client !== undefined) await startOne(client);
      },
    ];
    for (let n = 0; n < faults; n += 1) {
      const requests = Array.from({ length: jobs / faults }, (_, place) => ({
        kind: kinds[(n + place) % kinds.length] ?? 'good',
        queue,
        payload: below(3),
        priority: below(3),
      }));
      const made = await site.lineshaft.enqueueMany(requests);
      for (const [place, { id }] of made.entries()) acknowledged.set(id, requests[place]?.kind ?? 'good');
      await faultTypes[below(faultTypes.length)]?.();
    }
    if (workers.length > 0) await startOne(clients[0] ?? site.lineshaft);
    const finished = await site.lineshaft.waitFor([...acknowledged.keys()], { timeoutMs: 20_000 });

    const expected = {
      good: 'succeeded',
      flaky: 'succeeded',
      sleepy: 'succeeded',
      parent: 'succeeded',
      quitter: 'cancelled',
      hopeless: 'failed',
    };
    for (const job of finished) {
      const kind = acknowledged.get(job.id) ?? 'good';
      expect([kind, job.state]).toEqual([kind, cancelled.has(job.id) ? 'cancelled' : expected[kind]]);
    }
    const succeeded = finished.filter(
      (job) => job.state === 'succeeded' && acknowledged.get(job.id) === 'parent',
    );
    await until('all children ran', () => succeeded.every((job) => children.includes(job.id)));
    await Promise.all(workers.map((worker) => worker.stop()));
    const [left] = await site.rows(
      `select (select count(*)::integer from lineshaft.ready) as ready,
        (select count(*)::integer from lineshaft.later) as later,
        (select count(*)::integer from lineshaft.lease) as leases,
        (select count(*)::integer from lineshaft.blocked) as blocked,
        (
          select count(*)::integer from lineshaft.job j
          where not exists (select from lineshaft.dead d where d.job_id = j.id)
        ) as jobs`,
    );
    expect(left).toEqual({ ready: 0, later: 0, leases: 0, blocked: 0, jobs: 0 });
    const twice = await site.rows(
      'select id from lineshaft.history h cross join unnest(h.ids) id group by id having count(*) > 1',
    );
    expect(twice).toEqual([]);
    const parents = await site.rows<{ parent: string }>(
      `select e.line::json ->> 7 as parent
      from lineshaft.history h cross join unnest(string_to_array(h.entries, e'\\n')) as e (line)
      join lineshaft.lane l on l.id = (e.line::json ->> 0)::integer where l.kind = 'child'`,
    );
    expect(parents.map((row) => row.parent).sort()).toEqual(succeeded.map((job) => job.id).sort());
  });
});
