/** What a worker is never told of, it finds by itself: messages wake it, but nothing depends on them. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openSite, type Site, until, versions } from './site.ts';

describe.each(versions)('without a word, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  /** A worker that has looked around, found nothing, and has heard by heartbeats that nothing is there. */
  async function idle(queue: string): Promise<void> {
    const worker = await site.work(queue, { leaseMs: 6_000, handlers: { one: () => 'ran' } });
    await until('it leads', () => worker.metrics().leads);
    const beatAt = async (): Promise<string | undefined> => {
      const [row] = await site.rows<{ at: string }>(
        'select heartbeat_at::text as at from lineshaft.worker where worker_id = $1',
        [worker.id],
      );
      return row?.at;
    };
    for (let beats = 0; beats < 2; beats += 1) {
      const before = await beatAt();
      await until('its heart beats', async () => (await beatAt()) !== before);
    }
  }

  const ran = (ids: readonly string[]) => site.lineshaft.waitFor([...ids], { timeoutMs: 30_000 });

  test('jobs of a queue that wakes nobody', async () => {
    const queue = await site.queue({ wake: 'never' });
    await idle(queue);
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      const [row] = await site.rows<{ id: string }>(
        `select id from lineshaft.enqueue('one', 'null', jsonb_build_object('queue', $1::text))`,
        [queue],
      );
      ids.push(row?.id ?? '');
      expect(await ran(ids)).toHaveLength(ids.length);
    }
  }, 90_000);

  test('a job whose time was moved', async () => {
    const queue = await site.queue();
    await idle(queue);
    const { id } = await site.lineshaft.enqueue('one', null, { queue, delayMs: 3_600_000 });
    await site.rows(`update lineshaft.later set due = clock_timestamp() + interval '1 s'`);
    expect(await ran([id])).toMatchObject([{ output: 'ran' }]);
  }, 60_000);

  test('a paused queue whose time was moved', async () => {
    const queue = await site.queue();
    await idle(queue);
    await site.lineshaft.pauseQueue(queue, { until: new Date(Date.now() + 3_600_000) });
    const { id } = await site.lineshaft.enqueue('one', null, { queue });
    await site.rows(`update lineshaft.queue set resume_at = clock_timestamp() where state = 'paused'`);
    expect(await ran([id])).toMatchObject([{ output: 'ran' }]);
  }, 60_000);

  test('a schedule whose time was moved', async () => {
    const queue = await site.queue();
    await idle(queue);
    await site.lineshaft.schedule({ name: 'moved', cron: '0 0 1 1 *', kind: 'one', options: { queue } });
    await site.rows(
      `update lineshaft.schedule set next_tick = clock_timestamp(), next_due = clock_timestamp(), revision = revision + 1`,
    );
    await until('its job has run', async () => {
      const [row] = await site.rows<{ runs: string }>('select runs from lineshaft.schedule');
      return Number(row?.runs) > 0;
    });
  }, 60_000);
});
