/** What the adapters' tests share: the library under test, and an installation that looks at what it does. */

import pg from 'pg';
import type { CallerTransaction } from '../../packages/core/src/index.ts';
import { openSite, type Site } from '../worker/site.ts';

/** A transaction of the library that is open. */
export interface OpenTransaction {
  /** What `fromX(transaction)` gave. */
  readonly transaction: CallerTransaction;
  /** Writes a row into table `account` by the library's own means. */
  addAccount(name: string): Promise<unknown>;
}

/** A library that is connected to the database. */
export interface Caller {
  /** Commits when the work is done; rolls back and rejects when it throws. */
  inTransaction(work: (open: OpenTransaction) => Promise<void>): Promise<unknown>;
  /** The same with a transaction inside of the transaction (a savepoint). */
  inNested(work: (open: OpenTransaction) => Promise<void>): Promise<unknown>;
  /** Calls of the adapter with what it must refuse. */
  readonly mistakes: readonly (() => unknown)[];
  close(): Promise<unknown>;
}

export interface Library {
  readonly name: string;
  /**
   * Whether it tells of the commit, so that workers are woken after it and not by a NOTIFY in the
   * transaction.
   */
  readonly tellsOfCommit: boolean;
  open(databaseUrl: string): Promise<Caller>;
}

/** A database with a table `account`, the library connected to it, and an ear on its notifications. */
export interface CallerSite {
  readonly site: Site;
  readonly caller: Caller;
  /** How many accounts of this name there are. */
  accounts(name: string): Promise<number>;
  /** How many jobs of a queue others can see. */
  jobsOf(queue: string): Promise<number>;
  /** Wakes for a queue so far, with time for one that is under way. */
  wakesOf(queue: string): Promise<string[]>;
  close(): Promise<void>;
}

export async function openCallerSite(library: Library): Promise<CallerSite> {
  const site = await openSite(18);
  await site.rows('create table account (id integer generated always as identity, name text not null)');
  const caller = await library.open(site.url);
  const heard: string[] = [];
  const listener = new pg.Client({ connectionString: site.url });
  listener.on('notification', (message) => {
    heard.push(message.payload ?? '');
  });
  await listener.connect();
  await listener.query('listen lineshaft');
  return {
    site,
    caller,
    async accounts(name) {
      return (await site.rows('select 1 from account where name = $1', [name])).length;
    },
    async jobsOf(queue) {
      return (await payloadsOf(site, queue)).length;
    },
    async wakesOf(queue) {
      const [row] = await site.rows<{ id: string }>('select id from lineshaft.queue where name = $1', [
        queue,
      ]);
      await new Promise((resolve) => setTimeout(resolve, 150));
      return heard.filter((payload) => new RegExp(`^[ra](.*,)?${row?.id}(,|$)`).test(payload));
    },
    async close() {
      await caller.close();
      await listener.end();
      await site.close();
    },
  };
}

/** The payloads of the jobs that wait in a queue, in their order. */
export async function payloadsOf(site: Site, queue: string): Promise<unknown[]> {
  await site.rows('select lineshaft.take_in(1000)');
  const rows = await site.rows<{ payload: unknown }>(
    `select j.payload from lineshaft.job j join lineshaft.lane l on l.id = j.lane
    join lineshaft.queue q on q.id = l.queue_id where q.name = $1 order by j.due, j.seq`,
    [queue],
  );
  return rows.map((row) => row.payload);
}
