/** The order book is vacuumed while many jobs go through it, and left alone where that would not help. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '../../packages/core/src/log.ts';
import { Route, Session } from '../../packages/core/src/store/session.ts';
import { bindStatements } from '../../packages/core/src/store/statements.ts';
import { ReadyVacuum } from '../../packages/core/src/worker/ready-vacuum.ts';
import { openSite, openStranger, type Site, until, versions } from './site.ts';

const statements = bindStatements('lineshaft');

describe.each(versions)('the order book, on PostgreSQL %i', (version) => {
  let site: Site;
  let session: Session;
  beforeAll(async () => {
    site = await openSite(version);
    const route = new Route({
      databaseUrl: site.url,
      applicationName: 'ready-vacuum',
      statementTimeoutMs: 60_000,
    });
    session = new Session(route, 'plain');
    // Only what is looked at here may vacuum.
    await site.rows('alter table lineshaft.ready set (autovacuum_enabled = off)');
  });
  afterAll(async () => {
    await session.close();
    await site.close();
  });

  const dead = async (): Promise<number> =>
    Number(
      (await site.rows<{ n: string }>(`select pg_stat_get_dead_tuples('lineshaft.ready'::regclass) as n`))[0]
        ?.n,
    );
  const vacuums = async (): Promise<number> =>
    Number(
      (await site.rows<{ n: string }>(`select pg_stat_get_vacuum_count('lineshaft.ready'::regclass) as n`))[0]
        ?.n,
    );
  const passJobs = async (count: number): Promise<void> => {
    const before = await dead();
    await site.rows(
      `insert into lineshaft.ready (due, seq, lane, priority, job_id)
       select now(), n, 1, 0, gen_random_uuid() from generate_series(1, $1) n`,
      [count],
    );
    await site.rows('delete from lineshaft.ready');
    await until('the statistics to hear of it', async () => (await dead()) >= before + count);
  };

  test('is vacuumed after 50,000 jobs of a worker, if so many places are dead', async () => {
    const vacuum = new ReadyVacuum(session, statements, silentLog);
    vacuum.claimed(49_999);
    vacuum.claimed(1);
    await vacuum.stop();
    expect(await vacuums()).toBe(0);
    await passJobs(40_000);
    const other = new ReadyVacuum(session, statements, silentLog);
    other.claimed(50_000);
    await other.stop();
    expect(await vacuums()).toBe(1);
    expect(await dead()).toBeLessThan(1_000);
    other.claimed(50_000);
    await other.stop();
    expect(await vacuums()).toBe(1);
  });

  test('is looked at less often while an old snapshot keeps what is dead', async () => {
    await using stranger = await openStranger(site.url);
    await stranger.query('begin isolation level repeatable read');
    await stranger.query('select count(*) from lineshaft.ready');
    await passJobs(40_000);
    const before = await vacuums();
    const vacuum = new ReadyVacuum(session, statements, silentLog);
    vacuum.claimed(50_000);
    await until('a vacuum that does not help', async () => (await vacuums()) === before + 1);
    await until('its end', async () => (await dead()) >= 40_000);
    vacuum.claimed(50_000);
    vacuum.claimed(49_999);
    await stranger.query('commit');
    expect(await vacuums()).toBe(before + 1);
    await until('another, after twice as many jobs', async () => {
      vacuum.claimed(1);
      return (await vacuums()) === before + 2;
    });
    await vacuum.stop();
    expect(await dead()).toBeLessThan(1_000);
  });
});
