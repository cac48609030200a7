/** Limits of how many run at once: exact under races, shared, several to a job, and freed room is used at once. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fromPg } from '../../packages/core/src/adapters/pg.ts';
import {
  eventOf,
  freshName,
  gate,
  openSite,
  openStranger,
  type Site,
  until,
  versions,
} from '../worker/site.ts';
import { expectNothingInUse, Ledger } from './ledger.ts';

describe.each(versions)('PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  it('is never exceeded by eight workers that race, with a limit over all and one per key', async () => {
    const queue = await site.queue();
    const all = freshName('all');
    const perKey = freshName('key');
    await site.lineshaft.declareLimit({ name: all, concurrency: 7, queues: [queue] });
    await site.lineshaft.declareLimit({
      name: perKey,
      concurrency: 2,
      key: { payload: 'key' },
      queues: [queue],
    });
    const ledger = new Ledger();
    const handlers = {
      work: async ({ key }: { key: string }) => {
        await ledger.during(
          ['all', key],
          1,
          () => new Promise((resolve) => setTimeout(resolve, Math.random() * 8)),
        );
      },
    };
    const jobs = await site.lineshaft.enqueueMany(
      Array.from({ length: 400 }, (_, n) => ({ kind: 'work', queue, payload: { key: `k${n % 9}` } })),
    );
    for (let n = 0; n < 8; n += 1) await site.work(queue, { handlers, slots: 10 });
    const finished = await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 60_000 },
    );
    expect(finished.every(({ state }) => state === 'succeeded')).toBe(true);
    expect(ledger.most('all')).toBeLessThanOrEqual(7);
    expect(ledger.most('all')).toBeGreaterThan(3);
    for (let k = 0; k < 9; k += 1) expect(ledger.most(`k${k}`)).toBeLessThanOrEqual(2);
    await expectNothingInUse(site);
  });

  it('is shared by queues and kinds, and takes what each job costs', async () => {
    const [one, two] = [await site.queue(), await site.queue()];
    const licence = freshName('licence');
    await site.lineshaft.declareLimit({ name: licence, concurrency: 6 });
    const ledger = new Ledger();
    const busy = (cost: number) => () =>
      ledger.during(['licence'], cost, () => new Promise((resolve) => setTimeout(resolve, 5)));
    const handlers = { cheap: busy(1), dear: busy(4), huge: busy(6) };
    const requests = Array.from({ length: 120 }, (_, n) => {
      const kind = (['cheap', 'dear', 'huge'] as const)[n % 3] ?? 'cheap';
      // What costs more than there is runs alone.
      const cost = { cheap: 1, dear: 4, huge: 9 }[kind];
      return { kind, queue: n % 2 === 0 ? one : two, payload: {}, under: [{ limit: licence, cost }] };
    });
    const jobs = await site.lineshaft.enqueueMany(requests);
    for (let n = 0; n < 3; n += 1) await site.work([one, two], { handlers, slots: 10 });
    await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 60_000 },
    );
    expect(ledger.most('licence')).toBeLessThanOrEqual(6);
    expect(ledger.most('licence')).toBeGreaterThan(4);
    await expectNothingInUse(site);
  });

  it('gives freed room at once to a worker that waits', async () => {
    const [one, two] = [await site.queue(), await site.queue()];
    const api = freshName('api');
    await site.lineshaft.declareLimit({ name: api, concurrency: 1 });
    const hold = gate();
    const started = gate();
    const first = await site.lineshaft.enqueue('hold', {}, { queue: one, under: [api] });
    await site.work(one, {
      handlers: {
        hold: () => {
          started.open();
          return hold.opened;
        },
      },
    });
    await started.opened;
    // This worker polls so seldom that only a wake can bring it the job.
    const patient = await site.work(two, { handlers: { other: () => 'done' }, pollingIntervalMs: 3_600_000 });
    const second = await site.lineshaft.enqueue('other', {}, { queue: two, under: [api] });
    await until('the job is parked', async () =>
      (await site.lineshaft.showLimit(api)).counters.some(({ parkedLanes }) => parkedLanes === 1),
    );
    const finished = eventOf(patient, 'finished');
    hold.open();
    await finished;
    expect((await site.lineshaft.waitFor([first.id, second.id])).map(({ state }) => state)).toEqual([
      'succeeded',
      'succeeded',
    ]);
    await expectNothingInUse(site);
  });

  it('does not wait for a stranger who has enqueued under the same new key and keeps his transaction open', async () => {
    const queue = await site.queue();
    const tenant = freshName('tenant');
    await site.lineshaft.declareLimit({
      name: tenant,
      concurrency: 2,
      key: { payload: 'id' },
      queues: [queue],
    });
    await site.work(queue, { handlers: { work: () => 1 } });
    await using stranger = await openStranger(site.url);
    await stranger.query(`select * from lineshaft.enqueue('work', '{"id": "acme"}', $1)`, [
      JSON.stringify({ queue }),
    ]);
    const { id } = await site.lineshaft.enqueue('work', { id: 'acme' }, { queue });
    const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 20_000 });
    expect(job?.state).toBe('succeeded');
    await stranger.query('commit');
    await until('his job is done too', async () => {
      const [{ left } = { left: 1 }] = await site.rows<{ left: number }>(
        `select count(*)::integer as left from lineshaft.job j join lineshaft.lane l on l.id = j.lane
         join lineshaft.queue q on q.id = l.queue_id where q.name = $1`,
        [queue],
      );
      return left === 0;
    });
  });

  it('holds for jobs that waited before it was declared, and changes while they run', async () => {
    const queue = await site.queue({ concurrency: 50 });
    const jobs = await site.lineshaft.enqueueMany(
      Array.from({ length: 60 }, (_, n) => ({ kind: 'work', queue, payload: { n } })),
    );
    const name = freshName('late');
    await site.lineshaft.declareLimit({ name, concurrency: 0, queues: [queue] });
    const ledger = new Ledger();
    let hold = gate();
    let begun = 0;
    const handlers = {
      work: () =>
        ledger.during(['all'], 1, async () => {
          begun += 1;
          await hold.opened;
        }),
    };
    await site.work(queue, { handlers, slots: 50 });
    await until(
      'all are parked',
      async () => (await site.lineshaft.showLimit(name)).counters[0]?.parkedLanes === 1,
    );
    expect(begun).toBe(0);
    await site.lineshaft.declareLimit({ name, concurrency: 3 });
    await until('three run', () => begun === 3);
    await site.lineshaft.declareLimit({ name, concurrency: 8 });
    await until('eight run', () => begun === 8);
    expect(ledger.most('all')).toBe(8);
    await site.lineshaft.declareLimit({ name, concurrency: 2 });
    hold.open();
    hold = gate();
    hold.open();
    await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 60_000 },
    );
    expect(ledger.most('all')).toBe(8);
    await expectNothingInUse(site);
  });

  it('opens as many lanes as there is room for, where keys share a limit', async () => {
    const queue = await site.queue();
    const perKey = freshName('key');
    const all = freshName('all');
    const key = { payload: 'key' };
    await site.lineshaft.declareLimit({ name: perKey, concurrency: 1, key, queues: [queue] });
    await site.lineshaft.declareLimit({ name: all, concurrency: 2, queues: [queue] });
    const gates = new Map(['a', 'b', 'c'].map((each) => [each, gate()]));
    const running: string[] = [];
    const handlers = {
      work: async (payload: { key: string }) => {
        running.push(payload.key);
        await gates.get(payload.key)?.opened;
      },
    };
    const jobs = await site.lineshaft.enqueueMany(
      ['a', 'a', 'b', 'b', 'c', 'c'].map((each) => ({ kind: 'work', queue, payload: { key: each } })),
    );
    const worker = await site.work(queue, { handlers, slots: 10, graceMs: 60_000 });
    const places = async (): Promise<string[]> => {
      const rows = await site.rows<{ place: string }>(
        `select k.key || ' in ' || coalesce(m.name, 'turn') as place
        from lineshaft.lane l
        cross join lateral unnest(l.keys) as k (key)
        left join lineshaft.parked p on p.lane = l.id
        left join lineshaft.limit m on m.id = p.limit_id
        where k.key <> '' and (select id from lineshaft.limit where name = $1) = any (l.limits)
          and (p.lane is not null or exists (select from lineshaft.turn t where t.lane = l.id))
        order by 1`,
        [perKey],
      );
      return rows.map(({ place }) => place);
    };
    await until('two run', async () => running.length === 2 && (await places()).length === 3);
    const [first = '', second = ''] = running;
    const third = [...gates.keys()].find((each) => !running.includes(each)) ?? '';
    const stopped = worker.stop();
    gates.get(first)?.open();
    await until('one has ended', async () => (await places()).includes(`${third} in turn`));
    // The third has waited longest. That of the first has room under its key, but none is left for it under the other.
    expect(await places()).toEqual(
      [`${first} in ${all}`, `${second} in ${perKey}`, `${third} in turn`].sort(),
    );
    for (const each of gates.values()) each.open();
    await stopped;
    await site.work(queue, { handlers, slots: 10 });
    await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 60_000 },
    );
    await expectNothingInUse(site);
  });

  it('has jobs that end together written in small portions while others wait for their room', async () => {
    const queue = await site.queue({ concurrency: 40 });
    await site.lineshaft.declareLimit({ name: freshName('all'), concurrency: 20, queues: [queue] });
    const hold = gate();
    let begun = 0;
    const handlers = {
      work: async () => {
        begun += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
        await hold.opened;
      },
    };
    const jobs = await site.lineshaft.enqueueMany(
      Array.from({ length: 60 }, (_, n) => ({ kind: 'work', queue, payload: { n } })),
    );
    await site.work(queue, { handlers, slots: 40 });
    await until('there is no more room', () => begun === 20);
    hold.open();
    await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 60_000 },
    );
    const [row] = await site.rows<{ most: number; all: number }>(
      `select max(cardinality(h.ids)) as most, sum(cardinality(h.ids))::integer as all
      from lineshaft.history h where h.ids && $1::uuid[]`,
      [jobs.map(({ id }) => id)],
    );
    expect(row?.all).toBe(60);
    // A quarter of what waits, or four.
    expect(row?.most).toBeLessThanOrEqual(5);
    await expectNothingInUse(site);
  });

  it('holds for plain jobs that come in a transaction of the caller', async () => {
    const queue = await site.queue({ concurrency: 20 });
    const name = freshName('tx');
    await site.lineshaft.declareLimit({ name, concurrency: 2, queues: [queue] });
    const ledger = new Ledger();
    const handlers = {
      work: () => ledger.during(['all'], 1, () => new Promise((resolve) => setTimeout(resolve, 5))),
    };
    await site.work(queue, { handlers, slots: 20 });
    await using caller = await openStranger(site.url);
    const within = site.lineshaft.within(fromPg(caller));
    const jobs = await within.enqueueMany(
      Array.from({ length: 40 }, (_, n) => ({ kind: 'work', queue, payload: { n } })),
    );
    await caller.query('commit');
    await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 60_000 },
    );
    expect(ledger.most('all')).toBe(2);
    await expectNothingInUse(site);
  });

  it('lets everything go when it is deleted', async () => {
    const queue = await site.queue({ concurrency: 50 });
    const name = freshName('closed');
    await site.lineshaft.declareLimit({ name, concurrency: 0, queues: [queue] });
    await site.work(queue, { handlers: { work: () => 1 } });
    const jobs = await site.lineshaft.enqueueMany(
      Array.from({ length: 30 }, (_, n) => ({ kind: 'work', queue, payload: { n } })),
    );
    await until(
      'they are parked',
      async () => (await site.lineshaft.showLimit(name)).counters[0]?.parkedLanes === 1,
    );
    await site.lineshaft.deleteLimit(name);
    await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 60_000 },
    );
    await expect(site.lineshaft.showLimit(name)).rejects.toMatchObject({ code: 'LIMIT_NOT_FOUND' });
  });

  it('is freed by jobs that fail, snooze, are cancelled while they run or while they wait', async () => {
    const queue = await site.queue({ backoff: { type: 'fixed', delayMs: 50, jitter: 0 }, maxAttempts: 2 });
    const name = freshName('one');
    await site.lineshaft.declareLimit({ name, concurrency: 1, queues: [queue] });
    const started = gate();
    let snoozed = false;
    const handlers = {
      fails: () => {
        throw new Error('as told');
      },
      snoozes: (_: unknown, job: { snooze(delayMs: number): never }) => {
        if (snoozed) return 'awake';
        snoozed = true;
        return job.snooze(30);
      },
      hangs: (_: unknown, job: { signal: AbortSignal }) =>
        new Promise<void>((resolve) => {
          started.open();
          job.signal.addEventListener('abort', () => resolve());
        }),
      ends: () => 'done',
    };
    const waits = await site.lineshaft.enqueue('ends', {}, { queue, delayMs: 3_600_000 });
    const fails = await site.lineshaft.enqueue('fails', {}, { queue });
    const snoozes = await site.lineshaft.enqueue('snoozes', {}, { queue });
    const hangs = await site.lineshaft.enqueue('hangs', {}, { queue });
    const ends = await site.lineshaft.enqueue('ends', {}, { queue });
    await site.work(queue, { handlers });
    await started.opened;
    await site.lineshaft.cancel([waits.id, hangs.id], 'not wanted');
    const finished = await site.lineshaft.waitFor([fails.id, snoozes.id, hangs.id, ends.id], {
      timeoutMs: 30_000,
    });
    expect(finished.map(({ state }) => state)).toEqual(['failed', 'succeeded', 'cancelled', 'succeeded']);
    await expectNothingInUse(site);
  });
});
