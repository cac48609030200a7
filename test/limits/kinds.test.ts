/** The concurrency of a kind: how many of its jobs one worker runs at once, of whichever queues, also under limits. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { defineKinds } from '../../packages/core/src/index.ts';
import { freshName, openSite, type Site, versions } from '../worker/site.ts';
import { expectNothingInUse, Ledger } from './ledger.ts';

describe.each(versions)('PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version, {
      kinds: defineKinds<{ render: object; plain: object }>({ render: { concurrency: 3 } }),
    });
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  it.each([false, true])(
    'holds on each worker and leaves other kinds alone; under a limit: %s',
    async (limited) => {
      const queues = [await site.queue({ concurrency: 20 }), await site.queue({ concurrency: 20 })];
      if (limited) await site.lineshaft.declareLimit({ name: freshName('wide'), concurrency: 15, queues });
      const ledger = new Ledger();
      for (const at of ['a', 'b']) {
        const busy = (kind: string) => () =>
          ledger.during([`${at} ${kind}`], 1, () => new Promise((resolve) => setTimeout(resolve, 10)));
        await site.work(queues, { handlers: { render: busy('render'), plain: busy('plain') }, slots: 20 });
      }
      const jobs = await site.lineshaft.enqueueMany(
        Array.from({ length: 160 }, (_, n) => ({
          kind: n % 2 === 0 ? 'render' : 'plain',
          payload: {},
          queue: queues[n % 3 === 0 ? 0 : 1] ?? '',
        })),
      );
      const finished = await site.lineshaft.waitFor(
        jobs.map(({ id }) => id),
        { timeoutMs: 60_000 },
      );
      expect(finished.every(({ state }) => state === 'succeeded')).toBe(true);
      for (const at of ['a', 'b']) expect(ledger.most(`${at} render`)).toBeLessThanOrEqual(3);
      expect(ledger.most('a plain') + ledger.most('b plain')).toBeGreaterThan(3);
      if (limited) await expectNothingInUse(site);
    },
  );
});
