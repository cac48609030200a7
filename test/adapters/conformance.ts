/** What each adapter for a caller's transaction must do, on the real library and a real PostgreSQL. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lineshaft } from '../../packages/core/src/index.ts';
import type { Site } from '../worker/site.ts';
import { type Caller, type CallerSite, type Library, openCallerSite, payloadsOf } from './caller.ts';
import { wakingConformance } from './waking.ts';

export type { Caller, OpenTransaction } from './caller.ts';

/** All that may be lost on the way: quotes, backslashes, characters beyond the basic plane, null, nesting. */
const difficult = {
  quotes: `it's "quoted" \`code\` $1 $2 ? ?? \\? :name @p1 -- no comment /* none */`,
  backslashes: '\\ \\\\ \\n \\u0041 C:\\temp',
  unicode: 'Ünïcödé 漢字 🚀 \u2028 \u007f',
  control: 'tab\t line\n return\r bell\u0007',
  empty: { text: '', list: [], object: {} },
  nothing: null,
  nested: [[1, [2, [3, []]]], [{ a: [null, true, false, -0.5, 1e-7, 1e21] }]],
  'a key "quoted" {}': '{"json": "in a text"}',
  braces: '{1,2} (null) [x]',
};

export function adapterConformance(library: Library): void {
  describe(`enqueueing in a transaction of ${library.name}`, () => {
    let opened: CallerSite;
    let site: Site;
    let lineshaft: Lineshaft;
    let caller: Caller;
    beforeAll(async () => {
      opened = await openCallerSite(library);
      ({ site, caller } = opened);
      lineshaft = site.lineshaft;
    });
    afterAll(() => opened?.close());

    wakingConformance(library, () => opened);

    test('after a roll-back the job never was', async () => {
      const queue = await site.queue();
      let id = '';
      const failing = caller.inTransaction(async ({ transaction, addAccount }) => {
        await addAccount('rolled back');
        ({ id } = await lineshaft
          .within(transaction)
          .enqueue('greet', null, { queue, unique: { key: 'gone' } }));
        throw new Error('no, thanks');
      });
      await expect(failing).rejects.toThrow('no, thanks');
      await expect(lineshaft.showJob(id)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
      expect(await opened.accounts('rolled back')).toBe(0);
      expect(await opened.jobsOf(queue)).toBe(0);
      expect((await lineshaft.enqueue('greet', null, { queue, unique: { key: 'gone' } })).result).toBe('new');
    });

    test('2,500 jobs in one transaction are there together, in their order', async () => {
      const queue = await site.queue();
      const requests = Array.from({ length: 2_500 }, (_, n) => ({
        kind: n % 2 === 0 ? 'even' : 'odd',
        payload: n,
        queue,
        ...(n % 7 === 0 ? { labels: { seven: 'yes' } } : {}),
      }));
      await caller.inTransaction(async ({ transaction }) => {
        const results = await lineshaft.within(transaction).enqueueMany(requests);
        expect(new Set(results.map((result) => result.id)).size).toBe(2_500);
        expect(results.every((result) => result.result === 'new')).toBe(true);
        expect(await opened.jobsOf(queue)).toBe(0);
      });
      expect(await payloadsOf(site, queue)).toEqual(requests.map((request) => request.payload));
    });

    test('2,500 jobs with unique keys, partly taken, are answered in the order of the call', async () => {
      const queue = await site.queue();
      const [taken] = await lineshaft.enqueueMany([{ kind: 'once', queue, unique: { key: `${queue}-7` } }]);
      const numbers = Array.from({ length: 2_500 }, (_, n) => (n * 1_237) % 2_500);
      await caller.inTransaction(async ({ transaction }) => {
        const results = await lineshaft
          .within(transaction)
          .enqueueMany(
            numbers.map((n) => ({ kind: 'once', payload: n, queue, unique: { key: `${queue}-${n}` } })),
          );
        for (const [place, n] of numbers.entries()) {
          if (n === 7) expect(results[place]).toEqual({ id: taken?.id, result: 'kept' });
          else expect(results[place]?.result).toBe('new');
        }
      });
      expect(await opened.jobsOf(queue)).toBe(2_500);
    });

    test('a unique key that is taken answers `kept` with its job, also within the transaction', async () => {
      const queue = await site.queue();
      const options = { queue, unique: { key: 'only one' } };
      let first = '';
      await caller.inTransaction(async ({ transaction }) => {
        const enqueueing = lineshaft.within(transaction);
        const { id, result } = await enqueueing.enqueue('once', 1, options);
        expect(result).toBe('new');
        expect(await enqueueing.enqueue('once', 2, options)).toEqual({ id, result: 'kept' });
        first = id;
      });
      await caller.inTransaction(async ({ transaction }) => {
        const enqueueing = lineshaft.within(transaction);
        expect(await enqueueing.enqueue('once', 3, options)).toEqual({ id: first, result: 'kept' });
        const replacing = { queue, unique: { key: 'only one', onConflict: 'replace' } } as const;
        expect(await enqueueing.enqueue('once', 4, replacing)).toEqual({ id: first, result: 'replaced' });
      });
      expect((await lineshaft.showJob(first)).payload).toBe(4);
    });

    test('a wrong option is refused before anything is sent, and the transaction goes on', async () => {
      const queue = await site.queue();
      await caller.inTransaction(async ({ transaction, addAccount }) => {
        const enqueueing = lineshaft.within(transaction);
        await expect(enqueueing.enqueue('greet', 1, { queue, priority: 0.5 })).rejects.toMatchObject({
          code: 'OPTION_INVALID',
          details: { field: 'priority' },
        });
        await expect(enqueueing.enqueue('greet', () => {}, { queue })).rejects.toMatchObject({
          code: 'PAYLOAD_INVALID',
        });
        await addAccount('undaunted');
        await enqueueing.enqueue('greet', 2, { queue });
      });
      expect(await opened.accounts('undaunted')).toBe(1);
      expect(await opened.jobsOf(queue)).toBe(1);
    });

    test('what only the database refuses is an error of ours, and calls for a roll-back', async () => {
      const queue = await site.queue();
      let refusal: unknown;
      const failing = caller.inTransaction(async ({ transaction, addAccount }) => {
        const enqueueing = lineshaft.within(transaction);
        await enqueueing.enqueue('greet', 1, { queue });
        refusal = await enqueueing
          .enqueue('greet', { secret: 's3cret' }, { queue: `${queue}x` })
          .catch((error) => error);
        await addAccount('too late');
      });
      await expect(failing).rejects.toThrow();
      expect(refusal).toMatchObject({
        name: 'LineshaftError',
        code: 'QUEUE_NOT_FOUND',
        message: expect.stringContaining(`queue '${queue}x' not found; did you mean '${queue}'?`),
        details: { queue: `${queue}x` },
      });
      expect(await opened.accounts('too late')).toBe(0);
      expect(await opened.jobsOf(queue)).toBe(0);
    });

    test('an id that was used for something else tells so, without the payload', async () => {
      const queue = await site.queue();
      const { id } = await lineshaft.enqueue('greet', 1, { queue });
      let refusal: unknown;
      await caller
        .inTransaction(async ({ transaction }) => {
          const enqueueing = lineshaft.within(transaction);
          expect(await enqueueing.enqueue('greet', 1, { queue, id })).toEqual({ id, result: 'kept' });
          refusal = await enqueueing
            .enqueue('greet', { secret: 's3cret' }, { queue, id })
            .catch((error) => error);
          throw new Error('enough');
        })
        .catch(() => {});
      expect(refusal).toMatchObject({ code: 'JOB_ID_CONFLICT', details: { id } });
      expect(String(refusal)).toContain(`job ${id} exists with another content`);
      expect(String(refusal)).not.toContain('s3cret');
    });

    test('payloads and options arrive as they were sent', async () => {
      const queue = await site.queue();
      const payloads = [
        difficult,
        null,
        'text',
        0,
        false,
        [],
        [null, [null]],
        { a: undefined },
        difficult.quotes,
      ];
      const options = {
        queue,
        priority: -3,
        labels: { 'la"bel': "it's {a} \\ value" },
        meta: { deep: [{ n: null, t: '?$1' }] },
        requirements: ['has=a "gpu"', 'env=x,y'],
        unique: { key: 'key with "quotes", {braces}, \\ and ?' },
        backoff: { type: 'linear', delayMs: 5 },
        delayMs: 3_600_000,
      } as const;
      let ids: string[] = [];
      let full = '';
      await caller.inTransaction(async ({ transaction }) => {
        const enqueueing = lineshaft.within(transaction);
        const results = await enqueueing.enqueueMany(
          payloads.map((payload) => ({ kind: 'keep', payload, queue })),
        );
        ids = results.map((result) => result.id);
        full = (await enqueueing.enqueue('keep', difficult, options)).id;
      });
      for (const [place, id] of ids.entries()) {
        expect((await lineshaft.showJob(id)).payload).toEqual(JSON.parse(JSON.stringify(payloads[place])));
      }
      const job = await lineshaft.showJob(full);
      expect(job).toMatchObject({
        kind: 'keep',
        queue,
        state: 'scheduled',
        priority: -3,
        payload: difficult,
      });
      const [stored] = await site.rows<{ options: object; requirements: string[] }>(
        `select j.options, l.requirements from lineshaft.job j join lineshaft.lane l on l.id = j.lane
        where j.id = $1`,
        [full],
      );
      const { labels, meta, unique, backoff } = options;
      expect(stored?.options).toEqual({ labels, meta, unique, backoff });
      expect(stored?.requirements).toEqual([...options.requirements].sort());
    });

    test('what is no transaction of the library is refused, with what would be one', () => {
      const all = [...caller.mistakes];
      expect(all.length).toBeGreaterThan(3);
      for (const mistake of all) {
        expect(mistake).toThrow(expect.objectContaining({ name: 'LineshaftError', code: 'OPTION_INVALID' }));
      }
    });
  });
}
