/** What a run leaves behind to be judged. Times are monotonicMs. */
import type { Signed } from '../ledger/reader.ts';
import type { JobAccount } from './account.ts';

/** Something that the lab did, or that a process noticed, which can silence a worker. */
export interface FaultRecord {
  readonly kind: FaultKind;
  /** The worker process that it hit; undefined where it hit all. */
  readonly target?: string;
  readonly fromMs: number;
  /** Infinity where it was not undone, as with a kill. */
  readonly untilMs: number;
}

export type FaultKind =
  | 'worker killed'
  | 'server killed'
  | 'caller killed'
  | 'worker paused'
  | 'connection cut'
  | 'database away'
  | 'pooler killed'
  | 'primary killed'
  | 'disk full'
  | 'clock moved'
  | 'process stalled';

/** A row of table worker, from its making to its end, as triggers in the database wrote it down. */
export interface WorkerRow {
  readonly row: string;
  /** The process. */
  readonly workerId: string;
  readonly leaseMs: number;
  /** As the last heartbeat left it. */
  readonly leaseUntilMs: number;
  readonly deletedAtMs: number | undefined;
  /** The place of the server by which it is heard, of one that polls. */
  readonly heardThrough?: string;
}

/** A job in a row of table lease. */
export interface Hold {
  readonly jobId: string;
  readonly lease: string;
  /** The row of the worker. */
  readonly row: string;
  readonly fence: number;
  readonly takenAtMs: number;
}

/** A finished job in the database. */
export interface Final {
  readonly id: string;
  readonly ref: string;
  readonly workload: string;
  readonly state: 'succeeded' | 'failed' | 'cancelled';
  readonly attempt: number;
}

export interface Evidence {
  readonly ledger: readonly Signed[];
  readonly accounts: readonly JobAccount[];
  readonly faults: readonly FaultRecord[];
  readonly workerRows: ReadonlyMap<string, WorkerRow>;
  readonly holds: ReadonlyMap<string, readonly Hold[]>;
  /** Jobs that are in the database and not finished: where each waits. */
  readonly unfinished: ReadonlyMap<string, string>;
  /** What processes said when they ended though nobody had ended them. */
  readonly crashes: readonly string[];
}
