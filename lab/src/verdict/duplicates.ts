/**
 * Finds jobs that were run again although an earlier run had not failed, and derives from the rows of workers and
 * leases why. A duplicate is explained if, and only if:
 *
 * 1. the earlier run had a lease, and the row of its worker was taken away after `lease_until` and before the later
 *    run's lease was made: the lease had run out, and only then was the job given away;
 * 2. while the worker should have renewed it, something silenced this very worker: a fault that the lab recorded,
 *    or a stall that the process itself wrote down.
 *
 * Everything else is unexplained.
 */
import type { JobAccount, Start } from './account.ts';
import type { Evidence, FaultKind, FaultRecord, Hold, WorkerRow } from './evidence.ts';

export interface Duplicate {
  readonly jobId: string;
  /** Undefined: unexplained. */
  readonly cause: FaultKind | undefined;
  /** For people. */
  readonly story: string;
}

/** The clock of the database is read in milliseconds, and its rows are written a moment before they can be seen. */
export const toleranceMs = 20;

type LeaseEvidence = Pick<Evidence, 'holds' | 'workerRows' | 'faults'>;

/** A run of a job, and the lease under which its worker ran it. */
export interface LeasedStart {
  readonly start: Start;
  readonly hold: Hold | undefined;
  readonly worker: WorkerRow | undefined;
}

/** The runs of a job in the order of their leases, which is not always the order in which they began. */
export function leasedStarts(job: Pick<JobAccount, 'starts'>, evidence: LeaseEvidence): LeasedStart[] {
  return job.starts
    .map((start) => {
      const hold = evidence.holds
        .get(start.id)
        ?.filter((each) => evidence.workerRows.get(each.row)?.workerId === start.by)
        .findLast((each) => each.takenAtMs <= start.atMs + toleranceMs);
      return { start, hold, worker: hold && evidence.workerRows.get(hold.row) };
    })
    .toSorted((one, other) => orderOf(one) - orderOf(other));
}

function orderOf({ start, hold }: LeasedStart): number {
  return hold?.takenAtMs ?? start.atMs;
}

export function duplicatesOf(job: Pick<JobAccount, 'starts'>, evidence: LeaseEvidence): Duplicate[] {
  const runs = leasedStarts(job, evidence);
  return runs.flatMap((later, place) => {
    const earlier = runs[place - 1];
    if (earlier === undefined || followsRightly(earlier, later)) return [];
    return [explain(earlier, later, evidence)];
  });
}

/** A run that failed or put the job off is followed by another one. */
function followsRightly(earlier: LeasedStart, later: LeasedStart): boolean {
  const { end, attempt } = earlier.start;
  if (end === undefined || earlier.start.id !== later.start.id || earlier.hold === later.hold) return false;
  if (end.how === 'threw') return later.start.attempt === attempt + 1;
  if (end.how === 'snoozed') return later.start.attempt === attempt && !gaveWay(earlier, later);
  return false;
}

/** When the worker of the earlier run was taken for dead, if that was before the later run's lease. */
function rescuedAtMs(earlier: LeasedStart, later: LeasedStart): number | undefined {
  const at = earlier.worker?.deletedAtMs;
  return at !== undefined && later.hold !== undefined && at <= later.hold.takenAtMs + toleranceMs
    ? at
    : undefined;
}

function gaveWay(earlier: LeasedStart, later: LeasedStart): boolean {
  return rescuedAtMs(earlier, later) !== undefined;
}

function explain(earlier: LeasedStart, later: LeasedStart, evidence: LeaseEvidence): Duplicate {
  const { start, hold, worker } = earlier;
  const jobId = start.id;
  const ran = `${start.by} ran it at ${time(start.atMs)} (${start.end?.how ?? 'no end'}), ${later.start.by} at ${time(later.start.atMs)}`;
  const unexplained = (why: string): Duplicate => ({ jobId, cause: undefined, story: `${ran}: ${why}` });
  if (hold === undefined || worker === undefined) return unexplained('the first ran without a lease');
  if (later.hold === undefined) return unexplained('the second ran without a lease');
  if (hold === later.hold) return unexplained(`twice under lease ${hold.lease}`);
  const rescuedMs = rescuedAtMs(earlier, later);
  if (rescuedMs === undefined) return unexplained(`lease ${hold.lease} had not been taken from it`);
  if (rescuedMs < worker.leaseUntilMs - toleranceMs) {
    return unexplained(
      `lease ${hold.lease} was taken from it ${Math.round(worker.leaseUntilMs - rescuedMs)} ms too early`,
    );
  }
  const lease = `lease ${hold.lease} ran out at ${time(worker.leaseUntilMs)}`;
  const silenced = causeOf(worker, evidence.faults);
  if (silenced === undefined) return unexplained(`${lease}, and nothing had been done to the worker`);
  return {
    jobId,
    cause: silenced.kind,
    story: `${ran}: ${lease}, ${silenced.kind} at ${time(silenced.fromMs)}`,
  };
}

/** What kept the worker from renewing its lease: it was due from the last heartbeat on. */
function causeOf(worker: WorkerRow, faults: readonly FaultRecord[]): FaultRecord | undefined {
  const heardMs = worker.leaseUntilMs - worker.leaseMs;
  const hit = faults.filter(
    (fault) =>
      fault.kind !== 'clock moved' &&
      (fault.target === undefined || fault.target === worker.workerId || isServer(fault, worker)) &&
      fault.fromMs <= worker.leaseUntilMs + toleranceMs &&
      fault.untilMs >= heardMs - toleranceMs,
  );
  // What hit this worker alone says more than what hit all; a stall that it noticed itself says least.
  return hit.toSorted((one, other) => rank(one) - rank(other))[0];
}

/** A server that died before it could say that the worker has what it polled. */
function isServer({ target }: FaultRecord, { heardThrough }: WorkerRow): boolean {
  return heardThrough !== undefined && target?.startsWith(`${heardThrough}.`) === true;
}

function rank({ kind, target }: FaultRecord): number {
  if (kind === 'process stalled') return 2;
  return target === undefined ? 1 : 0;
}

function time(ms: number): string {
  return `${(ms / 1_000).toFixed(3)} s`;
}
