/**
 * The bare SQL loop: protocol `a`. One wide table, uuid key, fillfactor 50, claim by ctid, delete on
 * complete. It has no retries, leases or unique keys: it stands for what the server can do, not for a product.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Payload } from '../payload.ts';

/** Plans as in the measurements of the protocols: generic, and never a scan or a sort of the whole table. */
const PLAN_OPTIONS =
  '-c enable_seqscan=off -c enable_sort=off -c enable_bitmapscan=off -c plan_cache_mode=force_generic_plan';

export const CHANNEL = 'raw_ready';

const SCHEMA = `
  create table job (
    id uuid primary key,
    queue text not null,
    kind text not null,
    state smallint not null default 0,
    priority smallint not null default 0,
    attempt smallint not null default 0,
    max_attempts smallint not null default 3,
    run_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    started_at timestamptz,
    worker uuid,
    payload jsonb not null,
    labels jsonb not null default '{}'
  ) with (fillfactor = 50);
  create index job_pending on job (queue, priority desc, run_at, id) where state = 0;`;

const COLUMNS = 'id, queue, kind, priority, payload';

export const statements = {
  insertElements: {
    name: 'insert_elements',
    text: `
      insert into job (${COLUMNS})
      select (item ->> 'id')::uuid, item ->> 'queue', item ->> 'kind', (item ->> 'priority')::smallint,
             item -> 'payload'
      from jsonb_array_elements($1::jsonb) item`,
  },
  insertRecordset: {
    name: 'insert_recordset',
    text: `
      insert into job (${COLUMNS})
      select ${COLUMNS}
      from json_to_recordset($1::json)
           as item (id uuid, queue text, kind text, priority smallint, payload jsonb)`,
  },
  claim: {
    name: 'claim',
    text: `
      update job
      set state = 1, attempt = attempt + 1, started_at = now(), worker = $3
      where ctid = any (array(
        select ctid
        from job
        where state = 0 and queue = $1 and run_at <= now()
        order by priority desc, run_at, id
        limit $2
        for update skip locked))
      returning id, kind, payload`,
  },
  complete: { name: 'complete', text: 'delete from job where id = any ($1::uuid[])' },
  isEmpty: { name: 'is_empty', text: 'select not exists (select from job) as empty' },
} as const;

export interface ClaimedRow {
  readonly id: string;
  readonly kind: string;
  readonly payload: Payload;
}

export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, options: PLAN_OPTIONS });
  client.on('error', () => {});
  await client.connect();
  return client;
}

export async function makeTable(url: string): Promise<void> {
  const client = await connect(url);
  await client.query(SCHEMA);
  await client.end();
}

/** The rows of a bulk as one JSON parameter. */
export function rowsAsJson(jobs: readonly Payload[]): string {
  return JSON.stringify(
    jobs.map((payload) => ({ id: uuidV7(), queue: 'bench', kind: 'noop', priority: 0, payload })),
  );
}

let lastMs = 0;
let sequence = 0;

/** UUIDv7 with a counter, so that ids of one millisecond keep their order. */
export function uuidV7(): string {
  const now = Date.now();
  sequence = now === lastMs ? sequence + 1 : 0;
  lastMs = now;
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes.writeUInt16BE(0x7000 | (sequence & 0xfff), 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
