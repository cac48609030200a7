/**
 * What runs of the lab do: each shape crosses other borders at which a process may die, and says how a run must end
 * whatever was done twice. The input of a step says what its worker does (processes/do-step.ts).
 */

import type { StepDefinition, TaskDefinition, WorkflowDefinition } from '@lineshaft/core';

export interface Shape {
  readonly definition: WorkflowDefinition;
  /** What callers give to run number n; default: the number. */
  input?(n: number): Readonly<Record<string, unknown>>;
  readonly ends: 'COMPLETED' | 'FAILED';
  /** What the output of a run that completes must be, by its number. */
  output(n: number): Readonly<Record<string, unknown>>;
}

/** Workers of all kinds do it, and are killed at it: one that polls must be heard of within the response time-out. */
export const task = 'lab.step';
/** One worker does it, which is never killed: nothing but what servers do keeps it from its end. */
export const patientTask = 'lab.patient';
/** Starts where a run of `lab-refused` fails. */
export const mourner = 'lab-mourner';
export const refusedShape = 'lab-refused';

const settings: TaskDefinition = {
  name: task,
  retryCount: 100,
  retryDelaySeconds: 0,
  responseTimeoutSeconds: 5,
};

function step(
  ref: string,
  inputParameters: Record<string, unknown>,
  more: Partial<TaskDefinition> = {},
): StepDefinition {
  return {
    name: more.name ?? task,
    taskReferenceName: ref,
    type: 'SIMPLE',
    inputParameters,
    taskDefinition: { ...settings, ...more },
  };
}

const chain: Shape = {
  definition: {
    name: 'lab-chain',
    version: 1,
    outputParameters: { n: '${d.output.n}' },
    tasks: [
      step('a', { n: '${workflow.input.n}' }),
      step('b', { n: '${a.output.n}', failsOnce: true }),
      step('c', { n: '${b.output.n}' }),
      step('d', { n: '${c.output.n}' }),
    ],
  },
  ends: 'COMPLETED',
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
          [step('l1', { n: '${workflow.input.n}' }), step('l2', { n: '${l1.output.n}' })],
          [step('r', { n: '${workflow.input.n}', failsOnce: true })],
        ],
      },
      { name: 'join', taskReferenceName: 'join', type: 'JOIN', joinOn: ['l2', 'r'] },
      step('last', { n: '${l2.output.n}' }),
    ],
  },
  ends: 'COMPLETED',
  output: (n) => ({ left: n, right: n, last: n }),
};

const branches = Array.from({ length: 12 }, (_, k) => `s${k}`);

/** Branches that the input names, which are done at several servers at the same time. */
const scatter: Shape = {
  definition: {
    name: 'lab-scatter',
    version: 1,
    outputParameters: { first: '${gather.output.s0.n}', last: '${gather.output.s11.n}' },
    tasks: [
      {
        name: 'scatter',
        taskReferenceName: 'scatter',
        type: 'FORK_JOIN_DYNAMIC',
        dynamicForkTasksParam: 'tasks',
        dynamicForkTasksInputParamName: 'inputs',
        inputParameters: { tasks: '${workflow.input.tasks}', inputs: '${workflow.input.inputs}' },
      },
      { name: 'gather', taskReferenceName: 'gather', type: 'JOIN' },
    ],
  },
  input: (n) => ({
    tasks: branches.map((ref) => step(ref, {})),
    inputs: Object.fromEntries(branches.map((ref, k) => [ref, { n: n + k }])),
  }),
  ends: 'COMPLETED',
  output: (n) => ({ first: n, last: n + 11 }),
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
        loopOver: [step('body', { n: '${workflow.input.n}' })],
      },
    ],
  },
  ends: 'COMPLETED',
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
      step('after', { n: '${child.output.n}' }),
    ],
  },
  ends: 'COMPLETED',
  output: (n) => ({ n, waited: n }),
};

/** A worker takes it and is not heard of again, or works for too long: another attempt follows. */
const late: Shape = {
  definition: {
    name: 'lab-late',
    version: 1,
    outputParameters: { n: '${a.output.n}' },
    tasks: [
      step('a', { n: '${workflow.input.n}', hangs: true }, { timeoutSeconds: 6, timeoutPolicy: 'RETRY' }),
    ],
  },
  ends: 'COMPLETED',
  output: (n) => ({ n }),
};

/** Fails for good, and another run follows. */
const refused: Shape = {
  definition: {
    name: refusedShape,
    version: 1,
    failureWorkflow: mourner,
    tasks: [step('a', { n: '${workflow.input.n}' }), step('b', { n: '${a.output.n}', refuses: true })],
  },
  ends: 'FAILED',
  output: () => ({}),
};

const patient: Shape = {
  definition: {
    name: 'lab-patient',
    version: 1,
    outputParameters: { n: '${b.output.n}' },
    tasks: [
      step('a', { n: '${workflow.input.n}' }, { name: patientTask, responseTimeoutSeconds: 3_600 }),
      step('b', { n: '${a.output.n}' }, { name: patientTask, responseTimeoutSeconds: 3_600 }),
    ],
  },
  ends: 'COMPLETED',
  output: (n) => ({ n }),
};

/** What callers start. */
export const shapes: readonly Shape[] = [chain, fork, scatter, loop, parent, late, refused, patient];

/** What starts by itself. */
export const followers: readonly WorkflowDefinition[] = [
  {
    name: mourner,
    version: 1,
    outputParameters: { of: '${m.output.n}' },
    tasks: [step('m', { n: '${workflow.input.workflowId}' })],
  },
];
