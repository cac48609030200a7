/** Limits of how many start in a time, of their order, and of whose turn it is. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { freshName, gate, openSite, type Site, until, versions } from '../worker/site.ts';
import { expectNothingInUse, Ledger } from './ledger.ts';

describe.each(versions)('PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  it('starts no more in a time than its tokens allow, by however many workers', async () => {
    const queue = await site.queue({ concurrency: 50 });
    const name = freshName('rate');
    await site.lineshaft.declareLimit({
      name,
      rate: { amount: 20, perMs: 500, burst: 5 },
      queues: [queue],
    });
    const starts: number[] = [];
    const handlers = { work: () => void starts.push(performance.now()) };
    for (let n = 0; n < 3; n += 1) await site.work(queue, { handlers });
    const jobs = await site.lineshaft.enqueueMany(
      Array.from({ length: 45 }, () => ({ kind: 'work', queue, payload: {} })),
    );
    await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 60_000 },
    );
    // 5 at once, and the other 40 at 40 a second: the first and the last are at least a second apart, less what a claim takes.
    const first = starts[0] ?? 0;
    for (const [place, at] of starts.entries()) {
      expect(at - first).toBeGreaterThan(((place - 5) / 40) * 1_000 - 300);
    }
    await expectNothingInUse(site);
  });

  it('keeps the jobs of a key in order, also when they are tried again and snooze', async () => {
    const queue = await site.queue({ concurrency: 20, backoff: { type: 'fixed', delayMs: 20, jitter: 0 } });
    const name = freshName('fifo');
    await site.lineshaft.declareLimit({ name, fifo: true, key: { payload: 'key' }, queues: [queue] });
    const done: Record<string, number[]> = {};
    const ledger = new Ledger();
    const again = new Set<string>();
    const work = ({ key, n }: { key: string; n: number }, job: JobContext): Promise<void> =>
      ledger.during([key], 1, async () => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
        const once = `${key}-${n}`;
        if (n % 3 === 0 && job.attempt === 1) throw new Error('again');
        if (n % 4 === 0 && !again.has(once)) {
          again.add(once);
          job.snooze(15);
        }
        done[key] = [...(done[key] ?? []), n];
      });
    // Of two kinds, so that a key has several lanes.
    const handlers = { work, other: work };
    const jobs = await site.lineshaft.enqueueMany(
      Array.from({ length: 120 }, (_, n) => ({
        kind: n % 2 === 0 ? 'work' : 'other',
        queue,
        payload: { key: `k${n % 5}`, n },
      })),
    );
    for (let n = 0; n < 4; n += 1) await site.work(queue, { handlers, slots: 10 });
    await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 90_000 },
    );
    for (let k = 0; k < 5; k += 1) {
      expect(ledger.most(`k${k}`)).toBe(1);
      expect(done[`k${k}`]).toEqual(Array.from({ length: 24 }, (_, place) => place * 5 + k));
    }
    await expectNothingInUse(site);
  });

  it('holds the key of a job that waits for its next attempt, and frees it when the job is cancelled', async () => {
    const queue = await site.queue({ backoff: { type: 'fixed', delayMs: 3_600_000, jitter: 0 } });
    const name = freshName('hold');
    await site.lineshaft.declareLimit({ name, fifo: true, key: { label: 'key' }, queues: [queue] });
    const failed = gate();
    const handlers = {
      fails: () => {
        failed.open();
        throw new Error('as told');
      },
      works: () => 'done',
    };
    const options = { queue, labels: { key: 'a' } };
    const first = await site.lineshaft.enqueue('fails', {}, options);
    const second = await site.lineshaft.enqueue('works', {}, options);
    await site.work(queue, { handlers });
    await failed.opened;
    await until(
      'it waits for its next attempt',
      async () => (await site.lineshaft.showJob(first.id)).state === 'retrying',
    );
    expect((await site.lineshaft.showJob(second.id)).state).toBe('ready');
    await site.lineshaft.cancel([first.id], 'not wanted');
    const [job] = await site.lineshaft.waitFor([second.id], { timeoutMs: 20_000 });
    expect(job?.state).toBe('succeeded');
    await expectNothingInUse(site);
  });

  it('closes a key for everybody while the other side wants it so, and takes no attempt for it', async () => {
    const queue = await site.queue({ concurrency: 10 });
    const name = freshName('api');
    await site.lineshaft.declareLimit({ name, concurrency: 1, key: { payload: 'host' }, queues: [queue] });
    const starts: { host: string; at: number; attempt: number }[] = [];
    let told = false;
    const handlers = {
      call: async ({ host }: { host: string }, job: JobContext) => {
        starts.push({ host, at: performance.now(), attempt: job.attempt });
        if (host !== 'slow' || told) return;
        told = true;
        await site.lineshaft.throttleLimit(name, { key: 'slow', forMs: 700 });
        job.snooze(0);
      },
    };
    const hosts = ['slow', 'slow', 'slow', 'quick', 'quick'];
    const jobs = await site.lineshaft.enqueueMany(
      hosts.map((host) => ({ kind: 'call', queue, payload: { host } })),
    );
    await site.work(queue, { handlers });
    await site.work(queue, { handlers });
    await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 30_000 },
    );
    const slow = starts.filter(({ host }) => host === 'slow');
    expect(slow).toHaveLength(4);
    expect(slow.every(({ attempt }) => attempt === 1)).toBe(true);
    expect((slow[1]?.at ?? 0) - (slow[0]?.at ?? 0)).toBeGreaterThan(650);
    await expectNothingInUse(site);
  });

  it('gives each key its turn, by weight, whatever others have waiting', async () => {
    const queue = await site.queue({ concurrency: 4 });
    const name = freshName('fair');
    await site.lineshaft.declareLimit({
      name,
      fair: true,
      key: { payload: 'tenant' },
      tiers: [{ keys: 'gold*', weight: 3 }],
      queues: [queue],
    });
    const ends: string[] = [];
    const handlers = {
      work: async ({ tenant }: { tenant: string }) => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        ends.push(tenant);
      },
    };
    const of = (
      tenant: string,
      count: number,
    ): { kind: string; queue: string; payload: { tenant: string } }[] =>
      Array.from({ length: count }, () => ({ kind: 'work', queue, payload: { tenant } }));
    const jobs = await site.lineshaft.enqueueMany([...of('big', 600), ...of('small', 20), ...of('gold', 60)]);
    await site.work(queue, { handlers });
    await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 60_000 },
    );
    // Of five turns small has one, big one and gold three: all small ones are done after about a hundred.
    expect(ends.lastIndexOf('small')).toBeLessThan(200);
    expect(ends.lastIndexOf('gold')).toBeLessThan(200);
    await expectNothingInUse(site);
  });
});
