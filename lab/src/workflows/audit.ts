/**
 * Evidence of runs in the database: besides what the audit of all labs writes down (which leases were made, and the rows of
 * workers), until when steps that were polled had to be heard of, and when that came to an end.
 */
import type pg from 'pg';
import { monotonicMs } from '../monotonic.ts';
import { installAudit, readHolds, readWorkers, withClient } from '../site/audit.ts';
import type { Hold, WorkerRow } from '../verdict/evidence.ts';

const install = `
create table lab.polled (
  lease bigint primary key, holder text, lease_ms integer, sending_ms integer, until timestamptz, sent boolean,
  gone_at timestamptz
) with (fillfactor = 50);
create function lab.on_job_lease() returns trigger language plpgsql as $$
begin
  if tg_op <> 'INSERT' and (tg_op = 'DELETE' or old.lease <> new.lease) then
    update lab.polled set gone_at = clock_timestamp() where lease = old.lease;
  end if;
  if tg_op <> 'DELETE' and new.worker = 0 then
    insert into lab.polled values (
      new.lease, new.holder, new.lease_ms, lineshaft.sending_ms(), new.until, new.claim is null, null
    )
    on conflict (lease) do update set until = excluded.until, sent = excluded.sent;
  end if;
  return null;
end
$$;
create trigger lab_job_lease after insert or update or delete on lineshaft.job_lease
  for each row execute function lab.on_job_lease();
`;

export interface FinalRun {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly output: unknown;
  readonly ended: boolean;
  readonly key: string | null;
}

/** A step that somebody does: one attempt of it. */
export interface FinalStep {
  readonly id: string;
  readonly run: string;
  readonly ref: string;
  readonly status: string;
  readonly attempt: number;
  /** Monotonic; undefined: it has not ended. */
  readonly endedAtMs: number | undefined;
}

export interface RunDatabase {
  readonly runs: readonly FinalRun[];
  readonly steps: readonly FinalStep[];
  /** Jobs and marks that are left. */
  readonly leftOver: readonly string[];
  /** A step that was polled is held by a row of its own, which the name of its worker is in. */
  readonly workerRows: ReadonlyMap<string, WorkerRow>;
  readonly holds: ReadonlyMap<string, readonly Hold[]>;
  /** Rows of steps that were polled, whose answers were never known to be sent. */
  readonly unsent: ReadonlySet<string>;
}

export async function installRunAudit(url: string): Promise<void> {
  await installAudit(url);
  await withClient(url, (client) => client.query(install));
}

/** Reads everything, once nothing changes any more. */
export async function readRunDatabase(url: string): Promise<RunDatabase> {
  return await withClient(url, async (client) => {
    // The database runs on this machine, so that its clock and ours differ by a constant.
    const offsetMs = Date.now() - monotonicMs();
    const polled = await readPolled(client, offsetMs);
    const holds = await readHolds(client, offsetMs);
    return {
      runs: (await client.query<FinalRun>(finalRuns)).rows,
      steps: await readSteps(client, offsetMs),
      leftOver: (await client.query<{ what: string }>(leftOver)).rows.map(({ what }) => what),
      workerRows: new Map([...(await readWorkers(client, offsetMs)), ...polled.rows]),
      holds: new Map(
        [...holds].map(([id, list]) => [
          id,
          list.map((hold) => (hold.row === '0' ? { ...hold, row: rowOf(hold.lease) } : hold)),
        ]),
      ),
      unsent: polled.unsent,
    };
  });
}

const finalRuns = `
  select r.id, r.name, r.status, d.input, d.output, r.ended_at is not null as ended, r.idempotency_key as key
  from lineshaft.run r join lineshaft.run_data d on d.run_id = r.id`;
const finalSteps = `
  select s.id, s.run_id as run, s.ref, s.status, s.retry_count as attempt,
    (extract(epoch from s.ended_at) * 1000)::float8 as ended_at
  from lineshaft.step s where s.name like 'lab.%' order by s.run_id, s.seq`;
const leftOver = `
  select format('job %s is left', j.id) as what from lineshaft.job j
  union all
  select format('mark %s of run %s is left', m.id, m.run_id) from lineshaft.mark m`;

async function readSteps(client: pg.Client, offsetMs: number): Promise<FinalStep[]> {
  const { rows } = await client.query<Omit<FinalStep, 'endedAtMs'> & { ended_at: number | null }>(finalSteps);
  return rows.map(({ ended_at: endedAt, ...step }) => ({
    ...step,
    endedAtMs: endedAt === null ? undefined : endedAt - offsetMs,
  }));
}

async function readPolled(
  client: pg.Client,
  offsetMs: number,
): Promise<{ rows: Map<string, WorkerRow>; unsent: Set<string> }> {
  const { rows } = await client.query<{
    lease: string;
    holder: string;
    lease_ms: number;
    sending_ms: number;
    until: number;
    sent: boolean;
    gone_at: number | null;
  }>(
    `select lease, holder, lease_ms, sending_ms, (extract(epoch from until) * 1000)::float8 as until, sent,
      (extract(epoch from gone_at) * 1000)::float8 as gone_at from lab.polled`,
  );
  const found = new Map<string, WorkerRow>();
  for (const row of rows) {
    const name = rowOf(row.lease);
    found.set(name, {
      row: name,
      workerId: row.holder,
      leaseMs: row.sent ? row.lease_ms : row.sending_ms,
      leaseUntilMs: row.until - offsetMs,
      deletedAtMs: row.gone_at === null ? undefined : row.gone_at - offsetMs,
    });
  }
  return { rows: found, unsent: new Set(rows.filter(({ sent }) => !sent).map(({ lease }) => rowOf(lease))) };
}

function rowOf(lease: string): string {
  return `polled ${lease}`;
}
