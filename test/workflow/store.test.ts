/** Runs in the database: what is written is read again, one change wins, jobs and marks come with it. */

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../packages/core/src/domain/workflow/definition.ts';
import type { Run, Step } from '../../packages/core/src/domain/workflow/run.ts';
import type { LoadedRun, RunStore } from '../../packages/core/src/workflow/run-store.ts';
import { openSite, type Site, versions } from '../worker/site.ts';
import { aRun, aStep, beginning, further, storeAt } from './run-fixtures.ts';

const written = { moved: [], refused: [] };

describe.each(versions)('the store of runs on PostgreSQL %i', (version) => {
  let site: Site;
  let store: RunStore;

  beforeAll(async () => {
    site = await openSite(version);
    store = storeAt(site.url);
  });

  afterAll(async () => {
    await store?.close();
    await site?.close();
  });

  async function load(id: string, known = 0): Promise<LoadedRun> {
    const [loaded] = await store.load(new Map([[id, known]]));
    if (loaded === undefined) throw new Error(`run ${id} is not there`);
    return loaded;
  }

  async function made(run = aRun(), steps = [aStep()]): Promise<Run> {
    expect(await store.apply([beginning(run, steps)])).toEqual(written);
    return { ...run, revision: 1 };
  }

  it('reads a run as it was written, every field of it', async () => {
    const run = aRun({
      input: { text: 'a\0b \ud800 "quoted"', '7': 1, nested: { deep: [null] } },
      output: { done: true },
      variables: { v: 1 },
      priority: 42,
      correlationId: 'order 1',
      idempotencyKey: 'once',
      taskToDomain: { '*': 'blue' },
      createdBy: 'ada',
      event: 'an event',
      reason: 'because',
      lastRetriedAt: 1_800_000_000_123,
      parent: {
        runId: '0193f1f0-0000-7000-8000-000000000001',
        stepId: '0193f1f0-0000-7000-8000-000000000002',
      },
      reRunFrom: '0193f1f0-0000-7000-8000-000000000003',
      failedRefs: ['a'],
      failedNames: ['first'],
      nextSeq: 3,
    });
    const plain = aStep({ input: { n: 1 } });
    const rich = aStep({
      seq: 2,
      ref: 'b__4',
      iteration: 4,
      retryCount: 2,
      type: 'second',
      name: 'second',
      definition: { name: 'second', taskReferenceName: 'made-while-it-ran' },
      domain: 'blue',
      startedAt: 1_800_000_000_001,
      endedAt: 1_800_000_000_002,
      firstScheduledAt: 1_700_000_000_000,
      startDelaySeconds: 3,
      callbackAfterSeconds: 4,
      pollCount: 5,
      workerId: 'w',
      reason: 'slow',
      retriedStepId: plain.id,
      retried: true,
      executed: true,
      subRunId: run.id,
      dueAt: 1_900_000_000_000,
      parentStepId: plain.id,
      output: { o: 'x\0' },
    });
    await made(run, [plain, rich]);

    const loaded = await load(run.id);
    expect(loaded.run).toEqual({ ...run, revision: 1 });
    expect(loaded.steps).toEqual([plain, rich]);
    expect(loaded.whole).toBe(true);
    expect(loaded.steps[0]?.definition).toBe(loaded.run?.definition.tasks[0]);
  });

  it('lets one of two changes of the same revision win, and says which lost', async () => {
    const run = await made();
    const other = await made();
    expect(await store.apply([further(run, { status: 'PAUSED' })])).toEqual(written);
    const late = further(run, { status: 'TERMINATED' });
    const innocent = further(other, { status: 'PAUSED' });
    expect(await store.apply([late, innocent])).toEqual({ moved: [run.id], refused: [] });
    expect((await load(run.id)).run?.status).toBe('PAUSED');
    // All or nothing: the innocent one is sent again by who knows the answer.
    expect((await load(other.id)).revision).toBe(1);
  });

  it('reads only what has changed since a known revision, and all after steps were removed', async () => {
    const [first, second, third] = [aStep(), aStep({ seq: 2, ref: 'b' }), aStep({ seq: 3, ref: 'c' })];
    const run = await made(aRun({ nextSeq: 4 }), [first, second, third]);
    await store.apply([further(run, {}, { steps: [{ ...second, status: 'COMPLETED', output: { n: 2 } }] })]);
    const delta = await load(run.id, 1);
    expect(delta.whole).toBe(false);
    expect(delta.steps.map(({ seq, output }) => ({ seq, output }))).toEqual([{ seq: 2, output: { n: 2 } }]);
    expect((await load(run.id, 2)).run).toBeUndefined();

    await store.apply([further({ ...run, revision: 2 }, {}, { removed: new Set([3]) })]);
    const whole = await load(run.id, 2);
    expect(whole.whole).toBe(true);
    expect(whole.steps.map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('enqueues steps with their kind, domain, priority and delay, and without their input', async () => {
    const steps = [
      aStep({ input: { n: 1 } }),
      aStep({ seq: 2, ref: 'b', name: 'resize image', domain: 'gpu' }),
      aStep({ seq: 3, ref: 'c' }),
    ];
    const run = aRun({ nextSeq: 4, priority: 7 });
    const change = beginning(run, steps);
    const jobs = change.decision.jobs.map((job) => (job.seq === 3 ? { ...job, delayMs: 60_000 } : job));
    await store.apply([beginning(run, steps, { jobs })]);
    const waiting = await site.rows(
      `select l.kind, l.requirements, j.priority, j.payload, w.due is not null as later
       from lineshaft.job j join lineshaft.lane l on l.id = j.lane left join lineshaft.later w on w.job_id = j.id
       where j.id = any ($1::uuid[]) order by j.seq`,
      [steps.map(({ id }) => id)],
    );
    const payload = { input: 'in the step', revision: 1 };
    expect(waiting).toEqual([
      { kind: 'first', requirements: [], priority: 7, payload, later: false },
      { kind: 'resize@20image', requirements: ['domain=gpu'], priority: 7, payload, later: false },
      { kind: 'first', requirements: [], priority: 7, payload, later: true },
    ]);
    const ids = steps.map(({ id }) => id);
    expect((await store.inputs(ids)).map(([, , input]) => JSON.parse(input ?? ''))).toEqual(
      expect.arrayContaining([{ n: 1 }, {}, {}]),
    );
    // Of a run of three steps: whoever reads runs with three reads it whole, and not its inputs.
    expect((await store.inputs(ids, { steps: 2, bytes: 16_384 })).map(([, , input]) => input)).toEqual(
      expect.arrayContaining(['{"n":1}', '{}', '{}']),
    );
    expect(await store.inputs(ids, { steps: 3, bytes: 16_384 })).toEqual(
      expect.arrayContaining(ids.map((id) => [id, run.id, undefined])),
    );
  });

  it('leaves out no inputs of runs whose documents take much room, or are kept apart', async () => {
    const letters = (length: number): string => randomBytes(length / 2).toString('hex');
    const ended = (output: JsonObject) =>
      aStep({ seq: 2, ref: 'b', status: 'COMPLETED', executed: true, endedAt: Date.now(), output });
    const given = async (run: Run, ...others: Step[]) => {
      const step = aStep({ input: { n: 1 } });
      await made({ ...run, nextSeq: 4 }, [step, ...others]);
      const [[, , input] = []] = await store.inputs([step.id], { steps: 100, bytes: 16_384 });
      return input;
    };
    expect(await given(aRun(), ended({ text: letters(5_000) }))).toBeUndefined();
    expect(await given(aRun(), ended({ text: letters(40_000) }))).toBe('{"n":1}');
    expect(await given(aRun({ input: { text: letters(40_000) } }))).toBe('{"n":1}');
    const apart = aRun();
    const one = aStep({ input: { n: 1 } });
    await made({ ...apart, nextSeq: 3 }, [one, ended({})]);
    await site.rows(
      `update lineshaft.step set facts = '{"externalOutputPath":"x"}' where run_id = $1 and seq = 2`,
      [apart.id],
    );
    expect(await store.inputs([one.id], { steps: 100, bytes: 16_384 })).toEqual([
      [one.id, apart.id, '{"n":1}'],
    ]);
    await site.rows('update lineshaft.step set facts = null where run_id = $1', [apart.id]);
    await site.rows(`update lineshaft.run set facts = '{"externalInputPath":"x"}' where id = $1`, [apart.id]);
    expect(await store.inputs([one.id], { steps: 100, bytes: 16_384 })).toEqual([
      [one.id, apart.id, '{"n":1}'],
    ]);
  });

  it('takes jobs from where they wait, and lets them wait again', async () => {
    const [gone, again] = [aStep(), aStep({ seq: 2, ref: 'b' })];
    const run = await made(aRun({ nextSeq: 3 }), [gone, again]);
    const waitAgain = {
      ...(beginning(run, [again]).decision.jobs[0] ?? expect.fail('there is a job')),
      again: true,
      delayMs: 60_000,
    };
    await store.apply([further(run, {}, { withdrawn: [gone.id], jobs: [waitAgain] })]);
    const places = await site.rows(
      `select j.id, w.job_id is not null as later from lineshaft.job j
       left join lineshaft.later w on w.job_id = j.id where j.id = any ($1::uuid[])`,
      [[gone.id, again.id]],
    );
    expect(places).toEqual([{ id: again.id, later: true }]);
    expect(
      await site.rows('select from lineshaft.ready where job_id = any ($1::uuid[])', [[gone.id, again.id]]),
    ).toEqual([]);
  });

  it('keeps what was told to a run until it is decided on', async () => {
    const child = await made();
    const parent = await made();
    const event = { type: 'run-reopened', stepId: 'x', runId: child.id } as const;
    await store.apply([further(child, {}, {}, { tells: [{ runId: parent.id, event }] })]);
    const { marks } = await load(parent.id, 1);
    expect(marks.map((mark) => mark.event)).toEqual([event]);
    await store.apply([further(parent, {}, {}, { decided: marks.map(({ id }) => id) })]);
    expect((await load(parent.id)).marks).toEqual([]);
  });

  it('marks the run of a step whose job is cancelled or removed by hand, and keeps no history', async () => {
    const [one, two] = [aStep(), aStep({ seq: 2, ref: 'b' })];
    const run = await made(aRun({ nextSeq: 3 }), [one, two]);
    await site.lineshaft.cancel([one.id], 'not wanted');
    await site.lineshaft.deleteJobs([two.id]);
    const { marks } = await load(run.id);
    expect(marks.map(({ event }) => event)).toEqual([
      expect.objectContaining({ type: 'reported', stepId: one.id, status: 'CANCELED', reason: 'not wanted' }),
      expect.objectContaining({ type: 'reported', stepId: two.id, status: 'CANCELED' }),
    ]);
    expect(await site.rows('select from lineshaft.history where $1::uuid = any (ids)', [one.id])).toEqual([]);
  });

  it('removes a run with all that belongs to it', async () => {
    const step = aStep();
    const run = await made(aRun(), [step]);
    await site.lineshaft.workflows.remove(run.id);
    await expect(site.lineshaft.workflows.show(run.id)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    expect(await site.rows('select from lineshaft.job where id = $1', [step.id])).toEqual([]);
    await expect(site.lineshaft.workflows.remove(run.id)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
  });

  it('does not let the queue of steps be deleted', async () => {
    await expect(site.lineshaft.deleteQueue('workflow', { purge: true })).rejects.toMatchObject({
      code: 'QUEUE_OF_STEPS',
    });
  });
});
