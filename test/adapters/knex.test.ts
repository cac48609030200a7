import createKnex, { type Knex } from 'knex';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromKnex } from '../../packages/core/src/adapters/knex.ts';
import { openSite, type Site } from '../worker/site.ts';
import { adapterConformance, type OpenTransaction } from './conformance.ts';

const opened = (trx: Knex.Transaction): OpenTransaction => ({
  transaction: fromKnex(trx),
  addAccount: (name) => trx('account').insert({ name }),
});
const wrong = (value: unknown) => () => fromKnex(value as never);

adapterConformance({
  name: 'Knex',
  tellsOfCommit: true,
  async open(databaseUrl) {
    const knex = createKnex({ client: 'pg', connection: databaseUrl, pool: { min: 0, max: 4 } });
    return {
      inTransaction: (work) => knex.transaction((trx) => work(opened(trx))),
      inNested: (work) =>
        knex.transaction(async (trx) => {
          await trx.transaction((inner) => work(opened(inner)));
          await new Promise((resolve) => setTimeout(resolve, 200));
        }),
      mistakes: [wrong(knex), wrong(undefined), wrong(null), wrong({}), wrong(() => {}), wrong('trx')],
      close: () => knex.destroy(),
    };
  },
});

let site: Site;
beforeAll(async () => {
  site = await openSite(15);
});
afterAll(() => site.close());

test('the example of the documentation, and a transaction that is not tied to a function', async () => {
  const { lineshaft } = site;
  const knex = createKnex({ client: 'pg', connection: site.url });
  await knex.schema.createTable('account', (table) => table.text('name'));
  await knex.transaction(async (trx) => {
    await trx('account').insert({ name: 'Ada' });
    await lineshaft.within(fromKnex(trx)).enqueue('send-email', { to: 'ada@example.org' });
  });
  const trx = await knex.transaction();
  await lineshaft.within(fromKnex(trx)).enqueue('send-email', { to: 'grace@example.org' });
  await trx.commit();
  const rolledBack = await knex.transaction();
  await lineshaft.within(fromKnex(rolledBack)).enqueue('send-email', { to: 'nobody@example.org' });
  await rolledBack.rollback();
  await knex.destroy();
  expect(await lineshaft.listJobs({ kind: 'send-email' })).toHaveLength(2);
});
