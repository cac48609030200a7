/** Jobs under limits are seen where jobs are listed, counted, explained and deleted, also in thousands of keyed lanes. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { look, wrong } from '../../packages/core/src/testing/doctor.ts';
import { freshName, gate, openSite, openStranger, type Site, until, versions } from '../worker/site.ts';

const keys = 10_000;

describe.each(versions)('PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  it('lists and counts jobs of keyed lanes in every state', async () => {
    const queue = await site.queue({ concurrency: 4 });
    const name = freshName('seen');
    await site.lineshaft.declareLimit({ name, concurrency: 1, key: { payload: 'key' }, queues: [queue] });
    const hold = gate();
    const handlers = {
      hold: () => hold.opened,
      fail: () => Promise.reject(new Error('as told')),
      snooze: (_: unknown, job: JobContext) => job.snooze(3_600_000),
    };
    const [running, waiting] = await site.lineshaft.enqueueMany(
      [1, 2].map(() => ({ kind: 'hold', payload: { key: 'a' }, queue })),
    );
    const failed = await site.lineshaft.enqueue('fail', { key: 'b' }, { queue, maxAttempts: 1 });
    const retried = await site.lineshaft.enqueue(
      'fail',
      { key: 'c' },
      { queue, backoff: { type: 'fixed', delayMs: 3_600_000 } },
    );
    const snoozed = await site.lineshaft.enqueue('snooze', { key: 'd' }, { queue });
    await site.work(queue, { handlers });
    const expected = [
      [running?.id, 'running'],
      [waiting?.id, 'ready'],
      [failed.id, 'failed'],
      [retried.id, 'retrying'],
      [snoozed.id, 'scheduled'],
    ];
    await until('each is where it belongs', async () => {
      const found = new Map((await site.lineshaft.listJobs({ queue })).map(({ id, state }) => [id, state]));
      return expected.every(([id, state]) => found.get(id ?? '') === state);
    });
    for (const [id, state] of expected) {
      const found = await site.lineshaft.listJobs({ queue, state: state as 'ready' });
      expect(found.map((job) => job.id)).toEqual([id]);
      expect(found[0]).toMatchObject({ queue });
    }
    const { lanes } = await site.lineshaft.showQueue(queue);
    const sum = (field: 'ready' | 'later' | 'running' | 'failed'): number =>
      lanes.reduce((all, lane) => all + lane[field], 0);
    expect([sum('ready'), sum('later'), sum('running'), sum('failed')]).toEqual([1, 2, 1, 1]);
    hold.open();
    await site.lineshaft.waitFor([running?.id ?? '', waiting?.id ?? '']);
    await site.rest();
    await site.lineshaft.deleteQueue(queue, { purge: true });
  });

  it('shows twin lanes, as callers make them at the same time, as one', async () => {
    const queue = await site.queue();
    await site.lineshaft.enqueue('work', {}, { queue });
    await site.rows(
      `insert into lineshaft.lane (queue_id, kind, requirements, pin, build, wants, attached)
       select l.queue_id, l.kind, l.requirements, l.pin, l.build, l.wants, l.attached
       from lineshaft.lane l join lineshaft.queue q on q.id = l.queue_id where q.name = $1`,
      [queue],
    );
    // Half of what waits moves to the twin, as if another caller had put it there.
    await site.lineshaft.enqueue('work', {}, { queue });
    await site.rows(
      `with moved as (
         update lineshaft.job j set lane = (select max(l.id) from lineshaft.lane l)
         where j.seq = (select max(seq) from lineshaft.job) returning j.seq, j.lane
       )
       update lineshaft.ready r set lane = m.lane from moved m where m.seq = r.seq`,
    );
    const { lanes } = await site.lineshaft.showQueue(queue);
    expect(lanes).toMatchObject([{ kind: 'work', ready: 2 }]);
    await site.lineshaft.deleteQueue(queue, { purge: true });
  });

  it(`sees ${keys} keyed lanes, and other jobs beside them, and deletes all with their queue`, async () => {
    const [queue, other] = [await site.queue(), await site.queue()];
    const name = freshName('many');
    await site.lineshaft.declareLimit({ name, concurrency: 1, key: { payload: 'key' }, queues: [queue] });
    const send = (when: { delayMs?: number }) =>
      site.lineshaft.enqueueMany(
        Array.from({ length: keys }, (_, n) => ({ kind: 'work', payload: { key: `k${n}` }, queue, ...when })),
      );
    await send({});
    await send({ delayMs: 3_600_000 });
    const plain = await site.lineshaft.enqueue('work', {}, { queue: other });
    const { lanes } = await site.lineshaft.showQueue(queue);
    expect(lanes).toHaveLength(1);
    expect(lanes[0]).toMatchObject({ kind: 'work', ready: keys, later: keys });
    expect(await site.lineshaft.listJobs({ queue, limit: 1_000 })).toHaveLength(1_000);
    expect(await site.lineshaft.listJobs({ queue, state: 'scheduled', limit: 10 })).toHaveLength(10);
    const listed = await site.lineshaft.listJobs({ queue: other });
    expect(listed.map(({ id }) => id)).toEqual([plain.id]);
    // Nobody serves either queue: that is told of both, however many lanes the first has.
    for (const asked of [{ queue }, { queue: other }, { kind: 'work' }]) {
      const { reasons } = await site.lineshaft.why(asked);
      expect(reasons.map(({ code }) => code)).toContain('queue-unserved');
      expect(reasons.length).toBeLessThan(5);
    }
    await using client = await openStranger(site.url);
    const told = JSON.stringify(wrong(await look(client)));
    expect(told).toContain(queue);
    expect(told).toContain(other);
    await client.query('rollback');
    await expect(site.lineshaft.deleteQueue(queue)).rejects.toMatchObject({ code: 'QUEUE_NOT_EMPTY' });
    await site.lineshaft.deleteQueue(queue, { purge: true });
    const [left] = await site.rows(
      `select (select count(*) from lineshaft.job where lane < 0)::integer as jobs,
         (select count(*) from lineshaft.ready where lane < 0)::integer as ready,
         (select count(*) from lineshaft.later where lane < 0)::integer as later,
         (select count(*) from lineshaft.turn)::integer as turns,
         (select count(*) from lineshaft.parked)::integer as parked,
         (select count(*) from lineshaft.lane l left join lineshaft.queue q on q.id = l.queue_id
          where q.id is null)::integer as lanes`,
    );
    expect(left).toEqual({ jobs: 0, ready: 0, later: 0, turns: 0, parked: 0, lanes: 0 });
  });

  it('moves what comes due next without reading all that is later, which is read after a change', async () => {
    const queue = await site.queue();
    const name = freshName('moved');
    const far = await site.lineshaft.enqueue('work', {}, { queue, delayMs: 3_600_000 });
    const near = await site.lineshaft.enqueue('work', {}, { queue, delayMs: 3_600_000 });
    await site.lineshaft.declareLimit({ name, concurrency: 1, queues: [queue] });
    const lanesOf = async () =>
      (
        await site.rows<{ keyed: boolean }>(
          'select lane < 0 as keyed from lineshaft.job where id = any ($1::uuid[]) order by id <> $2',
          [[far.id, near.id], far.id],
        )
      ).map(({ keyed }) => keyed);
    expect(await lanesOf()).toEqual([true, true]);
    // As if both had run meanwhile: they are back in the lane in which they were.
    await site.rows(
      `with back as (
         update lineshaft.job j
         set lane = lineshaft.base_of(j.lane), due = case when j.id = $2 then clock_timestamp() + interval '3 s' else j.due end
         where j.id = any ($1::uuid[])
         returning j.id, j.lane, j.due
       )
       update lineshaft.later w set lane = b.lane, due = b.due from back b where w.job_id = b.id`,
      [[far.id, near.id], near.id],
    );
    await site.rows('select lineshaft.relane(100, false)');
    expect(await lanesOf()).toEqual([false, true]);
    await site.rows('select lineshaft.relane(100, true)');
    expect(await lanesOf()).toEqual([true, true]);
  });
});
