import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromPostgres } from '../../packages/core/src/adapters/postgres.ts';
import { openSite, type Site } from '../worker/site.ts';
import { adapterConformance } from './conformance.ts';

const wrong = (value: unknown) => () => fromPostgres(value as never);

adapterConformance({
  name: 'postgres.js',
  tellsOfCommit: false,
  async open(databaseUrl) {
    const sql = postgres(databaseUrl, { max: 4, onnotice: () => {} });
    return {
      inTransaction: (work) =>
        sql.begin((tx) =>
          work({
            transaction: fromPostgres(tx),
            addAccount: (name) => tx`insert into account (name) values (${name})`,
          }),
        ),
      inNested: (work) =>
        sql.begin((tx) =>
          tx.savepoint((inner) =>
            work({
              transaction: fromPostgres(inner),
              addAccount: (name) => inner`insert into account (name) values (${name})`,
            }),
          ),
        ),
      mistakes: [wrong(sql), wrong(undefined), wrong(null), wrong({}), wrong(() => {}), wrong('sql')],
      close: () => sql.end(),
    };
  },
});

let site: Site;
beforeAll(async () => {
  site = await openSite(15);
});
afterAll(() => site.close());

test('the example of the documentation', async () => {
  const { lineshaft } = site;
  const sql = postgres(site.url);
  await sql`create table account (name text)`;
  await sql.begin(async (sql) => {
    await sql`insert into account (name) values (${'Ada'})`;
    await lineshaft.within(fromPostgres(sql)).enqueue('send-email', { to: 'ada@example.org' });
  });
  await sql.end();
  expect(await lineshaft.listJobs({ kind: 'send-email' })).toHaveLength(1);
});

test('with renamed columns, without prepared statements, and on a reserved connection', async () => {
  const sql = postgres(site.url, { transform: postgres.toPascal, prepare: false });
  const reserved = await sql.reserve();
  const enqueueing = site.lineshaft.within(fromPostgres(reserved));
  const options = { unique: { key: 'renamed' } };
  const { id } = await enqueueing.enqueue('greet', { a: 1 }, options);
  expect(await enqueueing.enqueue('greet', { a: 2 }, options)).toEqual({ id, result: 'kept' });
  reserved.release();
  await sql.end();
});
