/** One job for each tick: with several schedulers at work, and with leaders that are killed or stand still. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Outlook } from '../../packages/core/src/services/outlook.ts';
import { createScheduler } from '../../packages/core/src/services/scheduler.ts';
import { Loop } from '../../packages/core/src/services/service.ts';
import { Route, Session } from '../../packages/core/src/store/session.ts';
import { bindStatements } from '../../packages/core/src/store/statements.ts';
import { systemClock } from '../../packages/core/src/system-clock.ts';
import { endWorkerProcesses, startWorkerProcess, type WorkerProcess } from '../faults/worker-processes.ts';
import { openSite, type Site, until, versions } from '../worker/site.ts';

const schedules = 100;

describe.each(versions)('one job for each tick, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
    // Nobody serves it: what was enqueued stays there to be counted.
    await site.lineshaft.declare({ name: 'kept', tags: ['for=nobody'] });
  });
  afterAll(() => site.close());
  afterEach(endWorkerProcesses);

  /** Makes schedules that tick each second. */
  async function declare(): Promise<void> {
    await site.rows('truncate lineshaft.schedule, lineshaft.job, lineshaft.ready');
    await site.rows(
      `select lineshaft.declare_schedule('s' || n,
        '{"cron": "* * * * * *", "kind": "job", "options": {"queue": "kept"}}', json_build_object('n', n))
       from generate_series(1, $1::integer) n`,
      [schedules],
    );
  }

  /** Waits until each schedule has made so many jobs. */
  const made = (least: number): Promise<unknown> =>
    until(
      `${least} runs of each`,
      async () => {
        const [row] = await site.rows<{ least: string }>('select min(runs) as least from lineshaft.schedule');
        return Number(row?.least) >= least;
      },
      60_000,
    );

  /** What must be: each schedule has its ticks without a gap, each once, and counts them right. */
  async function expectEachOnce(): Promise<void> {
    const wrong = await site.rows(
      `with tick as (
        select options #>> '{labels,schedule}' as name, (options #>> '{meta,schedule,tick}')::timestamptz as at
        from lineshaft.job
      ),
      counted as (
        select name, count(*) as jobs, count(distinct at) as ticks, extract(epoch from max(at) - min(at)) + 1 as seconds
        from tick group by name
      )
      select s.name, s.runs, c.* from lineshaft.schedule s left join counted c on c.name = s.name
      where c.jobs is distinct from s.runs or c.ticks <> c.jobs or c.seconds <> c.jobs or s.missed + s.skipped <> 0`,
    );
    expect(wrong).toEqual([]);
  }

  test('three schedulers that all believe that they lead', async () => {
    await declare();
    const [{ term } = { term: '0' }] = await site.rows<{ term: string }>(
      `select l.term from lineshaft.lead('main', 1, 600000) l`,
    );
    const statements = bindStatements('lineshaft');
    const route = new Route({ databaseUrl: site.url, applicationName: 'race', statementTimeoutMs: 60_000 });
    const errors: unknown[] = [];
    const racers = Array.from({ length: 3 }, () => {
      const session = new Session(route, 'hot');
      const service = createScheduler({
        clock: systemClock,
        leadership: { term },
        internals: {
          statements,
          batchSession: session,
          outlook: new Outlook(systemClock, () => session.query(statements.outlook)),
          steps: { startScheduled: async () => 0 },
        },
        onMessage: () => {},
        loop: (options) =>
          new Loop({
            ...options,
            name: 'racer',
            clock: systemClock,
            onError: (_name, error) => errors.push(error),
          }),
      });
      return { session, service };
    });
    for (const { service } of racers) service.start();
    await made(5);
    for (const { service, session } of racers) {
      await service.stop();
      await session.close();
    }
    expect(errors).toEqual([]);
    await expectEachOnce();
    await site.rows(`delete from lineshaft.leader`);
  });

  test('leaders that are killed, or stand still and wake as leaders of yesterday', {
    timeout: 120_000,
  }, async () => {
    await declare();
    const options = { queues: [], leaseMs: 3_000, heartbeatMs: 500 };
    const processes: WorkerProcess[] = [];
    const start = async (): Promise<void> => {
      processes.push(await startWorkerProcess(site.url, options));
    };
    await Promise.all([start(), start(), start()]);
    const dead = new Set<number>();
    const leading = (): Promise<WorkerProcess> =>
      until(
        'another leads',
        async () => {
          const leaders = (await site.lineshaft.workers()).filter(({ leads, expired }) => leads && !expired);
          return processes.find(
            ({ pid }) => !dead.has(pid) && leaders.some(({ workerId }) => workerId.includes(`-${pid}-`)),
          );
        },
        30_000,
      );
    await made(1);
    // At points all over the second, so before, in and after the writing of a batch.
    for (const [place, delayMs] of [0, 130, 390, 610, 740, 870].entries()) {
      const leader = await leading();
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      dead.add(leader.pid);
      if (place % 2 === 0) {
        leader.kill('SIGKILL');
        await start();
      } else {
        leader.kill('SIGSTOP');
        await leading();
        leader.kill('SIGCONT');
        dead.delete(leader.pid);
      }
    }
    const [row] = await site.rows<{ runs: string }>('select max(runs) as runs from lineshaft.schedule');
    await made(Number(row?.runs) + 2);
    await endWorkerProcesses();
    await expectEachOnce();
  });
});
