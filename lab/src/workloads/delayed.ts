/** Jobs with a delay: none starts before its time, whatever the clocks of callers and workers say. */
import type { Workload } from './workload.ts';

/** Timestamps are kept in microseconds and read in milliseconds. */
const toleranceMs = 5;

export const delayed: Workload = {
  name: 'delayed',
  share: 12,
  request: (random) => {
    const delayMs = random.whole(200, 3_000);
    return {
      ask: { expect: 'succeeded', delayMs },
      payload: { ms: random.whole(0, 20) },
      options: { delayMs },
    };
  },
  finish: () => 'done',
  violations: (jobs) =>
    jobs.flatMap((job) => {
      const [sent] = job.sentAtMs;
      const [first] = job.starts;
      if (sent === undefined || first === undefined) return [];
      const earlyMs = sent + (job.ask?.delayMs ?? 0) - first.atMs;
      return earlyMs > toleranceMs ? [`job ${job.id} started ${Math.round(earlyMs)} ms before its time`] : [];
    }),
};
