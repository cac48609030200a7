/** Many connections that each commit small transactions of their own, with or without an enqueue in each. */
import { performance } from 'node:perf_hooks';
import type { Lineshaft } from '@lineshaft/core';
import { fromPg } from '@lineshaft/core/pg';
import pg from 'pg';
import { payload } from '../payload.ts';
import type { ExtraArguments } from './port.ts';

const TABLES = `
  create table if not exists business (
    id bigint generated always as identity primary key,
    note text not null
  );
  create table if not exists plain (
    id uuid primary key default gen_random_uuid(),
    kind text not null,
    queue text not null,
    created_at timestamptz not null default now(),
    payload json not null
  );`;

/** The plain row is filled up to the size of a job's rows. */
const FILL = 'x'.repeat(120);

type Second = (client: pg.Client, n: number) => Promise<unknown>;

/** @param args connections, seconds, and `how`: `plain`, `sql` (the function) or `client` (the adapter) */
export async function contend(
  lineshaft: Lineshaft,
  url: string,
  args: ExtraArguments,
): Promise<{ commits: number; ms: number }> {
  const clients = await Promise.all(Array.from({ length: Number(args.connections) }, () => connect(url)));
  await clients[0]?.query(TABLES);
  const second = secondStatement(String(args.how), lineshaft);
  let commits = 0;
  const run = async (ms: number): Promise<void> => {
    const end = performance.now() + ms;
    await Promise.all(
      clients.map(async (client) => {
        while (performance.now() < end) {
          await client.query('begin');
          await client.query({
            name: 'business',
            text: 'insert into business (note) values ($1)',
            values: ['note'],
          });
          await second(client, commits);
          await client.query('commit');
          commits += 1;
        }
      }),
    );
  };
  await run(Number(args.warmUpMs));
  commits = 0;
  const start = performance.now();
  await run(Number(args.seconds) * 1_000);
  const ms = performance.now() - start;
  await Promise.all(clients.map((client) => client.end()));
  return { commits, ms };
}

function secondStatement(how: string, lineshaft: Lineshaft): Second {
  if (how === 'plain') {
    const text = `insert into plain (kind, queue, payload) values ('noop', 'bench', $1)`;
    return (client, n) =>
      client.query({ name: 'plain', text, values: [JSON.stringify({ ...payload(n), fill: FILL })] });
  }
  if (how === 'sql') {
    const text = `select lineshaft.enqueue('noop', $1, '{"queue": "bench"}')`;
    return (client, n) => client.query({ name: 'enqueue', text, values: [JSON.stringify(payload(n))] });
  }
  return (client, n) => lineshaft.within(fromPg(client)).enqueue('noop', payload(n), { queue: 'bench' });
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}
