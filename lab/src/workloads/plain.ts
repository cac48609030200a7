/** Jobs of all priorities that only work for a moment, a few of them for longer than a lease. */
import type { Workload } from './workload.ts';

export const plain: Workload = {
  name: 'plain',
  share: 47,
  request: (random) => ({
    ask: { expect: 'succeeded' },
    payload: { ms: random.whole(0, 30) },
    options: { priority: random.pick([-10, 0, 0, 0, 10]) },
  }),
  finish: () => 'done',
  violations: () => [],
};

export const slow: Workload = {
  name: 'slow',
  share: 1,
  request: (random) => ({
    ask: { expect: 'succeeded' },
    payload: { ms: random.whole(300, 3_500) },
    options: {},
  }),
  finish: () => 'done',
  violations: () => [],
};
