/** The plans of claims and completions under limits read by index what they take, and not what there is. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bindStatements } from '../../packages/core/src/store/statements.ts';
import { freshName, openSite, openStranger, type Site, versions } from '../worker/site.ts';

const statements = bindStatements('lineshaft');
const counters = 10_000;
const tables = ['counter', 'turn', 'parked', 'lane', 'ready', 'job'];

interface Reads {
  readonly table: string;
  readonly by_scan: number;
  readonly by_index: number;
}

describe.each(versions)('PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  it.each([
    [false, true],
    [true, true],
    [false, false],
    [true, false],
  ])(
    `claim_keyed and complete_keyed use indexes with ${counters} counters: analyzed %s, careful %s`,
    async (analyzed, careful) => {
      const queue = await site.queue();
      const name = freshName('many');
      await site.lineshaft.declareLimit({
        name,
        concurrency: careful ? 1 : 10,
        key: { payload: 'key' },
        queues: [queue],
      });
      await site.lineshaft.enqueueMany(
        Array.from({ length: counters }, (_, n) => ({ kind: 'work', payload: { key: `k${n}` }, queue })),
      );
      await site.rows(
        `insert into lineshaft.counter (limit_id, key)
       select l.limits[1], l.keys[1] from lineshaft.lane l join lineshaft.limit m on m.id = l.limits[1] where m.name = $1`,
        [name],
      );
      if (analyzed)
        await site.rows(
          'analyze lineshaft.counter, lineshaft.turn, lineshaft.lane, lineshaft.ready, lineshaft.job',
        );
      const [{ id } = { id: '' }] = await site.rows<{ id: string }>(
        `insert into lineshaft.worker (worker_id, name, build, tags, kinds, queues, slots, lease_ms, lease_until)
       values ($1, 'plans', '1', '{}', '{work}', '{}', 100, 3600000, now() + interval '1 hour') returning id::text`,
        [freshName('plans')],
      );
      const [{ base } = { base: 0 }] = await site.rows<{ base: number }>(
        'select l.id as base from lineshaft.lane l join lineshaft.queue q on q.id = l.queue_id where q.name = $1 and l.id > 0',
        [queue],
      );
      await using client = await openStranger(site.url);
      const reads = async (): Promise<Reads[]> =>
        (
          await client.query<Reads>(
            `select relname as table, seq_tup_read::integer as by_scan, idx_tup_fetch::integer as by_index
           from pg_stat_xact_user_tables where schemaname = 'lineshaft' and relname = any ($1) order by relname`,
            [tables],
          )
        ).rows;
      const { rows } = await client.query<{ lease: string | null; id: string }>(
        'select c.lease::text, c.id from lineshaft.claim_keyed($1, $2, $3, $4, $5, $6) c',
        [id, [base], [1], [10], 10, careful],
      );
      const taken = rows.filter(({ lease }) => lease !== null);
      expect(taken).toHaveLength(10);
      const afterClaim = await reads();
      expect(afterClaim.filter(({ by_scan }) => by_scan > 0)).toEqual([]);
      expect(afterClaim.filter(({ by_index }) => by_index > 500)).toEqual([]);
      const lease = `{${taken[0]?.lease}}`;
      const ids = taken.map((row) => row.id).sort();
      await client.query(statements.completeKeyed.text, [
        ...[lease, `{${ids.join(',')}}`, `{${ids.map(() => 0).join(',')}}`, lease, 1_000, `{${base}}`],
        ...[ids.map(() => '[]').join('\n'), 'succeeded', 0, 0],
      ]);
      const afterAll = await reads();
      expect(afterAll.filter(({ by_scan }) => by_scan > 0)).toEqual([]);
      expect(afterAll.filter(({ by_index }) => by_index > 1_000)).toEqual([]);
      await client.query('rollback');
      await site.lineshaft.deleteQueue(queue, { purge: true });
    },
  );
});
