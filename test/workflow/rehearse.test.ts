/** A rehearsal runs a workflow with outcomes that are given, and leaves nothing behind. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Rehearsal, StepDefinition } from '../../packages/core/src/index.ts';
import { openSite, type Site } from '../worker/site.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite(18);
});
afterAll(() => site.close());

const simple = (ref: string, more: Partial<StepDefinition> = {}): StepDefinition => ({
  name: ref,
  taskReferenceName: ref,
  type: 'SIMPLE',
  ...more,
});

/** What came of it: the status of the run, and of each step. */
async function play(tasks: readonly StepDefinition[], given: Partial<Rehearsal>, input = {}) {
  const view = await site.lineshaft.workflows.rehearse({
    start: { name: 'rehearsed', definition: { name: 'rehearsed', version: 1, tasks }, input },
    outcomes: {},
    subWorkflows: {},
    ...given,
  });
  return { view, run: view.run, story: view.steps.map(({ ref, status }) => `${ref}=${status}`) };
}

test('operators are real; one outcome is taken for each attempt', async () => {
  const task = { name: 'a', retryCount: 2, retryDelaySeconds: 60 };
  const { run, story, view } = await play(
    [
      simple('a', { taskDefinition: task }),
      {
        name: 's',
        taskReferenceName: 's',
        type: 'SWITCH',
        evaluatorType: 'javascript',
        expression: "$.n > 5 ? 'big' : 'small'",
        inputParameters: { n: '${a.output.n}' },
        decisionCases: { big: [simple('b')], small: [simple('c')] },
      },
    ],
    {
      outcomes: {
        a: [{ status: 'FAILED' }, { output: { n: 7 }, executionTime: 500, queueWaitTime: 200 }],
        b: [{ output: { done: true } }],
      },
    },
  );
  expect(story).toEqual(['a=FAILED', 'a=COMPLETED', 's=COMPLETED', 'b=COMPLETED']);
  expect(run).toMatchObject({ status: 'COMPLETED', output: { done: true } });
  const second = view.steps[1];
  expect(Number(second?.endedAt) - Number(second?.startedAt)).toBeGreaterThanOrEqual(500);
  expect(Number(second?.startedAt) - Number(second?.scheduledAt)).toBe(200);
});

test('loops go by the ref with its iteration', async () => {
  const loop: StepDefinition = {
    name: 'l',
    taskReferenceName: 'l',
    type: 'DO_WHILE',
    loopCondition: "$.l['iteration'] < 3",
    loopOver: [simple('a')],
  };
  const outcomes = Object.fromEntries([1, 2, 3].map((n) => [`a__${n}`, [{ output: { n } }]]));
  const { run, story } = await play([loop, simple('z')], { outcomes: { ...outcomes, z: [{}] } });
  expect(story).toEqual(['l=COMPLETED', 'a__1=COMPLETED', 'a__2=COMPLETED', 'a__3=COMPLETED', 'z=COMPLETED']);
  expect(run.status).toBe('COMPLETED');
});

test('it stops where an outcome is missing', async () => {
  const { run, story } = await play([simple('a'), simple('b')], { outcomes: { a: [{}] } });
  expect(run.status).toBe('RUNNING');
  expect(story).toEqual(['a=COMPLETED', 'b=SCHEDULED']);
});

test('runs of steps are rehearsed with outcomes of their own, or ended by those of the step', async () => {
  const inner = {
    name: 'inner',
    version: 1,
    tasks: [simple('deep')],
    outputParameters: { n: '${deep.output.n}' },
  };
  const steps = [
    {
      name: 'sub',
      taskReferenceName: 'sub',
      type: 'SUB_WORKFLOW',
      subWorkflowParam: { name: 'inner', version: 1, workflowDefinition: inner },
    },
    simple('z'),
  ];
  const subWorkflows = {
    sub: { start: { name: 'inner' }, outcomes: { deep: [{ output: { n: 5 } }] }, subWorkflows: {} },
  };
  const real = await play(steps, { subWorkflows, outcomes: { z: [{}] } });
  expect(real.run.status).toBe('COMPLETED');
  expect(real.view.steps[0]?.output).toMatchObject({ n: 5 });
  const given = await play(steps, { outcomes: { sub: [{ output: { n: 6 } }], z: [{}] } });
  expect(given.story).toEqual(['sub=COMPLETED', 'z=COMPLETED']);
  const stuck = await play(steps, { outcomes: { z: [{}] } });
  expect(stuck.story).toEqual(['sub=IN_PROGRESS']);
});

test('a loop without end is ended, and what can not start is refused', async () => {
  const endless: StepDefinition = {
    name: 'l',
    taskReferenceName: 'l',
    type: 'DO_WHILE',
    loopCondition: 'true',
    inputParameters: { keepLastN: 1 },
    loopOver: [{ name: 'set', taskReferenceName: 'set', type: 'SET_VARIABLE', inputParameters: { a: 1 } }],
  };
  const { run } = await play([endless], {});
  expect(run.status).toBe('RUNNING');
  await expect(
    site.lineshaft.workflows.rehearse({ start: { name: 'unknown' }, outcomes: {}, subWorkflows: {} }),
  ).rejects.toMatchObject({ code: 'WORKFLOW_NOT_FOUND' });
});

test('nothing is left of it', async () => {
  const [left] = await site.rows<{ runs: string; jobs: string; steps: string }>(
    `select (select count(*) from lineshaft.run) as runs, (select count(*) from lineshaft.job) as jobs,
      (select count(*) from lineshaft.step) as steps`,
  );
  expect(left).toEqual({ runs: '0', jobs: '0', steps: '0' });
});
