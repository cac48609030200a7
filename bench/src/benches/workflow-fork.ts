/** `workflow.fork`: a FORK_JOIN_DYNAMIC of 10,000 branches, against the steps of `workflow.native` in the same run. */
import { alternate } from '../alternate.ts';
import type { Bench } from '../context.ts';
import { measureWorkflow, workflowSeat } from '../measure/workflow.ts';
import { measureChain } from './workflow-native.ts';

export const workflowFork: Bench = {
  name: 'workflow.fork',
  about: 'one fork of 10,000 branches, native workers: CPU per branch against a step of workflow.native',
  variants: ['main'],
  systems: ['lineshaft'],
  run: async (context) => {
    const size = context.jobs(10_000, 1_000);
    const contestants = [
      { system: 'lineshaft', setup: 'workflow.native', measure: () => measureChain(context) },
      {
        system: 'lineshaft',
        setup: 'workflow.fork',
        measure: () =>
          measureWorkflow(context, workflowSeat('workflow.fork'), {
            name: 'fork',
            runs: 1,
            size,
            steps: size,
          }),
      },
    ];
    const [native, fork] = await alternate(contestants, context.rounds(5), context.report);
    if (fork !== undefined) context.report.against('main', fork, 'workflow.native', native);
  },
};
