import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromPrisma } from '../../packages/core/src/adapters/prisma.ts';
import { openSite, type Site } from '../worker/site.ts';
import { adapterConformance, type OpenTransaction } from './conformance.ts';
import { type AccountClient, type AccountTransaction, generateClient } from './prisma-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'lineshaft-prisma-'));
const PrismaClient = await generateClient(folder);
const connect = (databaseUrl: string): AccountClient =>
  new PrismaClient({ adapter: new PrismaPg({ connectionString: databaseUrl, max: 4 }) });
const opened = (tx: AccountTransaction): OpenTransaction => ({
  transaction: fromPrisma(tx),
  addAccount: (name) => tx.account.create({ data: { name } }),
});
const wrong = (value: unknown) => () => fromPrisma(value as never);

adapterConformance({
  name: 'Prisma',
  tellsOfCommit: false,
  async open(databaseUrl) {
    const prisma = connect(databaseUrl);
    return {
      inTransaction: (work) => prisma.$transaction((tx) => work(opened(tx))),
      inNested: (work) => prisma.$transaction((tx) => tx.$transaction((inner) => work(opened(inner)))),
      mistakes: [wrong(prisma), wrong(undefined), wrong(null), wrong({}), wrong('tx')],
      close: () => prisma.$disconnect(),
    };
  },
});

let site: Site;
beforeAll(async () => {
  site = await openSite(15);
});
afterAll(async () => {
  await site.close();
  rmSync(folder, { recursive: true });
});

test('the example of the documentation', async () => {
  const { lineshaft } = site;
  const prisma = connect(site.url);
  await site.rows('create table account (id integer generated always as identity, name text)');
  await prisma.$transaction(async (tx) => {
    await tx.account.create({ data: { name: 'Ada' } });
    await lineshaft.within(fromPrisma(tx)).enqueue('send-email', { to: 'ada@example.org' });
  });
  await prisma.$disconnect();
  expect(await lineshaft.listJobs({ kind: 'send-email' })).toHaveLength(1);
});
