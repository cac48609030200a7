/**
 * Limits against a model: random declarations, jobs, claims, ends and deaths of two workers. After each step no limit is
 * exceeded and nobody overtakes in a FIFO key; in the end every job has run, and no counter says otherwise.
 */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bindStatements } from '../../packages/core/src/store/statements.ts';
import { freshName, openSite, type Site, versions } from '../worker/site.ts';
import { expectNothingInUse } from './ledger.ts';

const statements = bindStatements('lineshaft');

interface Running {
  readonly id: string;
  readonly lease: string;
  readonly fence: number;
}

type Step =
  | { readonly do: 'declare'; readonly limit: number; readonly concurrency: number }
  | {
      readonly do: 'enqueue';
      readonly key: number;
      readonly costs: readonly [number, number];
      readonly fifo: boolean;
    }
  | {
      readonly do: 'claim';
      readonly worker: number;
      readonly room: number;
      readonly lanes: number;
      readonly careful: boolean;
    }
  | { readonly do: 'cancel'; readonly which: number }
  | {
      readonly do: 'end';
      readonly worker: number;
      readonly which: number;
      readonly how: 'done' | 'later' | 'ready' | 'dead';
    }
  | { readonly do: 'rescue'; readonly worker: number };

const worker = fc.integer({ min: 0, max: 1 });
const steps = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant('declare' as const),
      limit: fc.integer({ min: 0, max: 1 }),
      concurrency: fc.integer({ min: 0, max: 5 }),
    }),
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('enqueue' as const),
        key: fc.integer({ min: 0, max: 2 }),
        costs: fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 3 })),
        fifo: fc.boolean(),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('claim' as const),
        worker,
        room: fc.integer({ min: 1, max: 6 }),
        lanes: fc.integer({ min: 1, max: 6 }),
        careful: fc.boolean(),
      }),
    },
    fc.record({ do: fc.constant('cancel' as const), which: fc.nat({ max: 9 }) }),
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('end' as const),
        worker,
        which: fc.nat({ max: 9 }),
        how: fc.constantFrom('done' as const, 'later' as const, 'ready' as const, 'dead' as const),
      }),
    },
    fc.record({ do: fc.constant('rescue' as const), worker }),
  ),
  { minLength: 20, maxLength: 60 },
);

/** Room was made for a lane whose only job is cancelled before anybody claims it: it is the next lane's. */
const cancelledInTurn: Step[] = [
  { do: 'declare', limit: 0, concurrency: 1 },
  ...[0, 1, 2].map((key): Step => ({ do: 'enqueue', key, costs: [1, 1], fifo: false })),
  { do: 'claim', worker: 0, room: 6, lanes: 6, careful: true },
  { do: 'end', worker: 0, which: 0, how: 'done' },
  { do: 'cancel', which: 0 },
];

/** The limits of one run, two workers, and what each is known to run. */
class Model {
  private readonly site: Site;
  private readonly queue: string;
  private readonly names = [freshName('one'), freshName('two'), freshName('fifo')] as const;
  private readonly grants = [3, 2];
  private readonly workers = ['0', '0'];
  private readonly running: Running[][] = [[], []];
  /** What each job takes: [limit, key, cost]. */
  private readonly costs = new Map<string, readonly (readonly [number, string, number])[]>();
  /** Per FIFO key the jobs that are not final, in their order. */
  private readonly order = new Map<string, string[]>();

  constructor(site: Site, queue: string) {
    this.site = site;
    this.queue = queue;
  }

  async start(): Promise<void> {
    const [one, two, fifo] = this.names;
    await this.site.lineshaft.declareLimit({ name: one, concurrency: 3 });
    await this.site.lineshaft.declareLimit({ name: two, concurrency: 2, key: 'given' });
    await this.site.lineshaft.declareLimit({ name: fifo, fifo: true, key: 'given' });
    for (const at of [0, 1]) await this.register(at);
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case 'declare':
        this.grants[step.limit] = step.concurrency;
        await this.site.lineshaft.declareLimit({
          name: this.names[step.limit] ?? '',
          concurrency: step.concurrency,
        });
        return;
      case 'enqueue':
        return await this.enqueue(`k${step.key}`, step.costs, step.fifo);
      case 'claim':
        await this.claim(step.worker, step.room, step.lanes, step.careful);
        return;
      case 'cancel':
        return await this.cancel(step.which);
      case 'end': {
        const mine = this.running[step.worker] ?? [];
        const [job] = mine.splice(step.which % Math.max(mine.length, 1), 1);
        if (job !== undefined) await this.end(job, step.how, mine);
        return;
      }
      case 'rescue':
        return await this.rescue(step.worker);
    }
  }

  /** Ends all that runs and claims the rest; a job that nobody can reach keeps this from ending. */
  async drain(): Promise<void> {
    // Not where it is not needed: a declaration judges all that waits anew.
    for (const limit of [0, 1])
      if (this.grants[limit] === 0) await this.take({ do: 'declare', limit, concurrency: 2 });
    for (let idle = 0; this.costs.size > 0; ) {
      let moved = 0;
      for (const at of [0, 1]) {
        for (const mine = this.running[at] ?? []; ; ) {
          const job = mine.pop();
          if (job === undefined) break;
          await this.end(job, 'done', mine);
        }
        moved += await this.claim(at, 50, 50, false);
      }
      idle = moved === 0 ? idle + 1 : 0;
      if (idle > 3) throw new Error(`${this.costs.size} jobs are stranded`);
    }
    for (const id of this.workers)
      await this.site.rows('delete from lineshaft.lease where worker = $1', [id]);
  }

  private async register(at: number): Promise<void> {
    const [row] = await this.site.rows<{ id: string }>(
      `insert into lineshaft.worker (worker_id, name, build, tags, kinds, queues, slots, lease_ms, lease_until)
       values ($1, 'model', '1', '{}', '{work}', '{}', 100, 3600000, now() + interval '1 hour') returning id::text`,
      [freshName('model')],
    );
    this.workers[at] = row?.id ?? '';
  }

  private async enqueue(key: string, costs: readonly [number, number], inOrder: boolean): Promise<void> {
    const [one, two, fifo] = this.names;
    const under = [
      { limit: one, cost: costs[0] },
      { limit: two, key, cost: costs[1] },
    ];
    const all = inOrder ? [...under, { limit: fifo, key }] : under;
    const { id } = await this.site.lineshaft.enqueue('work', {}, { queue: this.queue, under: all });
    this.costs.set(id, [
      [0, '', costs[0]],
      [1, key, costs[1]],
    ]);
    if (inOrder) this.order.set(key, [...(this.order.get(key) ?? []), id]);
  }

  private async claim(at: number, room: number, lanes: number, careful: boolean): Promise<number> {
    await this.site.rows(statements.promote.text, [1_000]);
    const rows = await this.site.rows<{ lease: string | null; id: string; rest: readonly unknown[] | null }>(
      `select c.lease::text, c.id, c.rest from lineshaft.claim_keyed($1, array(
         select l.id from lineshaft.lane l join lineshaft.queue q on q.id = l.queue_id where q.name = $2 and l.id > 0
       ), array(
         select 1 from lineshaft.lane l join lineshaft.queue q on q.id = l.queue_id where q.name = $2 and l.id > 0
       ), array[$3::integer], $4, $5) c`,
      [this.workers[at], this.queue, room, lanes, careful],
    );
    const before = this.inUse();
    for (const { lease, id, rest } of rows) {
      if (lease === null) continue;
      this.running[at]?.push({ id, lease, fence: Number(rest?.[0] ?? 0) });
    }
    this.judge(before);
    return rows.length - 1;
  }

  /** What runs now, by limit and key: how many jobs, and what they take. */
  private inUse(): Map<string, { jobs: number; cost: number }> {
    const sums = new Map<string, { jobs: number; cost: number }>();
    for (const { id } of this.running.flat()) {
      for (const [limit, key, cost] of this.costs.get(id) ?? []) {
        const name = `${limit} ${key}`;
        const sum = sums.get(name) ?? { jobs: 0, cost: 0 };
        sums.set(name, { jobs: sum.jobs + 1, cost: sum.cost + cost });
      }
    }
    return sums;
  }

  private judge(before: ReadonlyMap<string, { jobs: number; cost: number }>): void {
    for (const [name, { jobs, cost }] of this.inUse()) {
      // What ran before a limit was lowered goes on; what costs more than there is goes alone.
      if (cost === before.get(name)?.cost) continue;
      const most = this.grants[Number(name.split(' ')[0])] ?? 0;
      expect(most, name).toBeGreaterThan(0);
      if (jobs > 1) expect(cost, name).toBeLessThanOrEqual(most);
    }
    const runs = new Set(this.running.flat().map(({ id }) => id));
    for (const jobs of this.order.values()) expect(jobs.slice(1).filter((id) => runs.has(id))).toEqual([]);
  }

  private async end(
    job: Running,
    how: 'done' | 'later' | 'ready' | 'dead',
    left: readonly Running[],
  ): Promise<void> {
    const finished = left.some(({ lease }) => lease === job.lease) ? '{}' : `{${job.lease}}`;
    if (how === 'done') {
      await this.site.rows(statements.forgetKeyed.text, [
        `{${job.lease}}`,
        `{${job.id}}`,
        `{${job.fence}}`,
        finished,
      ]);
    } else {
      const move = {
        id: job.id,
        fence: job.fence,
        to: how,
        attempt: 1,
        delay: 0,
        reason: how === 'dead' ? 'attempts' : 'r',
      };
      await this.site.rows(statements.settleKeyed.text, [
        `{${job.lease}}`,
        finished,
        JSON.stringify([{ ...move, keep: 1_000 }]),
      ]);
    }
    if (how === 'later' || how === 'ready') return;
    this.forget(job.id);
  }

  /** One that waits goes, also if room was just kept or freed for it. */
  private async cancel(which: number): Promise<void> {
    const runs = new Set(this.running.flat().map(({ id }) => id));
    const waiting = [...this.costs.keys()].filter((id) => !runs.has(id));
    const id = waiting[which % Math.max(waiting.length, 1)];
    if (id === undefined) return;
    await this.site.lineshaft.cancel([id], 'not wanted');
    this.forget(id);
  }

  private forget(id: string): void {
    this.costs.delete(id);
    for (const [key, jobs] of this.order)
      this.order.set(
        key,
        jobs.filter((other) => other !== id),
      );
  }

  private async rescue(at: number): Promise<void> {
    const id = this.workers[at];
    await this.site.rows(`update lineshaft.worker set lease_until = now() - interval '1 s' where id = $1`, [
      id,
    ]);
    await this.site.rows('select lineshaft.rescue($1, 1000)', [id]);
    this.running[at]?.splice(0);
    await this.register(at);
  }
}

describe.each(versions)('PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  it('is never over, and strands nobody', async () => {
    const property = fc.asyncProperty(steps, async (list) => {
      const model = new Model(site, await site.queue());
      await model.start();
      for (const step of list) await model.take(step);
      await model.drain();
      await expectNothingInUse(site);
    });
    await fc.assert(property, { numRuns: 30, endOnFailure: true, examples: [[cancelledInTurn]] });
  });
});
