import { drizzle } from 'drizzle-orm/node-postgres';
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js';
import pg from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromDrizzle } from '../../packages/core/src/adapters/drizzle.ts';
import { openSite, type Site } from '../worker/site.ts';
import { adapterConformance } from './conformance.ts';

const account = pgTable('account', {
  id: integer().generatedAlwaysAsIdentity(),
  name: text().notNull(),
});

const wrong = (value: unknown) => () => fromDrizzle(value as never);

adapterConformance({
  name: 'Drizzle over pg',
  tellsOfCommit: true,
  async open(databaseUrl) {
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 });
    const db = drizzle({ client: pool });
    return {
      inTransaction: (work) =>
        db.transaction((tx) =>
          work({
            transaction: fromDrizzle(tx),
            addAccount: (name) => tx.insert(account).values({ name }),
          }),
        ),
      inNested: (work) =>
        db.transaction(async (tx) => {
          await tx.transaction((inner) =>
            work({
              transaction: fromDrizzle(inner),
              addAccount: (name) => inner.insert(account).values({ name }),
            }),
          );
          await new Promise((resolve) => setTimeout(resolve, 200));
        }),
      mistakes: [wrong(db), wrong(pool), wrong(undefined), wrong(null), wrong({}), wrong('tx')],
      close: () => pool.end(),
    };
  },
});

adapterConformance({
  name: 'Drizzle over postgres.js',
  tellsOfCommit: false,
  async open(databaseUrl) {
    const client = postgres(databaseUrl, { max: 4, onnotice: () => {} });
    const db = drizzlePostgresJs({ client });
    return {
      inTransaction: (work) =>
        db.transaction((tx) =>
          work({
            transaction: fromDrizzle(tx),
            addAccount: (name) => tx.insert(account).values({ name }),
          }),
        ),
      inNested: (work) =>
        db.transaction((tx) =>
          tx.transaction((inner) =>
            work({
              transaction: fromDrizzle(inner),
              addAccount: (name) => inner.insert(account).values({ name }),
            }),
          ),
        ),
      mistakes: [wrong(db), wrong(client), wrong(undefined), wrong({ execute: () => {} })],
      close: () => client.end(),
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
  const db = drizzle(site.url);
  await site.rows('create table account (id integer generated always as identity, name text)');
  await db.transaction(async (tx) => {
    await tx.insert(account).values({ name: 'Ada' });
    await lineshaft.within(fromDrizzle(tx)).enqueue('send-email', { to: 'ada@example.org' });
  });
  await db.$client.end();
  expect(await lineshaft.listJobs({ kind: 'send-email' })).toHaveLength(1);
});
