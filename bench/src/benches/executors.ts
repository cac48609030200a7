/** `queue.executors`: the same no-op jobs in each executor, against `async`. */
import { alternate } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { measureDrain } from '../measure/drain.ts';
import { findSystem } from '../systems/catalog.ts';

/** With the share of the jobs that each gets: a command is a new process for each. */
const EXECUTORS: Readonly<Record<string, number>> = { async: 1, thread: 1, process: 1, command: 0.01 };

export const executors: Bench = {
  name: 'queue.executors',
  about: 'no-op jobs in each executor',
  variants: Object.keys(EXECUTORS),
  systems: ['lineshaft'],
  run: async (context) => {
    const wanted = Object.keys(EXECUTORS).filter((name) => name === 'async' || context.wants(name));
    const contestants = wanted.map((executor) => ({
      system: 'lineshaft',
      setup: executor,
      measure: () => measureExecutor(context, executor),
    }));
    const series = await alternate(contestants, context.rounds(5), context.report);
    const reference = series.find((each) => each.setup === 'async');
    for (const each of series) {
      if (each.rounds.length === 0) continue;
      context.report.against(each.setup, each, 'async', each === reference ? undefined : reference);
    }
  },
};

function measureExecutor(context: Context, executor: string) {
  const share = EXECUTORS[executor] ?? 1;
  const seat = {
    system: findSystem('lineshaft'),
    setup: 'default',
    purpose: 'drain' as const,
    extra: { executor },
  };
  return measureDrain(context, seat, {
    jobs: Math.ceil(context.jobs(50_000, 5_000) * share),
    warmUp: Math.ceil(1_000 * share),
    workers: 1,
    countsHandled: false,
  });
}
