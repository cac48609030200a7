/** What workers hear of jobs that were enqueued in a transaction of the caller's. */

import { expect, test } from 'vitest';
import { until } from '../worker/site.ts';
import type { CallerSite, Library } from './caller.ts';

/** `opened` gives the site that the tests around have opened. */
export function wakingConformance(library: Library, opened: () => CallerSite): void {
  test('a commit brings the job with the row of the caller, and wakes a worker', async () => {
    const { accounts, caller, site } = opened();
    const { lineshaft } = site;
    const queue = await site.queue({ pollingIntervalMs: 60_000 });
    const done: unknown[] = [];
    await site.work(queue, { handlers: { greet: (payload: unknown) => void done.push(payload) } });
    // The worker finds nothing and goes to sleep; of the first job it has yet to learn the lane.
    for (const round of [1, 2, 3]) {
      const startedMs = performance.now();
      await caller.inTransaction(async ({ transaction, addAccount }) => {
        await addAccount(`greeted ${round}`);
        const { id, result } = await lineshaft.within(transaction).enqueue('greet', { round }, { queue });
        expect(result).toBe('new');
        await expect(lineshaft.showJob(id)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
      });
      await until(`job ${round} has run`, () => done.length === round, 5_000);
      expect(performance.now() - startedMs).toBeLessThan(5_000);
      expect(await accounts(`greeted ${round}`)).toBe(1);
    }
    expect(done).toEqual([{ round: 1 }, { round: 2 }, { round: 3 }]);
  });

  test('workers hear of it as the queue wants: `auto`, `always`, `never`', async () => {
    const { caller, site, wakesOf } = opened();
    const { lineshaft } = site;
    const queues = await Promise.all(
      (['auto', 'always', 'never'] as const).map((wake) => site.queue({ wake })),
    );
    for (const queue of queues) {
      await caller.inTransaction(async ({ transaction }) => {
        await lineshaft.within(transaction).enqueue('greet', null, { queue });
        expect(await wakesOf(queue)).toEqual([]);
      });
    }
    const [auto = '', always = '', never = ''] = queues;
    expect((await wakesOf(auto)).map((payload) => payload[0])).toEqual([library.tellsOfCommit ? 'r' : 'a']);
    expect((await wakesOf(always)).map((payload) => payload[0])).toEqual(['a']);
    expect(await wakesOf(never)).toEqual([]);
  });

  test('many enqueues in one transaction, and many transactions at once, all wake', async () => {
    const { caller, site } = opened();
    const { lineshaft } = site;
    const queue = await site.queue({ pollingIntervalMs: 60_000 });
    const done = new Set<number>();
    await site.work(queue, { handlers: { greet: (n: number) => void done.add(n) } });
    const warnings: Error[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning);
    process.on('warning', onWarning);
    await Promise.all(
      [0, 1, 2, 3].map((connection) =>
        caller.inTransaction(async ({ transaction }) => {
          for (let n = 0; n < 15; n += 1) {
            await lineshaft.within(transaction).enqueue('greet', connection * 15 + n, { queue });
          }
        }),
      ),
    );
    await until('all have run', () => done.size === 60, 5_000);
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  test('in a nested transaction: woken after the outer commit', async () => {
    const { caller, site } = opened();
    const { lineshaft } = site;
    const queue = await site.queue({ pollingIntervalMs: 60_000 });
    const done: unknown[] = [];
    await site.work(queue, { handlers: { greet: (payload: unknown) => void done.push(payload) } });
    await caller.inNested(async ({ transaction }) => {
      await lineshaft.within(transaction).enqueue('greet', 'nested', { queue });
    });
    await until('it has run', () => done.length === 1, 5_000);
  });
}
