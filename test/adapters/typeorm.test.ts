import { DataSource, EntitySchema } from 'typeorm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromTypeOrm } from '../../packages/core/src/adapters/typeorm.ts';
import { openSite, type Site } from '../worker/site.ts';
import { adapterConformance } from './conformance.ts';

const Account = new EntitySchema<{ id: number; name: string }>({
  name: 'account',
  columns: { id: { type: Number, primary: true, generated: true }, name: { type: String } },
});

const connect = (databaseUrl: string): Promise<DataSource> =>
  new DataSource({ type: 'postgres', url: databaseUrl, entities: [Account], extra: { max: 4 } }).initialize();
const wrong = (value: unknown) => () => fromTypeOrm(value as never);

adapterConformance({
  name: 'TypeORM',
  tellsOfCommit: true,
  async open(databaseUrl) {
    const source = await connect(databaseUrl);
    const idle = source.createQueryRunner();
    return {
      inTransaction: (work) =>
        source.transaction((manager) =>
          work({
            transaction: fromTypeOrm(manager),
            addAccount: (name) => manager.insert(Account, { name }),
          }),
        ),
      inNested: (work) =>
        source.transaction(async (manager) => {
          await manager.transaction((inner) =>
            work({
              transaction: fromTypeOrm(inner),
              addAccount: (name) => inner.insert(Account, { name }),
            }),
          );
          await new Promise((resolve) => setTimeout(resolve, 200));
        }),
      mistakes: [wrong(source), wrong(source.manager), wrong(idle), wrong(undefined), wrong(null), wrong({})],
      close: async () => {
        await idle.release();
        await source.destroy();
      },
    };
  },
});

let site: Site;
beforeAll(async () => {
  site = await openSite(15);
});
afterAll(() => site.close());

test('the example of the documentation, and a query runner', async () => {
  const { lineshaft } = site;
  const dataSource = await connect(site.url);
  await site.rows('create table account (id integer generated always as identity, name text)');
  await dataSource.transaction(async (manager) => {
    await manager.insert(Account, { name: 'Ada' });
    await lineshaft.within(fromTypeOrm(manager)).enqueue('send-email', { to: 'ada@example.org' });
  });
  const runner = dataSource.createQueryRunner();
  await runner.startTransaction();
  await lineshaft.within(fromTypeOrm(runner)).enqueue('send-email', { to: 'grace@example.org' });
  await runner.commitTransaction();
  await runner.release();
  await dataSource.destroy();
  expect(await lineshaft.listJobs({ kind: 'send-email' })).toHaveLength(2);
});
