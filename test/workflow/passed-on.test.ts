/** What is passed on from step to step is kept once, and is there for whoever reads a step, whatever becomes of where it stands. */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lineshaft } from '../../packages/core/src/index.ts';
import { freshName, openSite, type Site, versions } from '../worker/site.ts';

type Document = Readonly<Record<string, unknown>>;

const large = (letter: string): string => letter.repeat(500);
/** Of each step: what it is given, by where that comes from. */
const inputs: readonly Readonly<Record<string, string>>[] = [
  { order: '${workflow.input.order}', note: '${workflow.input.note}' },
  { order: '${s0.output.order}', made: '${s0.output.made}', note: '${workflow.input.note}' },
  { order: '${s1.output.order}', 'ma"de': '${s0.output.made}', list: '${s1.output.list}' },
  { order: '${s2.output.order}', list: '${s1.output.list}', own: '${s2.output.order}' },
];

describe.each(versions)('what is passed on, on PostgreSQL %i', (version) => {
  let site: Site;
  let processes: readonly Lineshaft['workflows'][];
  const name = freshName('passing');
  const kinds = inputs.map((_, n) => `${name}-${n}`);

  beforeAll(async () => {
    site = await openSite(version);
    const flows = site.lineshaft.workflows;
    for (const kind of kinds) await flows.putTask({ name: kind, retryCount: 0 });
    const tasks = inputs.map((inputParameters, n) => ({
      name: kinds[n] ?? '',
      taskReferenceName: `s${n}`,
      type: 'SIMPLE',
      inputParameters,
    }));
    await flows.putWorkflow({ name, version: 1, tasks }, { overwrite: false });
    processes = [flows, site.other().workflows];
  });
  afterAll(() => site?.close());

  const flowsOf = (n: number): Lineshaft['workflows'] => {
    const flows = processes[n];
    if (flows === undefined) throw new Error(`there is no process ${n}`);
    return flows;
  };

  /** The step that waits. */
  async function poll(flows: Lineshaft['workflows'], n: number) {
    const [polled] = await flows.poll({ kind: kinds[n] ?? '', workerId: 'w', count: 1, timeoutMs: 10_000 });
    if (polled === undefined) throw new Error(`no step s${n} came`);
    return polled.step;
  }

  const bytesOf = async (runId: string): Promise<number> => {
    const sums = await site.rows<{ bytes: number }>(
      'select sum(octet_length(concat(s.input, s.output)))::int as bytes from lineshaft.step s where s.run_id = $1',
      [runId],
    );
    return sums[0]?.bytes ?? 0;
  };

  test('is kept once, and shown wherever it was passed on', async () => {
    const flows = flowsOf(0);
    const order = { lines: [large('a'), large('b')] };
    const runId = await flows.start({ name, input: { order, note: large('n') } });
    const given: unknown[] = [];
    for (const n of inputs.keys()) {
      const step = await poll(flows, n);
      given.push(step.input);
      const output = { ...step.input, made: large('m'), list: ['l'] };
      await flows.report({ stepId: step.id, status: 'COMPLETED', output });
    }
    expect(given).toEqual([
      { order, note: large('n') },
      { order, made: large('m'), note: large('n') },
      { order, 'ma"de': large('m'), list: ['l'] },
      { order, list: ['l'], own: order },
    ]);
    const { run, steps } = await flowsOf(1).show(runId);
    expect([run.status, steps.map(({ input }) => input)]).toEqual(['COMPLETED', given]);
    // What comes back from outside as an object is another than it was given.
    const whole = JSON.stringify(steps.map(({ input, output }) => [input, output])).length;
    expect(await bytesOf(runId)).toBeLessThan(whole * 0.4);
    const written = await flows.showWritten(runId);
    expect(written.steps.map(({ inputText }) => JSON.parse(inputText) as unknown)).toEqual(given);
    expect(written.steps.map(({ outputText }) => JSON.parse(outputText) as unknown)).toEqual(
      steps.map(({ output }) => output),
    );
    for (const { id, input, output } of steps)
      expect((await flowsOf(1).showStep(id)).step).toMatchObject({ input, output });
    const found = await flows.searchSteps({ query: `workflowId='${runId}'`, freeText: large('m') });
    expect(found.results.map(({ step }) => step.ref).sort()).toEqual(['s0', 's1', 's2', 's3']);
  });

  test('is kept once where workers of the application pass texts on', async () => {
    const flows = flowsOf(0);
    const handlers = Object.fromEntries(kinds.map((kind) => [kind, (input: unknown) => input]));
    const worker = await site.work('workflow', { handlers });
    const runId = await flows.start({ name, input: { order: large('o'), note: large('n') } });
    const { run, steps } = await flows.waitForRun(runId, (seen) => seen.run.endedAt !== undefined, {
      timeoutMs: 20_000,
    });
    await worker.stop();
    const order = large('o');
    expect([run.status, steps.map(({ output }) => output)]).toEqual([
      'COMPLETED',
      [
        { order, note: large('n') },
        { order, made: null, note: large('n') },
        { order, 'ma"de': null, list: null },
        { order, list: null, own: order },
      ],
    ]);
    expect(await bytesOf(runId)).toBeLessThan(1_000);
  });

  test('stays what it was where the step goes away in which it stands', async () => {
    const flows = flowsOf(0);
    const forked = freshName('forked');
    const [late, early] = [`${forked}-late`, `${forked}-early`];
    for (const kind of [late, early]) await flows.putTask({ name: kind, retryCount: 0 });
    const branches = [late, early].map((kind) => [{ name: kind, taskReferenceName: kind, type: 'SIMPLE' }]);
    const tasks = [
      { name: 'fork', taskReferenceName: 'fork', type: 'FORK_JOIN', forkTasks: branches },
      { name: 'join', taskReferenceName: 'join', type: 'JOIN', joinOn: [late, early] },
    ];
    await flows.putWorkflow({ name: forked, version: 1, tasks }, { overwrite: false });
    const runId = await flows.start({ name: forked });
    const ids: string[] = [];
    for (const kind of [early, late]) {
      const [polled] = await flows.poll({ kind, workerId: 'w', count: 1, timeoutMs: 10_000 });
      const stepId = polled?.step.id ?? '';
      ids.push(stepId);
      await flows.report({ stepId, status: 'COMPLETED', output: { text: large('e'), of: kind } });
    }
    const stored = async () =>
      (await site.rows<{ output: unknown }>('select output from lineshaft.step where id = $1', [ids[1]]))[0]
        ?.output;
    expect(await stored()).toEqual([{ text: null, of: late }, { text: [3, 'text'] }]);
    await flows.rerun(runId, { fromStepId: ids[0] ?? '' });
    expect(await stored()).toEqual({ text: large('e'), of: late });
    await flows.terminate(runId);
  });

  test('stays what it was where its run begins anew with another input', async () => {
    const flows = flowsOf(0);
    const runId = await flows.start({ name, input: { order: large('o'), note: large('n') } });
    const first = await poll(flows, 0);
    await flows.report({
      stepId: first.id,
      status: 'COMPLETED',
      output: { order: large('o'), made: large('m') },
    });
    const second = await poll(flows, 1);
    await flows.terminate(runId);
    await flows.rerun(runId, { fromStepId: second.id, runInput: { note: large('x') } });
    expect((await flowsOf(1).showStep(first.id)).step).toMatchObject({
      input: { order: large('o'), note: large('n') },
      output: { order: large('o'), made: large('m') },
    });
    expect((await poll(flowsOf(1), 1)).input).toEqual({
      order: large('o'),
      made: large('m'),
      note: large('x'),
    });
    await flows.terminate(runId);
  });

  test('stays what it was where the step goes on again in which it stands', async () => {
    const flows = flowsOf(0);
    const [inner, after, child, parent] = ['inner', 'after', 'child', 'parent'].map((each) =>
      freshName(each),
    );
    const taskOf = (kind = '', ref = '') => ({ name: kind, taskReferenceName: ref, type: 'SIMPLE' });
    for (const kind of [inner, after]) await flows.putTask({ name: kind ?? '', retryCount: 0 });
    await flows.putWorkflow(
      { name: child ?? '', version: 1, tasks: [taskOf(inner, 'i')] },
      { overwrite: false },
    );
    const sub = {
      name: 'sub',
      taskReferenceName: 'sub',
      type: 'SUB_WORKFLOW',
      subWorkflowParam: { name: child ?? '', version: 1 },
    };
    const next = { ...taskOf(after, 'a'), inputParameters: { text: '${sub.output.text}' } };
    await flows.putWorkflow({ name: parent ?? '', version: 1, tasks: [sub, next] }, { overwrite: false });
    const runId = await flows.start({ name: parent ?? '' });
    const end = async (kind = '', status: 'COMPLETED' | 'FAILED' = 'COMPLETED', output: Document = {}) => {
      const [polled] = await flows.poll({ kind, workerId: 'w', count: 1, timeoutMs: 10_000 });
      await flows.report({ stepId: polled?.step.id ?? '', status, output });
      return polled?.step.input;
    };
    await end(inner, 'COMPLETED', { text: large('f') });
    expect(await end(after, 'FAILED')).toEqual({ text: large('f') });
    const seen = await flows.show(runId);
    expect(seen.run.status).toBe('FAILED');
    await flows.restart(seen.steps[0]?.subRunId ?? '');
    await end(inner, 'COMPLETED', { other: large('o') });
    const { steps } = await flows.waitForRun(runId, (each) => each.steps[0]?.status === 'COMPLETED', {
      timeoutMs: 10_000,
    });
    expect(steps.find(({ ref }) => ref === 'a')?.input).toEqual({ text: large('f') });
  });

  test('is what its caller gave, whatever he does with his objects later', async () => {
    const flows = flowsOf(0);
    const kind = freshName('reused');
    await flows.putTask({ name: kind, retryCount: 0 });
    const step = {
      name: kind,
      taskReferenceName: 'a',
      type: 'SIMPLE',
      inputParameters: { order: '${workflow.input.order}' },
    };
    await flows.putWorkflow({ name: kind, version: 1, tasks: [step] }, { overwrite: false });
    const seen: unknown[] = [];
    const worker = await site.work('workflow', {
      slots: 1,
      handlers: { [kind]: (input: unknown) => seen.push((input as { order: { id: number } }).order.id) },
    });
    const order = { id: 0 };
    const runIds: string[] = [];
    for (order.id = 0; order.id < 8; order.id += 1)
      runIds.push(await flows.start({ name: kind, input: { order } }));
    for (const runId of runIds)
      await flows.waitForRun(runId, ({ run }) => run.endedAt !== undefined, { timeoutMs: 10_000 });
    await worker.stop();
    expect(seen.sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('is an object: nothing else is taken', async () => {
    const flows = flowsOf(0);
    const runId = await flows.start({ name });
    const step = await poll(flows, 0);
    const list = [{}, {}] as unknown as Document;
    const refused = { code: 'OPTION_INVALID', message: 'output must be a JSON object, not an array' };
    for (const status of ['COMPLETED', 'IN_PROGRESS'] as const)
      await expect(flows.report({ stepId: step.id, status, output: list })).rejects.toMatchObject(refused);
    const circle: Record<string, unknown> = {};
    circle['of'] = circle;
    await expect(flows.start({ name, input: circle })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await flows.terminate(runId);
  });

  test.each<[string, unknown, string]>([
    ['a symbol', Symbol('a'), 'symbol'],
    ['a name with NUL', { 'a\0b': 1 }, 'NUL'],
    ['more than a text can be', Array.from({ length: 60 }, () => 'x'.repeat(20_000_000)), 'JSON'],
  ])('is no output of %s, which fails its step', async (_, output, why) => {
    const flows = flowsOf(0);
    const kind = freshName('odd');
    await flows.putTask({ name: kind, retryCount: 0 });
    await flows.putWorkflow(
      { name: kind, version: 1, tasks: [{ name: kind, taskReferenceName: 'a', type: 'SIMPLE' }] },
      { overwrite: false },
    );
    const worker = await site.work('workflow', { handlers: { [kind]: () => output } });
    // What follows on the first is decided in the worker's process, as what comes here is.
    const runId = await flows.start({ name: kind });
    const { steps } = await flows.waitForRun(runId, ({ run }) => run.endedAt !== undefined, {
      timeoutMs: 20_000,
    });
    await worker.stop();
    expect(steps[0]).toMatchObject({
      status: 'FAILED_WITH_TERMINAL_ERROR',
      reason: expect.stringContaining(why),
    });
  });

  test('is not looked for where it stood before another process changed that', async () => {
    const [flows, others] = [flowsOf(0), flowsOf(1)];
    const runId = await flows.start({ name, input: { note: large('n') } });
    const first = await poll(flows, 0);
    await flows.report({ stepId: first.id, status: 'COMPLETED', output: { made: large('m') } });
    const { id } = await poll(flows, 1);
    await others.terminate(runId);
    // Nothing is removed: who knows the run reads only what is new.
    await others.rerun(runId, { fromStepId: id, runInput: { note: large('x') } });
    await flows.pause(runId);
    await flows.resume(runId);
    const output = { note: large('n'), made: large('m') };
    await flows.report({ stepId: (await poll(flows, 1)).id, status: 'COMPLETED', output });
    for (const each of [flows, others]) expect((await each.showStep(id)).step.output).toEqual(output);
    await flows.terminate(runId);
  });

  test('stays what it was, whatever becomes of where it stands', async () => {
    const value = fc.constantFrom<unknown>(
      large('x'),
      large('y'),
      `${large('u')}\0`,
      { of: [large('z')] },
      'short',
      null,
    );
    const document = fc.record({ order: value, note: value, made: value, list: value }, { requiredKeys: [] });
    const act = fc.record({
      process: fc.nat(1),
      what: fc.constantFrom('done', 'done', 'done', 'done', 'passed', 'passed', 'failed', 'rerun', 'restart'),
      place: fc.nat(9),
      output: document,
      input: fc.option(document, { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(document, fc.array(act, { minLength: 4, maxLength: 14 }), async (input, acts) => {
        const runId = await flowsOf(0).start({ name, input });
        /** Of the steps that are there, as they were given and as they ended. */
        let expected = new Map<string, { input: Document; output: Document }>();
        try {
          for (const { process, what, place, output, input: otherInput } of acts) {
            const flows = flowsOf(process);
            const { run, steps } = await flows.show(runId);
            const open = steps.find(({ endedAt }) => endedAt === undefined);
            if (what === 'rerun' || what === 'restart') {
              if (open !== undefined) await flows.terminate(runId);
              const fromStepId = steps[place % steps.length]?.id;
              if (what === 'restart') await flows.restart(runId);
              else
                await flows.rerun(runId, {
                  ...(fromStepId === undefined || place > 7 ? {} : { fromStepId }),
                  ...(otherInput === undefined ? {} : { runInput: otherInput }),
                });
              // Those that are still there and have ended are as they were.
              const left = (await flowsOf(1 - process).show(runId)).steps.filter(
                ({ endedAt }) => endedAt !== undefined,
              );
              expected = new Map(left.flatMap(({ id }) => [...expected].filter(([known]) => known === id)));
            } else if (open === undefined) {
              expect(['COMPLETED', 'FAILED']).toContain(run.status);
              break;
            } else {
              const step = await poll(flows, Number(open.ref.slice(1)));
              const made = what === 'passed' ? { ...step.input, ...output } : output;
              const status = what === 'failed' ? 'FAILED' : 'COMPLETED';
              await flows.report({ stepId: step.id, status, output: made });
              expected.set(step.id, { input: step.input, output: made });
              expect(step.input).toEqual(givenTo(step.ref, (await flows.show(runId)).run.input, steps));
            }
            const seen = (await flowsOf(1 - process).show(runId)).steps;
            const kept = await flows.showWritten(runId);
            for (const [id, documents] of expected) {
              expect(seen.find((step) => step.id === id)).toMatchObject(documents);
              const written = kept.steps.find((step) => step.id === id);
              expect(JSON.parse(written?.inputText ?? '')).toEqual(documents.input);
              expect(JSON.parse(written?.outputText ?? '')).toEqual(documents.output);
            }
          }
        } finally {
          const { run } = await flowsOf(0).show(runId);
          if (run.endedAt === undefined) await flowsOf(0).terminate(runId);
        }
      }),
      { numRuns: 25 },
    );
  });
});

/** What a definition says, by what ended last. */
function givenTo(
  ref: string,
  runInput: Document,
  steps: readonly { readonly ref: string; readonly output: Document }[],
): Document {
  const valueAt = (path: string): unknown => {
    const [from = '', field = ''] = path.slice(2, -1).split(/\.(?:input|output)\./);
    const document = from === 'workflow' ? runInput : steps.findLast((step) => step.ref === from)?.output;
    return document?.[field] ?? null;
  };
  const wanted = inputs[Number(ref.slice(1))] ?? {};
  return Object.fromEntries(Object.entries(wanted).map(([key, path]) => [key, valueAt(path)]));
}
