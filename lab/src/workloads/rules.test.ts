/** The rules of the workloads notice what they are there for. */
import { describe, expect, test } from 'vitest';
import type { JobAccount, Start } from '../verdict/account.ts';
import type { Evidence, WorkerRow } from '../verdict/evidence.ts';
import { delayed } from './delayed.ts';
import { limited, ordered } from './limited.ts';
import { ticks } from './ticks.ts';
import { unique } from './unique.ts';

function account(
  id: string,
  sentMs: number,
  runs: readonly (readonly [by: string, from: number, to: number])[],
) {
  const starts: Start[] = runs.map(([by, atMs, endMs]) => {
    return { id, atMs, by, attempt: 1, key: 'k', end: { atMs: endMs, how: 'returned' } };
  });
  const job: JobAccount = {
    ref: id,
    workload: 'any',
    ask: { workload: 'any', expect: 'succeeded', key: 'k', delayMs: 500 },
    id,
    acked: true,
    keptFor: undefined,
    ackAtMs: sentMs + 5,
    sentAtMs: [sentMs],
    starts,
    finals: [{ id, ref: id, workload: 'any', state: 'succeeded', attempt: 1 }],
    ids: [id],
  };
  return job;
}

/** Each worker has one row; `deletedAtMs` is when its leases were taken from it. */
function evidenceOf(
  jobs: readonly JobAccount[],
  deletedAtMs: Readonly<Record<string, number>> = {},
): Evidence {
  const starts = jobs.flatMap((job) => job.starts);
  const rows = starts.map(({ by }): [string, WorkerRow] => [
    by,
    { row: by, workerId: by, leaseMs: 3_000, leaseUntilMs: 9_000, deletedAtMs: deletedAtMs[by] },
  ]);
  const holds = Map.groupBy(
    starts.map(({ id, by, atMs }) => ({
      jobId: id,
      lease: `${by} ${id}`,
      row: by,
      fence: 0,
      takenAtMs: atMs - 1,
    })),
    ({ jobId }) => jobId,
  );
  return {
    ledger: [],
    accounts: jobs,
    faults: [],
    workerRows: new Map(rows),
    holds,
    unfinished: new Map(),
    crashes: [],
  };
}

describe('the rules of workloads', () => {
  test('three at once where two may be', () => {
    const jobs = ['a', 'b', 'c'].map((id, n) => account(id, n, [[id, 100 + n, 200]]));
    expect(limited.violations(jobs, evidenceOf(jobs))).toEqual([
      'out of limit: 3 jobs of k ran at once, 2 may',
    ]);
    expect(limited.violations(jobs.slice(1), evidenceOf(jobs))).toEqual([]);
  });

  test('a run whose lease was taken from it counts no longer', () => {
    const jobs = ['a', 'b', 'c'].map((id, n) => account(id, n, [[id, 100 + 50 * n, 400]]));
    expect(limited.violations(jobs, evidenceOf(jobs, { a: 190 }))).toEqual([]);
    expect(limited.violations(jobs, evidenceOf(jobs, { a: 210 }))).toHaveLength(1);
  });

  test('a job that starts before the one that was enqueued before it has ended', () => {
    const first = account('a', 0, [['one', 100, 300]]);
    const early = account('b', 50, [['two', 200, 250]]);
    const rightly = account('b', 50, [['two', 310, 350]]);
    expect(ordered.violations([first, early], evidenceOf([first, early]))).toHaveLength(1);
    expect(ordered.violations([first, rightly], evidenceOf([first, rightly]))).toEqual([]);
  });

  test('two jobs with one key, a start before its time', () => {
    const jobs = [account('a', 0, [['one', 100, 300]]), account('b', 150, [['two', 310, 320]])];
    expect(unique.violations(jobs, evidenceOf(jobs))).toEqual([
      'jobs a and b had the key k at the same time',
    ]);
    expect(delayed.violations(jobs, evidenceOf(jobs))).toHaveLength(2);
  });

  test('a tick with two jobs, and one with none', () => {
    const tick = (id: string, second: number): JobAccount => {
      const job = account(id, 0, [['one', 100, 110]]);
      const key = new Date(second * 1_000).toISOString();
      return { ...job, starts: job.starts.map((start) => ({ ...start, key })) };
    };
    const jobs = [tick('a', 1), tick('b', 2), tick('c', 3)];
    expect(ticks.violations(jobs, evidenceOf(jobs))).toEqual([]);
    const wrong = [tick('a', 1), tick('b', 1), tick('c', 3)];
    expect(ticks.violations(wrong, evidenceOf(wrong))).toHaveLength(2);
  });
});
