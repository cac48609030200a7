/** Jobs that fail some times and then succeed, and jobs that fail for good. Attempts that were cut short do not count. */
import type { Workload } from './workload.ts';

export const retried: Workload = {
  name: 'retried',
  share: 12,
  request: (random) => {
    const failures = random.whole(1, 3);
    return {
      ask: { expect: 'succeeded', failures },
      payload: { ms: random.whole(0, 20), failures },
      options: {
        maxAttempts: failures + 1,
        backoff: { type: 'fixed', delayMs: random.whole(50, 500), jitter: 0 },
      },
    };
  },
  finish: (payload, job) => {
    if (job.attempt <= (payload.failures ?? 0)) throw new Error(`attempt ${job.attempt} fails as it should`);
    return 'done';
  },
  violations: (jobs) =>
    jobs.flatMap((job) => {
      const wanted = (job.ask?.failures ?? 0) + 1;
      const [end] = job.finals;
      return end !== undefined && end.attempt !== wanted
        ? [`job ${job.id} finished with attempt ${end.attempt}, not ${wanted}`]
        : [];
    }),
};

export const doomed: Workload = {
  name: 'doomed',
  share: 4,
  request: (random) => ({
    ask: { expect: 'failed', failures: 2 },
    payload: { ms: random.whole(0, 20) },
    options: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 100, jitter: 0 } },
  }),
  finish: () => {
    throw new Error('it fails as it should');
  },
  violations: () => [],
};
