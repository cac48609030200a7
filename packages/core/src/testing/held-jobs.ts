/** Queues, lanes and claimed jobs for tests of the worker's pure parts. */

import { type Queue, queueFromRow } from '../domain/queue.ts';
import { HeldJob, Lease } from '../worker/held-job.ts';
import type { Lane } from '../worker/lanes.ts';
import { QueueRuntime } from '../worker/queue-runtime.ts';

/** A queue with default settings but for those that are given, by the names of their columns. */
export function makeQueue(id: number, row: Readonly<Record<string, unknown>> = {}): Queue {
  const name = `q${id}`;
  const times = { created_at: new Date(0), updated_at: new Date(0) };
  return queueFromRow({ id, project_id: 1, project: 'default', name, slug: `1-${name}`, ...times, ...row });
}

export function makeLane(id: number, queueId: number, more: Partial<Lane> = {}): Lane {
  return { id, queueId, kind: 'one', requirements: [], pin: 'none', build: '', wants: {}, ...more };
}

export interface HeldJobSettings {
  readonly id?: string;
  readonly payload?: unknown;
  readonly fence?: number;
  readonly attempt?: number;
  readonly options?: object;
  readonly errors?: readonly object[];
}

let jobs = 0;

/** A claimed job under a lease; the lease counts it. */
export function makeHeldJob(lease: Lease, runtime: QueueRuntime, settings: HeldJobSettings = {}): HeldJob {
  jobs += 1;
  const id = settings.id ?? `01890a5d-ac96-774b-bcce-${jobs.toString(16).padStart(12, '0')}`;
  const { payload = null, fence = 0, attempt = 0, options = null, errors = null } = settings;
  const rest = JSON.stringify([fence, attempt, 0, 1, options, errors]);
  const row = [lease.id, id, '1', '1700000000000', JSON.stringify(payload), rest];
  const job = new HeldJob(row, lease, makeLane(1, runtime.queue.id), runtime);
  lease.unsettled += 1;
  lease.open.set(job.jobId, job);
  return job;
}

export function makeLease(id = '1', takenAtMs = 0): Lease {
  return new Lease(id, takenAtMs);
}

export function makeRuntime(row: Readonly<Record<string, unknown>> = {}): QueueRuntime {
  return new QueueRuntime(makeQueue(1, row));
}
