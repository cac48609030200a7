/** Jobs of a schedule: exactly one for each second, whoever leads and whatever dies. */
import type { Workload } from './workload.ts';

const everyMs = 1_000;

export const ticks: Workload = {
  name: 'tick',
  share: 0,
  schedules: [
    {
      name: 'lab-tick',
      every: everyMs,
      // What was missed while nobody led or there was no database is made up for, each of them.
      backfill: { withinMs: 3_600_000, most: 1_000 },
      kind: 'lab.tick',
      payload: { ms: 5 },
    },
  ],
  request: () => {
    throw new TypeError('a tick is enqueued by its schedule');
  },
  finish: (_payload, job) => {
    if (job.schedule === undefined) throw new TypeError('the job of a schedule does not know its tick');
    return 'done';
  },
  violations: (jobs) => {
    const byTick = Map.groupBy(jobs, (job) => job.starts[0]?.key ?? '');
    const twice = [...byTick].flatMap(([tick, of]) =>
      of.length > 1 ? [`the tick ${tick} has ${of.length} jobs: ${of.map((job) => job.id).join(', ')}`] : [],
    );
    const times = [...byTick.keys()].map((tick) => Date.parse(tick)).toSorted((one, other) => one - other);
    const missing = times.flatMap((time, place) => {
      const before = times[place - 1] ?? time - everyMs;
      return time - before > 1.5 * everyMs
        ? [
            `no job for the ticks between ${new Date(before).toISOString()} and ${new Date(time).toISOString()}`,
          ]
        : [];
    });
    const unfinished = jobs
      .filter((job) => job.finals.length === 0)
      .map((job) => `the tick of job ${job.id} has not ended`);
    return [...twice, ...missing, ...unfinished];
  },
};
