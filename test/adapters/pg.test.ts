import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromPg } from '../../packages/core/src/adapters/pg.ts';
import { openSite, type Site } from '../worker/site.ts';
import { adapterConformance, type Caller } from './conformance.ts';

const wrong = (value: unknown) => () => fromPg(value as never);

adapterConformance({
  name: 'pg',
  tellsOfCommit: true,
  async open(databaseUrl) {
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 });
    const inTransaction: Caller['inTransaction'] = async (work) => {
      const client = await pool.connect();
      try {
        await client.query('begin');
        await work({
          transaction: fromPg(client),
          addAccount: (name) => client.query('insert into account (name) values ($1)', [name]),
        });
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        throw error;
      } finally {
        client.release();
      }
    };
    return {
      inTransaction,
      inNested: (work) =>
        inTransaction(async (open) => {
          await open.transaction.query('savepoint one', []);
          await work(open);
          await open.transaction.query('release savepoint one', []);
          await new Promise((resolve) => setTimeout(resolve, 200));
        }),
      mistakes: [wrong(pool), wrong(undefined), wrong(null), wrong('client'), wrong({}), wrong(() => {})],
      close: () => pool.end(),
    };
  },
});

let site: Site & { readonly client: pg.Client };
beforeAll(async () => {
  const opened = await openSite(15);
  const client = new pg.Client({ connectionString: opened.url });
  await client.connect();
  site = Object.assign(opened, { client });
});
afterAll(async () => {
  await site.client.end();
  await site.close();
});

/** Runs a transaction on the connection of the site. */
async function transaction(work: () => Promise<unknown>): Promise<void> {
  await site.client.query('begin');
  await work();
  await site.client.query('commit');
}

test('the example of the documentation', async () => {
  const { client, lineshaft } = site;
  await client.query('create table account (name text)');
  await client.query('begin');
  await client.query('insert into account (name) values ($1)', ['Ada']);
  const { id } = await lineshaft.within(fromPg(client)).enqueue('send-email', { to: 'ada@example.org' });
  await client.query('commit');
  expect(await lineshaft.showJob(id)).toMatchObject({ kind: 'send-email', state: 'ready' });
});

test('a savepoint saves a transaction in which the database refused a job', async () => {
  const { client, lineshaft } = site;
  let id = '';
  await transaction(async () => {
    const enqueueing = lineshaft.within(fromPg(client));
    ({ id } = await enqueueing.enqueue('greet', 1));
    await client.query('savepoint before');
    await expect(enqueueing.enqueue('greet', 2, { queue: 'none' })).rejects.toMatchObject({
      code: 'QUEUE_NOT_FOUND',
    });
    await client.query('rollback to savepoint before');
    await enqueueing.enqueue('greet', 3);
  });
  expect((await lineshaft.showJob(id)).payload).toBe(1);
});

test('nothing is left behind on a connection that is used again and again', async () => {
  const { client, lineshaft } = site;
  const { connection } = client as unknown as { connection: { listenerCount(event: string): number } };
  const before = connection.listenerCount('readyForQuery');
  for (let round = 0; round < 20; round += 1) {
    await transaction(async () => {
      for (const n of [1, 2, 3]) await lineshaft.within(fromPg(client)).enqueue('greet', n);
      expect(connection.listenerCount('readyForQuery')).toBe(before + 1);
    });
    expect(connection.listenerCount('readyForQuery')).toBe(before);
  }
});

test('without a transaction each call is its own', async () => {
  const { id } = await site.lineshaft.within(fromPg(site.client)).enqueue('greet', 'alone');
  expect((await site.lineshaft.showJob(id)).payload).toBe('alone');
});

test('a database without the schema is told by name, other errors stay those of pg', async () => {
  const { client, lineshaft } = site;
  const elsewhere = site.other({ schema: 'elsewhere' });
  await client.query('begin');
  await expect(elsewhere.within(fromPg(client)).enqueue('greet')).rejects.toMatchObject({
    code: 'SCHEMA_MISSING',
  });
  const aborted = lineshaft.within(fromPg(client)).enqueue('greet');
  await expect(aborted).rejects.toMatchObject({ code: '25P02', name: 'error' });
  await client.query('rollback');
});

test('a commit after the producer was closed wakes nobody and breaks nothing', async () => {
  const { client } = site;
  const producer = site.other();
  await client.query('begin');
  const { id } = await producer.within(fromPg(client)).enqueue('greet', 'late');
  await producer.close();
  await client.query('commit');
  expect((await site.lineshaft.showJob(id)).payload).toBe('late');
});
