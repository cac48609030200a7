import { CamelCasePlugin, type Generated, Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromKysely } from '../../packages/core/src/adapters/kysely.ts';
import { openSite, type Site } from '../worker/site.ts';
import { adapterConformance, type OpenTransaction } from './conformance.ts';

interface Tables {
  account: { id: Generated<number>; name: string };
}

function connect(databaseUrl: string): Kysely<Tables> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 });
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] });
}

const opened = (trx: Transaction<Tables>): OpenTransaction => ({
  transaction: fromKysely(trx),
  addAccount: (name) => trx.insertInto('account').values({ name }).execute(),
});
const wrong = (value: unknown) => () => fromKysely(value as never);

adapterConformance({
  name: 'Kysely',
  tellsOfCommit: false,
  async open(databaseUrl) {
    const db = connect(databaseUrl);
    return {
      inTransaction: (work) => db.transaction().execute((trx) => work(opened(trx))),
      async inNested(work) {
        const trx = await db.startTransaction().execute();
        const inner = await trx.savepoint('one').execute();
        await work(opened(inner));
        await inner.releaseSavepoint('one').execute();
        await trx.commit().execute();
      },
      mistakes: [
        wrong(db),
        wrong(undefined),
        wrong(null),
        wrong({}),
        wrong({ isTransaction: true }),
        wrong('trx'),
      ],
      close: () => db.destroy(),
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
  const db = connect(site.url);
  await site.rows('create table account (name text)');
  await db.transaction().execute(async (trx) => {
    await trx.insertInto('account').values({ name: 'Ada' }).execute();
    await lineshaft.within(fromKysely(trx)).enqueue('send-email', { to: 'ada@example.org' });
  });
  await db.destroy();
  expect(await lineshaft.listJobs({ kind: 'send-email' })).toHaveLength(1);
});
