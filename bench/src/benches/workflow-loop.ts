/** `workflow.loop`: a DO_WHILE of 10,000 iterations; the last thousand against the first thousand of the same run. */

import type { Agent } from '../agent-handle.ts';
import { alternate, type Metrics, type Series } from '../alternate.ts';
import type { Bench } from '../context.ts';
import { measureWorkflow, workflowSeat } from '../measure/workflow.ts';

export const workflowLoop: Bench = {
  name: 'workflow.loop',
  about: 'a loop of 10,000 iterations of one step: whether the last thousand take longer than the first',
  variants: ['main', 'last-thousand'],
  systems: ['lineshaft'],
  run: async (context) => {
    const size = context.jobs(10_000, 1_000);
    const contestant = {
      system: 'lineshaft',
      setup: 'main',
      measure: () =>
        measureWorkflow(context, workflowSeat('workflow.loop'), {
          name: 'loop',
          runs: 1,
          size,
          steps: size,
          after: paces,
        }),
    };
    const [series] = await alternate([contestant], context.rounds(3), context.report);
    if (series === undefined) return;
    context.report.against('main', series, 'main', undefined);
    const ofPart = (part: 'first' | 'last'): Series => ({
      ...series,
      rounds: series.rounds.map((round) => (round === undefined ? undefined : { wall_s: round[part] ?? 0 })),
    });
    context.report.against('last-thousand', ofPart('last'), 'first-thousand', ofPart('first'));
  },
};

async function paces(producer: Agent): Promise<Metrics> {
  const [first = 0, last = 0] = (await producer.call('extra', {
    name: 'paces',
    args: { name: 'loop' },
  })) as number[];
  return { first, last };
}
