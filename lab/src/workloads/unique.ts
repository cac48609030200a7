/** Jobs with unique keys: at most one living job has a key; who asks for a taken key is told which job has it. */
import type { JobAccount } from '../verdict/account.ts';
import type { Workload } from './workload.ts';

const keys = 30;

export const unique: Workload = {
  name: 'unique',
  share: 12,
  request: (random) => {
    const key = `key-${random.whole(1, keys)}`;
    return {
      ask: { expect: 'succeeded', key },
      payload: { ms: random.whole(0, 200), key },
      options: { unique: { key } },
    };
  },
  finish: () => 'done',
  violations: (jobs) => {
    const byKey = Map.groupBy(
      jobs.filter((job) => job.acked && job.keptFor === undefined),
      (job) => job.ask?.key ?? job.starts[0]?.key ?? '',
    );
    return [...byKey].flatMap(([key, holders]) => overlaps(key, holders));
  },
};

/**
 * A job was enqueued although an earlier one with its key could not have finished yet: its handler had not returned
 * when the later one was acknowledged.
 */
function overlaps(key: string, holders: readonly JobAccount[]): string[] {
  const sorted = holders.toSorted((one, other) => (one.ackAtMs ?? 0) - (other.ackAtMs ?? 0));
  return sorted.flatMap((later, place) => {
    const earlier = sorted[place - 1];
    const [sentAtMs] = later.sentAtMs;
    if (earlier?.ackAtMs === undefined || later.ackAtMs === undefined || sentAtMs === undefined) return [];
    // The first to return: a run that went on after its lease was taken from it may return later, and changes nothing.
    const returnedAtMs = Math.min(
      ...earlier.starts.flatMap(({ end }) => (end?.how === 'returned' ? [end.atMs] : [])),
    );
    const apart = earlier.ackAtMs < sentAtMs && Number.isFinite(returnedAtMs) && returnedAtMs > later.ackAtMs;
    return apart ? [`jobs ${earlier.id} and ${later.id} had the key ${key} at the same time`] : [];
  });
}
