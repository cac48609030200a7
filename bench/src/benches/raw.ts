/** `queue.raw`: the same work as a bare SQL loop, beside ours: the limit. */
import { alternate } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { measureDrain } from '../measure/drain.ts';
import { measureEnqueue } from './enqueue.ts';

export const raw: Bench = {
  name: 'queue.raw',
  about: 'the same work as a bare SQL loop: the limit',
  variants: ['drain', 'bulk', 'one-by-one'],
  systems: ['lineshaft', 'raw', 'raw-coalesced'],
  run: async (context) => {
    if (context.wants('drain')) await runDrain(context);
    if (context.wants('bulk')) await runEnqueue(context, 'bulk', 'addAll', 'raw');
    if (context.wants('one-by-one')) await runEnqueue(context, 'one-by-one', 'oneByOne', 'raw-coalesced');
  },
};

async function runDrain(context: Context): Promise<void> {
  const jobs = context.jobs(100_000, 10_000);
  const contestants = context.contestants(['lineshaft', 'raw'], 'drain', (seat) =>
    measureDrain(context, seat, { jobs, workers: 1 }),
  );
  const series = await alternate(contestants, context.rounds(5), context.report);
  context.report.variant({ variant: 'drain', series, primary: 'jobs_per_s' });
}

async function runEnqueue(
  context: Context,
  variant: string,
  how: 'addAll' | 'oneByOne',
  peer: string,
): Promise<void> {
  const jobs = how === 'addAll' ? context.jobs(100_000, 10_000) : context.jobs(20_000, 2_000);
  const contestants = context.contestants(['lineshaft', peer], 'enqueue', (seat) =>
    measureEnqueue(context, seat, how, jobs),
  );
  const series = await alternate(contestants, context.rounds(5), context.report);
  context.report.variant({ variant, series, primary: how === 'addAll' ? 'jobs_per_s' : 'calls_per_s' });
}
