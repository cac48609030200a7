/** Unique keys live in an index of the database: they hold in bulk, and for callers side by side. */

import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fromPg } from '../../packages/core/src/adapters/pg.ts';
import type { EnqueueResult, Lineshaft } from '../../packages/core/src/index.ts';
import { openSite, type Site, until, versions } from '../worker/site.ts';

function shuffled<Item>(items: readonly Item[]): Item[] {
  const mixed = [...items];
  for (let place = mixed.length - 1; place > 0; place -= 1) {
    const other = Math.floor(Math.random() * (place + 1));
    [mixed[place], mixed[other]] = [mixed[other] as Item, mixed[place] as Item];
  }
  return mixed;
}

describe.each(versions)('unique keys, on PostgreSQL %i', (version) => {
  let site: Site;
  let lineshaft: Lineshaft;
  beforeAll(async () => {
    site = await openSite(version);
    lineshaft = site.lineshaft;
  });
  afterAll(() => site.close());

  /** Keys of which some sort differently in other collations. */
  const keysOf = (prefix: string, count: number): string[] =>
    Array.from({ length: count }, (_, n) => `${'aBäZ_-é~'[n % 8]}${prefix}${n}`);

  /** Of each key exactly one answer is `new`, and all others name that job. */
  const expectOneNew = (
    answers: readonly { key: string; result: EnqueueResult }[],
    keys: readonly string[],
  ): void => {
    const first = new Map<string, string>();
    for (const { key, result } of answers) {
      if (result.result !== 'new') continue;
      expect(first.has(key), `second new job of ${key}`).toBe(false);
      first.set(key, result.id);
    }
    expect(new Set(first.keys())).toEqual(new Set(keys));
    for (const { key, result } of answers) expect(result.id).toBe(first.get(key));
  };

  test('20 clients enqueue the same 50 keys in bulk, in orders of their own: one new job each', async () => {
    const clients = Array.from({ length: 20 }, () => site.other());
    for (let round = 0; round < 3; round += 1) {
      const keys = keysOf(`bulk${round}-`, 50);
      const answers = await Promise.all(
        clients.map(async (client, number) => {
          const mine = shuffled(keys);
          const results = await client.enqueueMany(
            mine.map((key, n) => ({ kind: `kind${(number + n) % 5}`, payload: number, unique: { key } })),
          );
          return results.map((result, place) => ({ key: mine[place] ?? '', result }));
        }),
      );
      expectOneNew(answers.flat(), keys);
    }
    await Promise.all(clients.map((client) => client.close()));
  });

  test('20 clients enqueue the same 50 keys one by one', async () => {
    const clients = Array.from({ length: 20 }, () => site.other());
    const keys = keysOf('single', 50);
    const answers = await Promise.all(
      clients.flatMap((client) =>
        shuffled(keys).map(async (key) => ({
          key,
          result: await client.enqueue('once', 1, { unique: { key } }),
        })),
      ),
    );
    expectOneNew(answers, keys);
    await Promise.all(clients.map((client) => client.close()));
  });

  test('20 transactions enqueue the same 2,000 keys in batches: no deadlock', async () => {
    const keys = keysOf('within', 2_000);
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const client = new pg.Client({ connectionString: site.url });
        await client.connect();
        const mine = shuffled(keys);
        await client.query('begin');
        const results = await lineshaft
          .within(fromPg(client))
          .enqueueMany(mine.map((key) => ({ kind: 'once', unique: { key } })));
        await client.query('commit');
        await client.end();
        return results.map((result, place) => ({ key: mine[place] ?? '', result }));
      }),
    );
    expectOneNew(answers.flat(), keys);
  });

  test('replacing side by side while workers claim: no error, and no job twice', async () => {
    const queue = await site.queue();
    const ran = new Map<string, number>();
    await site.work(queue, {
      handlers: {
        once: (_: unknown, job: { id: string }) => void ran.set(job.id, (ran.get(job.id) ?? 0) + 1),
      },
    });
    const keys = keysOf('replaced', 20);
    const clients = Array.from({ length: 8 }, () => site.other());
    const results = await Promise.all(
      clients.flatMap((client) =>
        Array.from({ length: 10 }, () =>
          client.enqueueMany(
            shuffled(keys).map((key) => ({
              kind: 'once',
              queue,
              unique: { key, onConflict: 'replace' as const },
            })),
          ),
        ),
      ),
    );
    const made = new Set(
      results
        .flat()
        .filter((result) => result.result === 'new')
        .map((result) => result.id),
    );
    await lineshaft.waitFor([...made], { timeoutMs: 10_000 });
    expect(new Set(ran.keys())).toEqual(made);
    expect([...ran.values()].every((times) => times === 1)).toBe(true);
    await Promise.all(clients.map((client) => client.close()));
  });

  test('a batch with the same key twice makes one job, and answers for both', async () => {
    const unique = { key: 'twice in a batch' };
    const [first, second] = await lineshaft.enqueueMany([
      { kind: 'once', payload: 1, unique },
      { kind: 'once', payload: 2, unique },
    ]);
    expect(first?.result).toBe('new');
    expect(second).toEqual({ id: first?.id, result: 'kept' });
  });

  test('jobs of a batch stay in their order, keys or not', async () => {
    const queue = await site.queue();
    await lineshaft.enqueueMany(
      Array.from({ length: 100 }, (_, n) => ({
        kind: 'order',
        payload: n,
        queue,
        ...(n % 3 === 0 ? { unique: { key: `order ${(n * 7) % 100}` } } : {}),
      })),
    );
    const rows = await site.rows<{ payload: number }>(
      `select j.payload from lineshaft.job j
      join lineshaft.lane l on l.id = j.lane join lineshaft.queue q on q.id = l.queue_id
      where q.name = $1 order by j.due, j.seq`,
      [queue],
    );
    expect(rows.map((row) => row.payload)).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });

  test('any commands on any keys agree with a model', async () => {
    let round = 0;
    const command = fc.record({
      key: fc.integer({ min: 0, max: 3 }),
      onConflict: fc.constantFrom('keep', 'replace', 'debounce', 'throttle'),
      payload: fc.nat(),
      cancel: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 12 }), fc.boolean(), async (commands, bulk) => {
        round += 1;
        const held = new Map<number, { id: string; payload: number }>();
        const requests = commands.map(({ key, onConflict, payload }) => ({
          kind: 'model',
          payload,
          unique: { key: `model ${round} ${key}`, onConflict },
        }));
        const results: EnqueueResult[] = bulk ? await lineshaft.enqueueMany(requests) : [];
        for (const [place, { key, onConflict, payload, cancel }] of commands.entries()) {
          const request = requests[place];
          if (request === undefined) continue;
          const { kind, unique } = request;
          const result = results[place] ?? (await lineshaft.enqueue(kind, payload, { unique }));
          const holder = held.get(key);
          if (holder === undefined) {
            expect(result.result).toBe('new');
            held.set(key, { id: result.id, payload });
          } else {
            expect(result).toEqual({ id: holder.id, result: onConflict === 'keep' ? 'kept' : 'replaced' });
            if (onConflict !== 'keep') holder.payload = payload;
          }
          if (cancel && !bulk) {
            await lineshaft.cancel([result.id]);
            held.delete(key);
          }
        }
        for (const { id, payload } of held.values())
          expect((await lineshaft.showJob(id)).payload).toBe(payload);
      }),
      { numRuns: 40 },
    );
  });

  test.each(['replace', 'debounce', 'throttle'] as const)(
    '%s reaches a blocked job, which waits too',
    async (onConflict) => {
      const queue = await site.queue();
      const block = async (key: string, reason: string): Promise<string> => {
        const { id } = await lineshaft.enqueue('one', 1, { queue, unique: { key } });
        await site.rows(
          `with t as (delete from lineshaft.ready where job_id = $1 returning job_id, lane)
         insert into lineshaft.blocked (job_id, lane, reason) select job_id, lane, $2 from t`,
          [id, reason],
        );
        expect((await lineshaft.showJob(id)).state).toBe('blocked');
        return id;
      };
      const stuck = await block(`${queue} stuck`, 'upgrade-failed');
      const again = { queue, unique: { key: `${queue} stuck`, onConflict } };
      expect(await lineshaft.enqueue('one', 2, again)).toEqual({ id: stuck, result: 'replaced' });
      expect(await lineshaft.showJob(stuck)).toMatchObject({ state: 'ready', payload: 2 });
      const behind = await block(`${queue} behind`, 'other jobs');
      const third = { queue, priority: 7, unique: { key: `${queue} behind`, onConflict } };
      expect(await lineshaft.enqueue('one', 3, third)).toEqual({ id: behind, result: 'replaced' });
      expect(await lineshaft.showJob(behind)).toMatchObject({ state: 'blocked', payload: 3 });
      expect((await lineshaft.enqueue('one', 4, { queue, unique: { key: `${queue} behind` } })).result).toBe(
        'kept',
      );
      await lineshaft.cancel([stuck, behind]);
    },
  );

  test('a key is kept after the end for the states and the time that were asked for', async () => {
    const queue = await site.queue();
    await site.work(queue, { handlers: { once: () => {} } });
    const unique = { key: 'outlives', states: ['succeeded'], keepMs: 700 } as const;
    const { id } = await lineshaft.enqueue('once', 1, { queue, unique });
    await lineshaft.waitFor([id], { timeoutMs: 5_000 });
    expect(
      await lineshaft.enqueue('once', 2, { queue, unique: { ...unique, onConflict: 'replace' } }),
    ).toEqual({
      id,
      result: 'kept',
    });
    await until(
      'it is free again',
      async () => (await lineshaft.enqueue('once', 3, { queue, unique })).result === 'new',
    );
  });
});
