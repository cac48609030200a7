/**
 * Evidence of leases: triggers that write down, in the transaction that does it, which leases were made, and how rows
 * of workers came, were renewed and went. They only look on: nothing of Lineshaft reads them.
 */
import pg from 'pg';
import { readEntry } from '../../../packages/core/src/queue/history-entry.ts';
import { monotonicMs } from '../monotonic.ts';
import type { Final, Hold, WorkerRow } from '../verdict/evidence.ts';
import { type LabPayload, refOf } from '../workloads/workload.ts';

const install = `
create schema lab;
create table lab.taken (at timestamptz, lease bigint, worker bigint, job_ids uuid[], fences integer[]);
create table lab.worker (
  id bigint primary key, worker_id text, lease_ms integer, lease_until timestamptz, deleted_at timestamptz
) with (fillfactor = 50);
-- What the planted fault puts in the place of lineshaft.demand.
create function lab.allow(matched bigint, expected bigint) returns boolean language sql as 'select true';
create function lab.on_lease() returns trigger language plpgsql as $$
begin
  insert into lab.taken values (clock_timestamp(), new.id, new.worker, new.job_ids, new.fences);
  return null;
end
$$;
create function lab.on_worker() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    update lab.worker set deleted_at = clock_timestamp() where id = old.id;
  else
    insert into lab.worker values (new.id, new.worker_id, new.lease_ms, new.lease_until)
    on conflict (id) do update set lease_until = excluded.lease_until;
  end if;
  return null;
end
$$;
create trigger lab_lease after insert on lineshaft.lease for each row execute function lab.on_lease();
create trigger lab_worker after insert or delete or update of lease_until on lineshaft.worker
  for each row execute function lab.on_worker();
`;

export async function installAudit(url: string): Promise<void> {
  await withClient(url, (client) => client.query(install));
}

export interface DatabaseEvidence {
  readonly finals: Final[];
  readonly unfinished: Map<string, string>;
  readonly workerRows: Map<string, WorkerRow>;
  readonly holds: Map<string, Hold[]>;
}

/** Reads everything, once nothing changes any more. */
export async function readDatabase(url: string): Promise<DatabaseEvidence> {
  return await withClient(url, async (client) => {
    // The database runs on this machine, so that its clock and ours differ by a constant.
    const offsetMs = Date.now() - monotonicMs();
    return {
      finals: [...(await readHistory(client)), ...(await readDead(client))],
      unfinished: await readUnfinished(client),
      workerRows: await readWorkers(client, offsetMs),
      holds: await readHolds(client, offsetMs),
    };
  });
}

/** How many jobs have not ended. */
export async function countUnfinished(url: string): Promise<number> {
  return await withClient(url, async (client) => {
    const { rows } = await client.query<{ n: string }>(
      'select count(*) as n from lineshaft.job j where not exists (select from lineshaft.dead d where d.job_id = j.id)',
    );
    return Number(rows[0]?.n);
  });
}

/** Which process leads; undefined while nobody does. */
export async function leadingWorker(url: string): Promise<string | undefined> {
  return await withClient(url, async (client) => {
    const { rows } = await client.query<{ worker_id: string }>(
      `select w.worker_id from lineshaft.leader l join lineshaft.worker w on w.id = l.worker
      where l.name = 'main' and l.until > clock_timestamp()`,
    );
    return rows[0]?.worker_id;
  });
}

export async function withClient<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    query_timeout: 120_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

async function readHistory(client: pg.Client): Promise<Final[]> {
  const lanes = await readKinds(client);
  const { rows } = await client.query<{ ids: string[]; entries: string }>(
    'select ids::text[] as ids, entries from lineshaft.history',
  );
  return rows.flatMap(({ ids, entries }) => {
    const lines = entries.split('\n');
    return ids.map((id, place) => {
      const { laneId, state, attempt, payload } = readEntry(id, lines[place] ?? '');
      return {
        id,
        ref: refOf(payload as Partial<LabPayload>, id),
        workload: lanes.get(laneId) ?? '',
        state,
        attempt,
      };
    });
  });
}

async function readKinds(client: pg.Client): Promise<Map<number, string>> {
  const { rows } = await client.query<{ id: number; kind: string }>('select id, kind from lineshaft.lane');
  return new Map(rows.map(({ id, kind }) => [id, kind.replace(/^lab\./, '')]));
}

async function readDead(client: pg.Client): Promise<Final[]> {
  const { rows } = await client.query<{ id: string; kind: string; attempt: number; payload: LabPayload }>(
    `select j.id, l.kind, j.attempt, j.payload
    from lineshaft.dead d join lineshaft.job j on j.id = d.job_id join lineshaft.lane l on l.id = j.lane`,
  );
  return rows.map(({ id, kind, attempt, payload }) => {
    return { id, ref: refOf(payload, id), workload: kind.replace(/^lab\./, ''), state: 'failed', attempt };
  });
}

async function readUnfinished(client: pg.Client): Promise<Map<string, string>> {
  const { rows } = await client.query<{ id: string; place: string }>(
    `select j.id, case
      when r.job_id is not null then 'ready'
      when w.job_id is not null then 'later, due ' || w.due
      when b.job_id is not null then 'blocked, ' || b.reason
      when exists (select from lineshaft.lease l where j.id = any (l.job_ids)) then 'running'
      else 'stranded: in no place' end as place
    from lineshaft.job j
    left join lineshaft.ready r on r.job_id = j.id
    left join lineshaft.later w on w.job_id = j.id
    left join lineshaft.blocked b on b.job_id = j.id
    where not exists (select from lineshaft.dead d where d.job_id = j.id)`,
  );
  return new Map(rows.map(({ id, place }) => [id, place]));
}

export async function readWorkers(client: pg.Client, offsetMs: number): Promise<Map<string, WorkerRow>> {
  const { rows } = await client.query<{
    id: string;
    worker_id: string;
    lease_ms: number;
    lease_until: number;
    deleted_at: number | null;
  }>(
    `select id, worker_id, lease_ms, (extract(epoch from lease_until) * 1000)::float8 as lease_until,
      (extract(epoch from deleted_at) * 1000)::float8 as deleted_at from lab.worker`,
  );
  return new Map(
    rows.map((row) => [
      row.id,
      {
        row: row.id,
        workerId: row.worker_id,
        leaseMs: row.lease_ms,
        leaseUntilMs: row.lease_until - offsetMs,
        deletedAtMs: row.deleted_at === null ? undefined : row.deleted_at - offsetMs,
      },
    ]),
  );
}

export async function readHolds(client: pg.Client, offsetMs: number): Promise<Map<string, Hold[]>> {
  const { rows } = await client.query<{
    at: number;
    lease: string;
    worker: string;
    job_ids: string[];
    fences: number[];
  }>(
    `select (extract(epoch from at) * 1000)::float8 as at, lease, worker, job_ids::text[] as job_ids, fences
    from lab.taken order by at, lease`,
  );
  const holds = new Map<string, Hold[]>();
  for (const { at, lease, worker, job_ids: jobIds, fences } of rows) {
    for (const [place, jobId] of jobIds.entries()) {
      const of = holds.get(jobId) ?? [];
      of.push({ jobId, lease, row: worker, fence: fences[place] ?? 0, takenAtMs: at - offsetMs });
      holds.set(jobId, of);
    }
  }
  return holds;
}
