/** Runs whose steps are done by workers of this process, straight from the database. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type {
  StepDefinition,
  TaskDefinition,
  WorkflowDefinition,
} from '../../packages/core/src/domain/workflow/definition.ts';
import type { WorkerOptions } from '../../packages/core/src/index.ts';
import type { RunView } from '../../packages/core/src/workflow/port.ts';
import { freshName, gate, openSite, type Site, until, versions } from '../worker/site.ts';

const quick: Partial<TaskDefinition> = { retryDelaySeconds: 0, retryCount: 2 };

describe.each(versions)('runs with native workers on PostgreSQL %i', (version) => {
  let site: Site;

  beforeAll(async () => {
    site = await openSite(version);
  });

  afterEach(() => site.rest());

  afterAll(() => site?.close());

  async function register(tasks: StepDefinition[], more: Partial<WorkflowDefinition> = {}): Promise<string> {
    const name = freshName('flow');
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks, ...more }, { overwrite: false });
    return name;
  }

  function work(handlers: WorkerOptions['handlers'], options: WorkerOptions = {}) {
    return site.work('workflow', { handlers: handlers ?? {}, ...options });
  }

  async function ended(runId: string, timeoutMs = 15_000): Promise<RunView> {
    const view = await site.lineshaft.workflows.waitForRun(runId, ({ run }) => run.endedAt !== undefined, {
      timeoutMs,
    });
    expect(
      view.run.endedAt,
      `${view.run.status} ${JSON.stringify(view.steps.map((s) => [s.ref, s.status]))}`,
    ).toBeDefined();
    return view;
  }

  const simple = (name: string, ref = name, more: Partial<StepDefinition> = {}): StepDefinition => ({
    name,
    taskReferenceName: ref,
    type: 'SIMPLE',
    ...more,
  });

  it('goes on with a run that others have changed since it was read for its first step', async () => {
    const name = await register([
      simple('held', 'a', { inputParameters: { n: '${workflow.input.n}' } }),
      simple('never', 'b'),
      simple('word', 'c', { inputParameters: { given: '${b.output.given}', n: '${a.output.n}' } }),
    ]);
    const elsewhere = site.other();
    const started = gate();
    const hold = gate();
    await work({
      held: async (input) => {
        started.open();
        await hold.opened;
        return input;
      },
      never: () => expect.fail('it is skipped'),
      word: (input) => input,
    });
    const runId = await elsewhere.workflows.start({ name, input: { n: 3 } });
    await started.opened;
    await elsewhere.workflows.skip(runId, 'b', { output: { given: 'meanwhile' } });
    await elsewhere.workflows.pause(runId);
    hold.open();
    await site.lineshaft.workflows.waitForRun(runId, ({ steps }) => steps[0]?.status === 'COMPLETED', {
      timeoutMs: 15_000,
    });
    await elsewhere.workflows.resume(runId);
    const { run, steps } = await ended(runId);
    expect(run.status).toBe('COMPLETED');
    expect(Object.fromEntries(steps.map(({ ref, status }) => [ref, status]))).toEqual({
      a: 'COMPLETED',
      b: 'SKIPPED',
      c: 'COMPLETED',
    });
    expect(steps.find(({ ref }) => ref === 'c')?.output).toEqual({ given: 'meanwhile', n: 3 });
  });

  it('does the steps one after the other, and passes on what they give', async () => {
    const name = await register(
      [
        simple('add', 'first', { inputParameters: { n: '${workflow.input.n}' } }),
        simple('add', 'second', { inputParameters: { n: '${first.output.n}' } }),
        simple('word', 'third'),
      ],
      { outputParameters: { n: '${second.output.n}', word: '${third.output.result}' } },
    );
    await work({ add: ({ n }: { n: number }) => ({ n: n + 1 }), word: () => 'plain' });
    const runId = await site.lineshaft.workflows.start({ name, input: { n: 1 } });
    const { run, steps } = await ended(runId);
    expect(run.status).toBe('COMPLETED');
    expect(run.output).toEqual({ n: 3, word: 'plain' });
    expect(steps.map(({ ref, status, pollCount }) => [ref, status, pollCount])).toEqual([
      ['first', 'COMPLETED', 1],
      ['second', 'COMPLETED', 1],
      ['third', 'COMPLETED', 1],
    ]);
    expect(steps.every((step) => (step.startedAt ?? 0) >= step.scheduledAt - 1_000)).toBe(true);
    // Nothing is left behind, and history keeps no steps.
    expect(await site.rows('select from lineshaft.mark')).toEqual([]);
    expect(
      await site.rows('select from lineshaft.history h, unnest(h.ids) i where i = any ($1::uuid[])', [
        steps.map(({ id }) => id),
      ]),
    ).toEqual([]);
  });

  it('ends a step and goes on with its run in one write', async () => {
    const name = await register([simple('one'), simple('two'), simple('three')]);
    await work({ one: () => ({}), two: () => ({}), three: () => ({}) });
    const marks = async (): Promise<unknown> => {
      const text =
        "select coalesce(pg_sequence_last_value(pg_get_serial_sequence('lineshaft.mark', 'id')), 0) as last";
      return (await site.rows<{ last: unknown }>(text))[0]?.last;
    };
    const before = await marks();
    const { run } = await ended(await site.lineshaft.workflows.start({ name }));
    expect(run.status).toBe('COMPLETED');
    // A mark would be for somebody else to go on with.
    expect(await marks()).toEqual(before);
    await until('no lease is left', async () => {
      return (await site.rows('select from lineshaft.lease where worker > 0')).length === 0;
    });
  });

  it('does each branch once where several processes end branches of one run at the same time', async () => {
    const branches = Array.from({ length: 60 }, (_, n) => [simple('branch', `b${n}`)]);
    const name = await register([
      { name: 'fork', taskReferenceName: 'fork', type: 'FORK_JOIN', forkTasks: branches },
      { name: 'join', taskReferenceName: 'join', type: 'JOIN', joinOn: branches.map((_, n) => `b${n}`) },
      simple('after'),
    ]);
    const ran: string[] = [];
    const handlers = {
      branch: (_: unknown, job: { id: string }) => void ran.push(job.id),
      after: () => ({}),
    };
    const others = [site.other(), site.other()];
    const workers = others.map((other) =>
      other.worker({ queues: ['workflow'], handlers, slots: 8, signals: false }),
    );
    await Promise.all(workers.map((worker) => worker.start()));
    await work(handlers, { slots: 8 });
    const { run, steps } = await ended(await site.lineshaft.workflows.start({ name }), 30_000);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(run.status).toBe('COMPLETED');
    expect(new Set(ran).size).toBe(60);
    expect(ran).toHaveLength(60);
    expect(steps.filter(({ status }) => status === 'COMPLETED')).toHaveLength(steps.length);
    expect(await site.rows('select from lineshaft.mark')).toEqual([]);
    expect(
      await site.rows(
        "select from lineshaft.job j join lineshaft.lane l on l.id = j.lane where l.kind = 'branch'",
      ),
    ).toEqual([]);
  });

  it('gives a step that is done again its new input, wherever the old one is at hand', async () => {
    const name = await register([
      simple('again-first', 'first'),
      simple('again-second', 'second', { inputParameters: { n: '${first.output.n}' } }),
    ]);
    // This process writes the second step, and another one does it.
    const writer = await work({ 'again-first': () => ({ n: 1 }) });
    const other = site.other();
    const runId = await other.workflows.start({ name });
    const [polled] = await other.workflows.poll({
      kind: 'again-second',
      workerId: 'elsewhere',
      count: 1,
      timeoutMs: 10_000,
    });
    expect(polled?.step.input).toEqual({ n: 1 });
    const stepId = polled?.step.id ?? '';
    await other.workflows.report({ stepId, status: 'COMPLETED' });
    await ended(runId);
    await writer.stop();
    const given: unknown[] = [];
    await work({ 'again-second': (input) => void given.push(input) });
    await other.workflows.rerun(runId, { fromStepId: stepId, stepInput: { n: 2 } });
    const { steps } = await ended(runId);
    expect(steps.map(({ id, status }) => [id === stepId, status])).toEqual([
      [false, 'COMPLETED'],
      [true, 'COMPLETED'],
    ]);
    expect(given).toEqual([{ n: 2 }]);
  });

  it("drops what comes of a step that is not its worker's any more", async () => {
    const name = await register([simple('slow')]);
    const started = gate();
    const hold = gate();
    const late: string[] = [];
    const worker = await work({
      slow: () => {
        started.open();
        return hold.opened;
      },
    });
    worker.on('late', ({ ids }) => late.push(...ids));
    const runId = await site.lineshaft.workflows.start({ name });
    await started.opened;
    // As a rescuer would: whoever has the job is not to end it.
    const moved = await site.rows<{ id: string }>(
      "update lineshaft.job j set fence = fence + 1 from lineshaft.lane l where l.id = j.lane and l.kind = 'slow' returning j.id",
    );
    hold.open();
    await until('it is told that it came too late', () => late.length > 0);
    expect(late).toEqual(moved.map(({ id }) => id));
    const { run, steps } = await site.lineshaft.workflows.show(runId);
    expect(run.status).toBe('RUNNING');
    expect(steps[0]?.output).toEqual({});
    await site.lineshaft.workflows.terminate(runId, { reason: 'done' });
  });

  it('tries a step again that failed, and ends when none is left', async () => {
    const name = await register([simple('flaky', 'flaky', { taskDefinition: { name: 'flaky', ...quick } })]);
    let calls = 0;
    await work({
      flaky: () => {
        calls += 1;
        if (calls < 3) throw new Error(`no ${calls}`);
        return { calls };
      },
    });
    const { run, steps } = await ended(await site.lineshaft.workflows.start({ name }));
    expect(run.status).toBe('COMPLETED');
    expect(steps.map(({ status, reason, retryCount }) => [status, reason, retryCount])).toEqual([
      ['FAILED', 'no 1', 0],
      ['FAILED', 'no 2', 1],
      ['COMPLETED', undefined, 2],
    ]);
  });

  it('does not try again what says that it is final', async () => {
    const name = await register([
      simple('broken', 'broken', { taskDefinition: { name: 'broken', ...quick } }),
    ]);
    await work({
      broken: () => {
        throw Object.assign(new Error('never'), { name: 'NonRetryable', retryable: false });
      },
    });
    const { run, steps } = await ended(await site.lineshaft.workflows.start({ name }));
    expect(run.status).toBe('FAILED');
    expect(steps.map(({ status }) => status)).toEqual(['FAILED_WITH_TERMINAL_ERROR']);
  });

  it('lets a handler put its step off, with the same id', async () => {
    const name = await register([simple('later')]);
    const ids = new Set<string>();
    await work({
      later: (_: unknown, job) => {
        if (ids.size === 0) {
          ids.add(job.id);
          job.snooze(30);
        }
        ids.add(job.id);
        return {};
      },
    });
    const { run, steps } = await ended(await site.lineshaft.workflows.start({ name }));
    expect(run.status).toBe('COMPLETED');
    expect([...ids]).toEqual(steps.map(({ id }) => id));
  });

  it('times out a step whose task has a time limit, as its policy says', async () => {
    const name = await register([
      simple('slow', 'slow', {
        taskDefinition: {
          name: 'slow',
          ...quick,
          retryCount: 1,
          timeoutSeconds: 1,
          timeoutPolicy: 'RETRY',
          responseTimeoutSeconds: 1,
        },
      }),
    ]);
    await work({
      slow: (_: unknown, job) =>
        new Promise((resolve) => job.signal.addEventListener('abort', () => resolve({}), { once: true })),
    });
    const { run, steps } = await ended(await site.lineshaft.workflows.start({ name }), 30_000);
    expect(run.status).toBe('TIMED_OUT');
    expect(steps.map(({ status }) => status)).toEqual(['TIMED_OUT', 'TIMED_OUT']);
  });

  it('goes on with a run whose job was cancelled by hand', async () => {
    const name = await register([simple('nobody')]);
    await work({});
    const runId = await site.lineshaft.workflows.start({ name });
    const { steps } = await site.lineshaft.workflows.show(runId);
    await site.lineshaft.cancel(
      steps.map(({ id }) => id),
      'not wanted',
    );
    const { run } = await ended(runId);
    expect(run.status).toBe('TERMINATED');
  });

  it('shows a step that somebody has as in progress', async () => {
    const name = await register([simple('held')]);
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const worker = await work({ held: () => held.then(() => ({})) });
    const runId = await site.lineshaft.workflows.start({ name });
    const step = await until('the step is taken', async () => {
      const { steps } = await site.lineshaft.workflows.show(runId);
      return steps.find(({ status }) => status === 'IN_PROGRESS');
    });
    expect(step.workerId).toBe(worker.id);
    expect((await site.lineshaft.workflows.showStep(step.id)).step.status).toBe('IN_PROGRESS');
    release();
    await ended(runId);
  });

  it('runs many runs beside each other, each step once', async () => {
    const name = await register([simple('one'), simple('two'), simple('three')]);
    const seen = new Map<string, number>();
    const count = (_: unknown, job: { id: string }) => {
      seen.set(job.id, (seen.get(job.id) ?? 0) + 1);
      return { ok: true };
    };
    await work({ one: count, two: count, three: count }, { slots: 50 });
    const ids = await Promise.all(
      Array.from({ length: 200 }, (_, n) => site.lineshaft.workflows.start({ name, input: { n } })),
    );
    const returned = (): number => site.lineshaft.statementCounts().get('return_leases') ?? 0;
    const returnedBefore = returned();
    const views = await Promise.all(ids.map((id) => ended(id, 60_000)));
    expect(views.every(({ run }) => run.status === 'COMPLETED')).toBe(true);
    expect(seen.size).toBe(600);
    // Writes beside each other end jobs of one lease: its row goes all the same, and no heartbeat has to find it.
    await until(
      'no lease is left',
      async () => (await site.rows('select from lineshaft.lease')).length === 0,
    );
    expect(returned()).toBe(returnedBefore);
    expect([...seen.values()].every((times) => times === 1)).toBe(true);
  });
});
