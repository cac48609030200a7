/** What a step is given is never that of a decision which is on its way to the database, and may be refused there. */

import { expect, test } from 'vitest';
import type { RunEvent } from '../domain/workflow/decision.ts';
import type { StepDefinition } from '../domain/workflow/definition.ts';
import { readState } from '../domain/workflow/state.ts';
import { SimulatedRun } from '../testing/simulated-run.ts';
import { inputInStep, OpenSteps } from './open-steps.ts';
import { RunCache } from './run-cache.ts';
import { Runs, type RunsParts } from './runs.ts';

const simple = (ref: string, inputParameters = {}): StepDefinition => ({
  name: ref,
  taskReferenceName: ref,
  type: 'SIMPLE',
  inputParameters,
});
const inner: StepDefinition = {
  name: 'u',
  taskReferenceName: 'u',
  type: 'SUB_WORKFLOW',
  subWorkflowParam: { name: 'inner', version: 1 },
};
const flow: StepDefinition[] = [
  {
    name: 'f',
    taskReferenceName: 'f',
    type: 'FORK_JOIN',
    forkTasks: [[simple('s', { given: '${workflow.input.given}' })], [simple('t'), inner]],
  },
  { name: 'j', taskReferenceName: 'j', type: 'JOIN', joinOn: ['s', 'u'] },
];

test('a run that is decided while others are read does not say what its step is given', async () => {
  const simulated = new SimulatedRun(flow, { input: { given: 'old' } });
  // Others have rerun it with another input since: it is older in memory, by two.
  const state = readState({ ...simulated.run, id: 'x' }, simulated.steps);
  const { revision } = state.run;
  const [s, t] = [simulated.step('s'), simulated.step('t')];
  const cache = new RunCache();
  cache.put(state, 100);
  const reading = Promise.withResolvers<void>();
  const read = Promise.withResolvers<void>();
  const applying = Promise.withResolvers<void>();
  const store = {
    inputs: async (ids: readonly string[], small?: object) =>
      ids.map((id) => [id, id === s.id ? 'x' : 'y', small === undefined ? '{"given":"new"}' : undefined]),
    load: async () => {
      reading.resolve();
      await read.promise;
      return [];
    },
    // What is written never comes to an end: the run stays on its way.
    apply: () => {
      applying.resolve();
      return new Promise(() => undefined);
    },
    sent: async () => undefined,
  };
  const megabyte = 1_048_576;
  const documents = { runInput: megabyte, runOutput: megabyte, stepInput: megabyte, stepOutput: megabyte };
  let ids = 0;
  const newId = (): string => {
    ids += 1;
    return `made-${ids}`;
  };
  const context = {
    now: state.run.createdAt,
    newId,
    random: () => 0,
    environment: {},
    domainOf: () => undefined,
    taskOf: () => undefined,
    limits: { variablesMaxBytes: megabyte, documents, stepsMax: 1_000_000, changesMax: 5_000 },
  };
  const runs = new Runs({
    store,
    cache,
    newId,
    contexts: { next: async () => context },
    starter: { refresh: async () => undefined, child: async () => 'child' },
    unheard: async () => new Map(),
    prepare: async () => undefined,
    claimBeside: () => undefined,
    onTrouble: () => undefined,
  } as unknown as RunsParts);
  const open = new OpenSteps({
    store: store as unknown as RunsParts['store'],
    inputsAtHand: (wanted) => runs.inputsAtHand(wanted),
  });
  const input = open.inputOf(s.id, inputInStep(revision + 2));
  Promise.resolve(open.inputOf('another', inputInStep(1))).catch(() => undefined);
  await reading.promise;
  const ended: RunEvent = { type: 'reported', stepId: t.id, status: 'COMPLETED', output: {} };
  void runs.tell('x', [ended]);
  await applying.promise;
  expect(state.run.revision).toBeGreaterThanOrEqual(revision + 2);
  read.resolve();
  expect(await input).toBe('{"given":"new"}');
});
