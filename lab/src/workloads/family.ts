/** Jobs that enqueue another one in the transaction that completes them: each has exactly one child, never two. */
import type { JobAccount } from '../verdict/account.ts';
import type { Workload } from './workload.ts';

export const parent: Workload = {
  name: 'parent',
  share: 6,
  request: (random) => ({
    ask: { expect: 'succeeded' },
    payload: { ms: random.whole(0, 100) },
    options: {},
  }),
  finish: (payload, job) => {
    job.enqueue('lab.child', { ref: `${payload.ref}/child`, ms: 5 }, { queue: job.queue });
    return 'done';
  },
  violations: () => [],
};

export const child: Workload = {
  name: 'child',
  share: 0,
  request: () => {
    throw new TypeError('a child is enqueued by its parent');
  },
  finish: () => 'done',
  violations: (jobs, { accounts }) => {
    const children = Map.groupBy(jobs, (job) => job.ref.replace(/\/child$/, ''));
    return accounts
      .filter((job) => job.workload === parent.name && job.finals[0]?.state === 'succeeded')
      .flatMap((job) => wrongNumber(job, children.get(job.ref) ?? []));
  },
};

function wrongNumber(job: JobAccount, children: readonly JobAccount[]): string[] {
  const finished = children.filter((each) => each.finals.length > 0);
  return finished.length === 1
    ? []
    : [`job ${job.id} finished once and has ${finished.length} finished children`];
}
