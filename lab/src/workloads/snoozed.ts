/** Jobs that put themselves off until a time; no attempt is counted for that. */
import { monotonicMs } from '../monotonic.ts';
import type { Workload } from './workload.ts';

export const snoozed: Workload = {
  name: 'snoozed',
  share: 6,
  request: (random, nowMs) => ({
    ask: { expect: 'succeeded' },
    payload: { ms: random.whole(0, 20), snoozeUntil: nowMs + random.whole(300, 2_000) },
    options: { maxAttempts: 1 },
  }),
  finish: (payload, job) => {
    const leftMs = (payload.snoozeUntil ?? 0) - monotonicMs();
    return leftMs > 0 ? job.snooze(Math.ceil(leftMs)) : 'done';
  },
  violations: (jobs) =>
    jobs.flatMap((job) => {
      const [end] = job.finals;
      return end !== undefined && end.attempt !== 1
        ? [`job ${job.id} snoozed, and finished with attempt ${end.attempt}`]
        : [];
    }),
};
