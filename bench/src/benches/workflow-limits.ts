/**
 * `workflow.limits`: 500 tasks of 100 ms under `concurrentExecLimit` 5: how busy the five slots are, with workers over HTTP,
 * straight from core, and native; and by how many the limit is ever exceeded, by what the workers themselves say.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { withPollSite } from '../measure/polls.ts';
import type { Interval } from '../systems/lineshaft-polls.ts';

const LIMIT = 5;
const TASK_MS = 100;
const WORKERS = 8;
const variants = ['http', 'core', 'native'];

export const workflowLimits: Bench = {
  name: 'workflow.limits',
  about: '500 tasks of 100 ms of which 5 may run at once: how busy the slots are, how exact the limit is',
  variants,
  systems: ['lineshaft'],
  run: async (context) => {
    for (const variant of variants) {
      if (!context.wants(variant)) continue;
      const measure = (): Promise<Metrics> => measureLimited(context, variant);
      const series = await alternate(
        [{ system: 'lineshaft', setup: variant, measure }],
        context.rounds(5),
        context.report,
      );
      context.report.variant({ variant, series, primary: 'busy_ratio' });
    }
  },
};

async function measureLimited(context: Context, variant: string): Promise<Metrics> {
  const runs = context.jobs(500, 100);
  return await withPollSite(context, variant === 'http', async ({ store, server, client, url }) => {
    await server.call('extra', { name: 'startRuns', args: { runs } });
    await store.settle();
    const name = variant === 'native' ? 'workNatively' : 'work';
    await client.call('extra', { name, args: { url, workers: WORKERS, durationMs: TASK_MS } });
    const deadline = performance.now() + 60_000 + (10 * runs * TASK_MS) / LIMIT;
    let intervals: Interval[] = [];
    while (intervals.length < runs) {
      if (performance.now() > deadline) throw new Error('the tasks are not done in time');
      await delay(500);
      intervals = (await client.call('extra', { name: 'intervals', args: {} })) as Interval[];
    }
    return judge(intervals);
  });
}

/** How busy the slots were until the last task began, and the most that ran at once beyond what is allowed. */
function judge(intervals: readonly Interval[]): Metrics {
  const first = Math.min(...intervals.map(([began]) => began));
  const last = Math.max(...intervals.map(([began]) => began));
  let busyMs = 0;
  for (const [began, ended] of intervals) busyMs += Math.max(Math.min(ended, last) - began, 0);
  const steps = intervals.flatMap(([began, ended]) => [[began, 1] as const, [ended, -1] as const]);
  steps.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let now = 0;
  let most = 0;
  for (const [, step] of steps) {
    now += step;
    most = Math.max(most, now);
  }
  return { busy_ratio: busyMs / ((last - first) * LIMIT), overshoot: Math.max(most - LIMIT, 0) };
}
