/** `workflow.native`: runs of ten steps in a row with native workers, against `queue.drain` with history in the same run. */
import { alternate, type Series } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { measureDrain } from '../measure/drain.ts';
import { measureWorkflow, workflowSeat } from '../measure/workflow.ts';
import { findSystem } from '../systems/catalog.ts';

const STEPS = 10;

export const workflowNative: Bench = {
  name: 'workflow.native',
  about: 'runs of 10 steps in a row, 1 kB passed on, native workers: steps per second, CPU per step',
  variants: ['main'],
  systems: ['lineshaft'],
  run: async (context) => {
    const jobs = context.jobs(100_000, 10_000);
    const contestants = [
      { system: 'lineshaft', setup: 'queue.drain', measure: () => measureHistory(context, jobs) },
      { system: 'lineshaft', setup: 'workflow.native', measure: () => measureChain(context) },
    ];
    const [drained, native] = await alternate(contestants, context.rounds(5), context.report);
    if (native === undefined) return;
    context.report.against('main', native, 'queue.drain', asSteps(drained));
  },
};

/** Ten SIMPLE steps in a row, of so many runs. */
export function measureChain(context: Context) {
  const runs = context.options.quick ? 200 : 2_000;
  return measureWorkflow(context, workflowSeat('workflow.native'), {
    name: 'chain',
    runs,
    steps: runs * STEPS,
  });
}

function measureHistory(context: Context, jobs: number) {
  const seat = {
    system: findSystem('lineshaft'),
    setup: 'default',
    purpose: 'drain' as const,
    keepHistory: true,
  };
  // By as many jobs as the runs before those that are timed have steps.
  return measureDrain(context, seat, { jobs, workers: 1, warmUp: context.jobs(20_000, 200) });
}

/** A job of the drain is what a step is here. */
function asSteps(series: Series | undefined): Series | undefined {
  if (series === undefined) return undefined;
  const rounds = series.rounds.map((round) =>
    round === undefined ? undefined : { ...round, steps_per_s: round['jobs_per_s'] ?? 0 },
  );
  return { ...series, rounds };
}
