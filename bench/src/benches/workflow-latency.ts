/** `workflow.latency`: an idle system, one run of ten steps after the other; per step, against `queue.latency` in the same run. */
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { workflowSeat } from '../measure/workflow.ts';
import { percentiles } from '../statistics.ts';
import { measureLatency } from './latency.ts';

const STEPS = 10;

export const workflowLatency: Bench = {
  name: 'workflow.latency',
  about: 'idle system: wall time of a run of 10 steps with native workers, per step',
  variants: ['native'],
  systems: ['lineshaft'],
  run: async (context) => {
    const runs = context.options.quick ? 30 : 300;
    const [seat] = context.chosen(['lineshaft']).map((system) => ({
      system,
      setup: 'default',
      purpose: 'latency' as const,
    }));
    if (seat === undefined) return;
    const contestants = [
      {
        system: 'lineshaft',
        setup: 'queue.latency',
        measure: () => measureLatency(context, seat, context.jobs(2_000, 200)),
      },
      { system: 'lineshaft', setup: 'native', measure: () => measureRuns(context, runs) },
    ];
    const [queue, native] = await alternate(contestants, context.rounds(5), context.report);
    if (native !== undefined) context.report.against('native', native, 'queue.latency', queue);
  },
};

async function measureRuns(context: Context, runs: number): Promise<Metrics> {
  const seat = workflowSeat('native');
  const store = await context.stores.open(seat.system);
  const agent = await context.agent(seat, store);
  try {
    await agent.call('prepare', {});
    await agent.call('openWorker', {});
    await store.settle();
    await agent.call('startWorker', {});
    const call = (count: number): Promise<unknown> =>
      agent.call('extra', { name: 'runOne', args: { name: 'chain', runs: count } });
    await call(10);
    const milliseconds = (await call(runs)) as number[];
    await agent.call('stopWorker', {});
    return percentiles(milliseconds.map((ms) => ms / STEPS));
  } finally {
    await agent.end();
    await store.drop();
  }
}
