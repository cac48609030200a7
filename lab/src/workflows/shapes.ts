/**
 * What runs of the lab do: each shape crosses other borders at which a process may die, and says which output a run must
 * have in the end, whatever was done twice.
 */

import type { StepDefinition, WorkflowDefinition } from '@lineshaft/core';

/** A task fails at its first attempt where its input says so, and gives back its input but that. */
const task = (ref: string, inputParameters: Record<string, unknown>): StepDefinition => ({
  name: 'lab.step',
  taskReferenceName: ref,
  type: 'SIMPLE',
  inputParameters,
  taskDefinition: { name: 'lab.step', retryCount: 50, retryDelaySeconds: 0, responseTimeoutSeconds: 60 },
});

export interface Shape {
  readonly definition: WorkflowDefinition;
  /** What the output of a run must be, by its number. */
  output(n: number): Readonly<Record<string, unknown>>;
}

const chain: Shape = {
  definition: {
    name: 'lab-chain',
    version: 1,
    outputParameters: { n: '${d.output.n}' },
    tasks: [
      task('a', { n: '${workflow.input.n}' }),
      task('b', { n: '${a.output.n}', failsOnce: true }),
      task('c', { n: '${b.output.n}' }),
      task('d', { n: '${c.output.n}' }),
    ],
  },
  output: (n) => ({ n }),
};

const fork: Shape = {
  definition: {
    name: 'lab-fork',
    version: 1,
    outputParameters: { left: '${join.output.l2.n}', right: '${join.output.r.n}', last: '${last.output.n}' },
    tasks: [
      {
        name: 'fork',
        taskReferenceName: 'fork',
        type: 'FORK_JOIN',
        forkTasks: [
          [task('l1', { n: '${workflow.input.n}' }), task('l2', { n: '${l1.output.n}' })],
          [task('r', { n: '${workflow.input.n}', failsOnce: true })],
        ],
      },
      { name: 'join', taskReferenceName: 'join', type: 'JOIN', joinOn: ['l2', 'r'] },
      task('last', { n: '${l2.output.n}' }),
    ],
  },
  output: (n) => ({ left: n, right: n, last: n }),
};

const loop: Shape = {
  definition: {
    name: 'lab-loop',
    version: 1,
    outputParameters: { times: '${loop.output.iteration}' },
    tasks: [
      {
        name: 'loop',
        taskReferenceName: 'loop',
        type: 'DO_WHILE',
        loopCondition: "$.loop['iteration'] < 3",
        loopOver: [task('body', { n: '${workflow.input.n}' })],
      },
    ],
  },
  output: () => ({ times: 3 }),
};

const parent: Shape = {
  definition: {
    name: 'lab-parent',
    version: 1,
    outputParameters: { n: '${child.output.n}', waited: '${after.output.n}' },
    tasks: [
      {
        name: 'child',
        taskReferenceName: 'child',
        type: 'SUB_WORKFLOW',
        subWorkflowParam: { name: 'lab-chain', version: 1 },
        inputParameters: { n: '${workflow.input.n}' },
      },
      { name: 'wait', taskReferenceName: 'wait', type: 'WAIT', inputParameters: { duration: '1 seconds' } },
      task('after', { n: '${child.output.n}' }),
    ],
  },
  output: (n) => ({ n, waited: n }),
};

export const shapes: readonly Shape[] = [chain, fork, loop, parent];
