/** Jobs that a process enqueues while its own worker is idle go to it with the commit that writes them. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { gate, openSite, type Site, until, versions } from './site.ts';

describe.each(versions)('PostgreSQL %s', (version) => {
  let site: Site;

  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  /** Enqueues until a job was handed over: the worker must have heard of the lane, and be done with the job before. */
  async function warmUp(queue: string): Promise<void> {
    await until('the worker is handed jobs', async () => {
      const { id } = await site.lineshaft.enqueue('work', { warm: true }, { queue });
      const [row] = await site.rows<{ handed: boolean }>(
        'select exists (select from lineshaft.lease l where $1 = any (l.job_ids) and cardinality(l.job_ids) = 1) as handed',
        [id],
      );
      await site.lineshaft.waitFor([id]);
      return row?.handed;
    });
  }

  it('are leased as they are written, without a claim, and run once', async () => {
    const queue = await site.queue();
    const hold = gate();
    const ran: unknown[] = [];
    const worker = await site.work(queue, {
      handlers: {
        work: async (payload: { warm?: boolean; n?: number }) => {
          if (payload.warm) return;
          ran.push(payload.n);
          await hold.opened;
        },
      },
    });
    await warmUp(queue);
    const before = worker.metrics().claims;
    const { id } = await site.lineshaft.enqueue('work', { n: 1 }, { queue });
    const [row] = await site.rows(
      `select (select count(*)::integer from lineshaft.ready where job_id = $1) as ready,
         (select array_agg(w.worker_id) from lineshaft.lease l join lineshaft.worker w on w.id = l.worker
          where $1 = any (l.job_ids)) as held_by`,
      [id],
    );
    expect(row).toEqual({ ready: 0, held_by: [worker.id] });
    expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'running' });
    expect(worker.metrics().claims).toBe(before);
    hold.open();
    const [job] = await site.lineshaft.waitFor([id]);
    expect(job).toMatchObject({ id, state: 'succeeded' });
    expect(ran).toEqual([1]);
  });

  it('wait their turn behind what others have enqueued before', async () => {
    const queue = await site.queue({ concurrency: 1 });
    const other = site.other();
    const started: number[] = [];
    await site.work(queue, {
      handlers: {
        work: (payload: { warm?: boolean; n?: number }) => {
          if (!payload.warm) started.push(payload.n ?? -1);
        },
      },
    });
    await warmUp(queue);
    const ids: string[] = [];
    for (let n = 0; n < 120; n += 1) {
      const by = n % 3 === 1 ? other : site.lineshaft;
      ids.push((await by.enqueue('work', { n }, { queue })).id);
    }
    await site.lineshaft.waitFor(ids);
    expect(started).toEqual(Array.from({ length: 120 }, (_, n) => n));
  });

  it('are not handed over in a queue that was paused before its worker heard of it', async () => {
    const queue = await site.queue();
    const worker = await site.work(queue, { handlers: { work: () => {} } });
    await warmUp(queue);
    // Behind the worker's back, without the message that tells of it.
    await site.rows(`update lineshaft.queue set state = 'paused' where name = $1`, [queue]);
    const before = worker.metrics().claims;
    const { id } = await site.lineshaft.enqueue('work', {}, { queue });
    await until('the worker asks for it', () => worker.metrics().claims > before);
    await site.lineshaft.resumeQueue(queue);
    await site.lineshaft.waitFor([id]);
  });

  it('go the ordinary way when the worker was taken for dead, and run once', async () => {
    const queue = await site.queue();
    const ran: string[] = [];
    const worker = await site.work(queue, {
      handlers: { work: (_: unknown, job) => void ran.push(job.id) },
    });
    await warmUp(queue);
    const gone = new Promise<void>((resolve) => worker.once('disowned', () => resolve()));
    await site.rows('delete from lineshaft.worker where worker_id = $1', [worker.id]);
    const { id } = await site.lineshaft.enqueue('work', {}, { queue });
    await gone;
    await site.lineshaft.waitFor([id]);
    expect(ran.filter((each) => each === id)).toEqual([id]);
  });

  it('are not lost when the worker stops at that moment', async () => {
    const queue = await site.queue();
    const ran: string[] = [];
    const handlers = { work: (_: unknown, job: { id: string }) => void ran.push(job.id) };
    const ids: string[] = [];
    for (let round = 0; round < 8; round += 1) {
      const worker = await site.work(queue, { handlers });
      await warmUp(queue);
      const sent = Array.from({ length: 5 }, async () => {
        for (let n = 0; n < 3; n += 1) ids.push((await site.lineshaft.enqueue('work', {}, { queue })).id);
      });
      await worker.stop();
      await Promise.all(sent);
    }
    await site.work(queue, { handlers });
    await site.lineshaft.waitFor(ids);
    expect(ids.filter((id) => ran.filter((each) => each === id).length !== 1)).toEqual([]);
  });
});
