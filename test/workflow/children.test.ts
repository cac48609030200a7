/** Runs that start runs: SUB_WORKFLOW, START_WORKFLOW, failure workflows, and what ends with them. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  StepDefinition,
  WorkflowDefinition,
} from '../../packages/core/src/domain/workflow/definition.ts';
import type { RunView } from '../../packages/core/src/workflow/port.ts';
import { freshName, openSite, type Site, until } from '../worker/site.ts';

describe('runs that start runs', () => {
  let site: Site;

  beforeAll(async () => {
    site = await openSite(18);
    await site.work('workflow', {
      handlers: {
        echo: (input: unknown) => input,
        fail: () => {
          throw Object.assign(new Error('broken'), { retryable: false });
        },
      },
    });
  });

  afterAll(() => site?.close());

  async function register(tasks: StepDefinition[], more: Partial<WorkflowDefinition> = {}): Promise<string> {
    const name = freshName('flow');
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks, ...more }, { overwrite: false });
    return name;
  }

  async function ended(runId: string): Promise<RunView> {
    const view = await site.lineshaft.workflows.waitForRun(runId, ({ run }) => run.endedAt !== undefined, {
      timeoutMs: 20_000,
    });
    const where = view.steps.map(({ ref, status }) => `${ref} ${status}`).join(', ');
    expect(view.run.endedAt, `${view.run.status}: ${where}`).toBeDefined();
    return view;
  }

  const simple = (
    name: string,
    ref = name,
    inputParameters: Record<string, unknown> = {},
  ): StepDefinition => ({
    name,
    taskReferenceName: ref,
    type: 'SIMPLE',
    inputParameters,
  });
  const sub = (name: string, ref: string, inputParameters: Record<string, unknown> = {}): StepDefinition => ({
    name: 'sub',
    taskReferenceName: ref,
    type: 'SUB_WORKFLOW',
    subWorkflowParam: { name, version: 1 },
    inputParameters,
  });

  it('waits for the run of a step, three levels deep, and takes its output', async () => {
    const leaf = await register([simple('echo', 'e', { n: '${workflow.input.n}' })]);
    const middle = await register([sub(leaf, 'leaf', { n: '${workflow.input.n}' })]);
    const root = await register([
      sub(middle, 'middle', { n: 7 }),
      simple('echo', 'after', { m: '${middle.output}' }),
    ]);
    const runId = await site.lineshaft.workflows.start({ name: root, correlationId: 'deep' });
    const { run, steps } = await ended(runId);
    expect(run.status).toBe('COMPLETED');
    const [first] = steps;
    expect(first?.output).toMatchObject({ n: 7 });
    const child = await site.lineshaft.workflows.show(first?.subRunId ?? '');
    expect(child.run.parent).toEqual({ runId, stepId: first?.id });
    expect(child.run.correlationId).toBe('deep');
    const grandchild = await site.lineshaft.workflows.show(child.steps[0]?.subRunId ?? '');
    expect(grandchild.run.output).toMatchObject({ n: 7 });
  });

  it('fails the step of a run that fails, and starts the failure workflow', async () => {
    const mourner = await register([simple('echo', 'e', { why: '${workflow.input.reason}' })]);
    const child = await register([simple('fail')], { failureWorkflow: mourner });
    const root = await register([sub(child, 'child')]);
    const { run, steps } = await ended(await site.lineshaft.workflows.start({ name: root }));
    expect(run.status).toBe('FAILED');
    const childRun = (await site.lineshaft.workflows.show(steps[0]?.subRunId ?? '')).run;
    expect(childRun.status).toBe('FAILED');
    const mourning = await ended(String(childRun.output['conductor.failure_workflow']));
    expect(mourning.run.status).toBe('COMPLETED');
    expect(String(mourning.run.input['reason'])).toContain('broken');
    expect(mourning.run.parent).toBeUndefined();
  });

  it('ends what a run has started when it ends itself', async () => {
    const child = await register([{ name: 'wait', taskReferenceName: 'w', type: 'WAIT' }]);
    const root = await register([
      {
        name: 'fork',
        taskReferenceName: 'fork',
        type: 'FORK_JOIN',
        forkTasks: [[sub(child, 'slow')], [simple('fail')]],
      },
      { name: 'join', taskReferenceName: 'join', type: 'JOIN', joinOn: ['slow', 'fail'] },
    ]);
    const { run, steps } = await ended(await site.lineshaft.workflows.start({ name: root }));
    expect(run.status).toBe('FAILED');
    const childId = steps.find(({ ref }) => ref === 'slow')?.subRunId ?? '';
    expect((await ended(childId)).run.status).toBe('TERMINATED');
  });

  it('tells the step why a run cannot be started', async () => {
    const root = await register([sub('there-is-none', 'child')]);
    const { run, steps } = await ended(await site.lineshaft.workflows.start({ name: root }));
    expect(run.status).toBe('FAILED');
    expect(steps[0]?.reason).toContain('there-is-none');
  });

  it('starts a run that goes its own way', async () => {
    const other = await register([simple('echo', 'e')]);
    const root = await register([
      {
        name: 'start',
        taskReferenceName: 'start',
        type: 'START_WORKFLOW',
        inputParameters: { startWorkflow: { name: other, input: { a: 1 } } },
      },
    ]);
    const { run, steps } = await ended(await site.lineshaft.workflows.start({ name: root }));
    expect(run.status).toBe('COMPLETED');
    const started = await ended(String(steps[0]?.output['workflowId']));
    expect(started.run).toMatchObject({ status: 'COMPLETED', parent: undefined, input: { a: 1 } });
  });

  it('starts runs with the definition that was acknowledged last, by whichever process', async () => {
    const name = await register([simple('echo', 'old')]);
    const other = site.other();
    for (const version of [2, 3, 4]) {
      await other.workflows.putWorkflow(
        { name, version, tasks: [simple('echo', `v${version}`)] },
        { overwrite: false },
      );
      const { steps } = await ended(await site.lineshaft.workflows.start({ name }));
      expect(steps.map(({ ref }) => ref)).toEqual([`v${version}`]);
    }
    await other.workflows.putTask({ name: 'echo', retryCount: 9 });
    const id = await site.lineshaft.workflows.start({ name });
    const { run } = await site.lineshaft.workflows.show(id);
    expect(run.definition.tasks[0]?.taskDefinition?.retryCount).toBe(9);
  });

  it('refuses to start what it does not know, and says what was meant', async () => {
    const name = await register([simple('echo')]);
    await expect(site.lineshaft.workflows.start({ name: `${name}x` })).rejects.toMatchObject({
      code: 'WORKFLOW_NOT_FOUND',
    });
    await expect(site.lineshaft.workflows.start({ name, version: 9 })).rejects.toMatchObject({
      code: 'WORKFLOW_NOT_FOUND',
    });
    await expect(site.lineshaft.workflows.start({ name, priority: 100 })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
  });

  it('joins a thousand branches, each done once', async () => {
    const name = await register([
      {
        name: 'fork',
        taskReferenceName: 'fork',
        type: 'FORK_JOIN_DYNAMIC',
        inputParameters: { tasks: '${workflow.input.tasks}', inputs: '${workflow.input.inputs}' },
        dynamicForkTasksParam: 'tasks',
        dynamicForkTasksInputParamName: 'inputs',
      },
      { name: 'join', taskReferenceName: 'join', type: 'JOIN' },
    ]);
    const refs = Array.from({ length: 1_000 }, (_, n) => `b${n}`);
    const { run, steps } = await ended(
      await site.lineshaft.workflows.start({
        name,
        input: {
          tasks: refs.map((ref) => ({ name: 'echo', taskReferenceName: ref, type: 'SIMPLE' })),
          inputs: Object.fromEntries(refs.map((ref, n) => [ref, { n }])),
        },
      }),
    );
    expect(run.status).toBe('COMPLETED');
    expect(steps).toHaveLength(1_002);
    const join = steps.find(({ ref }) => ref === 'join');
    expect(join?.output['b999']).toEqual({ n: 999 });
    await until('nothing is left', async () => (await site.rows('select from lineshaft.mark')).length === 0);
  });

  it('does a loop whose condition is a script', async () => {
    const name = await register([
      {
        name: 'loop',
        taskReferenceName: 'loop',
        type: 'DO_WHILE',
        loopCondition: "$.loop['iteration'] < 5",
        loopOver: [simple('echo', 'body', { i: '${loop.output.iteration}' })],
      },
    ]);
    const { run, steps } = await ended(await site.lineshaft.workflows.start({ name }));
    expect(run.status).toBe('COMPLETED');
    expect(steps.filter(({ name: task }) => task === 'echo').map(({ ref }) => ref)).toEqual([
      'body__1',
      'body__2',
      'body__3',
      'body__4',
      'body__5',
    ]);
  });
});
