/** Jobs under limits: never more at once than allowed, and one after the other, in order, where that is asked for. */
import type { JobAccount, Start } from '../verdict/account.ts';
import { leasedStarts, toleranceMs } from '../verdict/duplicates.ts';
import type { Evidence } from '../verdict/evidence.ts';
import type { Workload } from './workload.ts';

const keys = 8;
const atOnce = 2;

export const limited: Workload = {
  name: 'limited',
  share: 8,
  limits: [{ name: 'lab-limited', concurrency: atOnce, key: { payload: 'key' }, kinds: ['lab.limited'] }],
  request: (random) => {
    const key = `key-${random.whole(1, keys)}`;
    return { ask: { expect: 'succeeded', key }, payload: { ms: random.whole(20, 150), key }, options: {} };
  },
  finish: () => 'done',
  violations: (jobs, evidence) =>
    byKey(jobs).flatMap(([key, of]) => {
      const most = mostAtOnce(of.flatMap((job) => spansOf(job, evidence)));
      return most > atOnce ? [`out of limit: ${most} jobs of ${key} ran at once, ${atOnce} may`] : [];
    }),
};

export const ordered: Workload = {
  name: 'ordered',
  share: 6,
  limits: [{ name: 'lab-ordered', fifo: true, key: { payload: 'key' }, kinds: ['lab.ordered'] }],
  request: (random) => {
    const key = `key-${random.whole(1, keys)}`;
    const failures = random.whole(0, 5) === 0 ? 1 : 0;
    return {
      ask: { expect: 'succeeded', key, failures },
      payload: { ms: random.whole(5, 60), key, failures },
      options: { maxAttempts: 3, backoff: { type: 'fixed', delayMs: 100, jitter: 0 } },
    };
  },
  finish: (payload, job) => {
    if (job.attempt <= (payload.failures ?? 0)) throw new Error(`attempt ${job.attempt} fails as it should`);
    return 'done';
  },
  violations: (jobs, evidence) => byKey(jobs).flatMap(([key, of]) => outOfOrder(key, of, evidence)),
};

/** When a run had a right to run: until it ended, or its worker was killed, or its lease was taken from it. */
interface Span {
  readonly job: JobAccount;
  readonly fromMs: number;
  readonly toMs: number;
}

function spansOf(job: JobAccount, evidence: Evidence): Span[] {
  return leasedStarts(job, evidence).flatMap(({ start, worker }) => {
    const toMs = Math.min(
      start.end?.atMs ?? Infinity,
      worker?.deletedAtMs ?? Infinity,
      killedAtMs(start, evidence),
    );
    return toMs > start.atMs ? [{ job, fromMs: start.atMs, toMs }] : [];
  });
}

function killedAtMs({ by }: Start, { faults }: Evidence): number {
  return faults.find(({ kind, target }) => kind === 'worker killed' && target === by)?.fromMs ?? Infinity;
}

function mostAtOnce(spans: readonly Span[]): number {
  const changes = spans.flatMap(({ fromMs, toMs }) => [
    { atMs: fromMs, by: 1 },
    { atMs: toMs, by: -1 },
  ]);
  let now = 0;
  let most = 0;
  for (const { by } of changes.toSorted((one, other) => one.atMs - other.atMs || one.by - other.by)) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}

/** If A was acknowledged before B was asked for, B starts after A has ended for good. */
function outOfOrder(key: string, jobs: readonly JobAccount[], evidence: Evidence): string[] {
  const sorted = jobs
    .filter((job) => job.acked && job.starts.length > 0)
    .toSorted((one, other) => (one.ackAtMs ?? 0) - (other.ackAtMs ?? 0));
  return sorted.flatMap((later) => {
    const [sentAtMs = 0] = later.sentAtMs;
    const startedAtMs = Math.min(...spansOf(later, evidence).map(({ fromMs }) => fromMs));
    // The last one that was acknowledged before: those before it are held against it.
    const before = sorted.findLast((job) => (job.ackAtMs ?? Infinity) < sentAtMs);
    if (before === undefined) return [];
    const returnedAtMs = Math.min(
      ...before.starts.flatMap(({ end }) => (end?.how === 'returned' ? [end.atMs] : [])),
    );
    return startedAtMs < returnedAtMs - toleranceMs
      ? [
          `out of order: job ${later.id} of ${key} started before ${before.id}, which was enqueued before it, had ended`,
        ]
      : [];
  });
}

function byKey(jobs: readonly JobAccount[]): [string, JobAccount[]][] {
  return [...Map.groupBy(jobs, (job) => job.starts[0]?.key ?? job.ask?.key ?? '')];
}
