/** Documents of runs and steps that are larger than their rows should be: kept apart, and back whenever somebody reads them. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { all } from '../../packages/core/src/blob/blob.conformance.ts';
import { FolderBlobs } from '../../packages/core/src/blob/folder.ts';
import type { BlobStore } from '../../packages/core/src/blob/port.ts';
import { LineshaftError } from '../../packages/core/src/domain/errors.ts';
import { type Lineshaft, pruner } from '../../packages/core/src/index.ts';
import { freshName, gate, openSite, type Site, until } from '../worker/site.ts';

/** Sizes in KiB: from 2 on apart, from 20 on refused. */
const workflowPayloads = {
  workflowInputPayloadSizeThreshold: 2,
  maxWorkflowInputPayloadSizeThreshold: 20,
  workflowOutputPayloadSizeThreshold: 2,
  maxWorkflowOutputPayloadSizeThreshold: 20,
  taskInputPayloadSizeThreshold: 2,
  maxTaskInputPayloadSizeThreshold: 20,
  taskOutputPayloadSizeThreshold: 2,
  maxTaskOutputPayloadSizeThreshold: 20,
};
const large = (letter: string, kib = 3): { text: string } => ({ text: letter.repeat(kib * 1_024) });

describe('large payloads', () => {
  let folder: string;
  let site: Site;
  let flows: Lineshaft['workflows'];
  let broken = false;
  let gets = 0;
  /** A folder that may be away. */
  let blobs: BlobStore;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'payloads-'));
    const kept = new FolderBlobs(folder);
    const there = () => {
      if (broken) throw new LineshaftError('BLOB_UNAVAILABLE', { message: 'the folder is away' });
    };
    blobs = {
      put: async (path, bytes) => {
        there();
        await kept.put(path, bytes);
      },
      get: async (path, most) => {
        gets += 1;
        there();
        return await kept.get(path, most);
      },
      size: (path) => kept.size(path),
      delete: (path) => kept.delete(path),
      list: (prefix) => kept.list(prefix),
      location: (path) => kept.location(path),
    };
    site = await openSite(18, { blobs, workflowPayloads });
    flows = site.lineshaft.workflows;
  });
  afterEach(() => site.rest());
  afterAll(async () => {
    await site?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const passing = { of: '${workflow.input.text}' };

  /** Registers a workflow of two steps, the second of which gets the output of the first. */
  async function register(): Promise<{ name: string; one: string; two: string }> {
    const name = freshName('large');
    const [one, two] = [`${name}-one`, `${name}-two`];
    for (const task of [one, two]) await flows.putTask({ name: task, retryCount: 0 });
    await flows.putWorkflow(
      {
        name,
        version: 1,
        tasks: [
          { name: one, taskReferenceName: 'one', type: 'SIMPLE', inputParameters: passing },
          {
            name: two,
            taskReferenceName: 'two',
            type: 'SIMPLE',
            inputParameters: { got: '${one.output.text}' },
          },
        ],
        outputParameters: { both: '${workflow.input.text}${two.output.text}' },
      },
      { overwrite: false },
    );
    return { name, one, two };
  }

  async function poll(kind: string, of = site.lineshaft) {
    const [polled] = await of.workflows.poll({ kind, workerId: 'w', count: 1, timeoutMs: 10_000 });
    if (polled === undefined) throw new Error(`no step came for ${kind}`);
    return polled.step;
  }

  const rowsOf = (runId: string) =>
    site.rows<{ bytes: number }>(
      `select octet_length(concat(d.input, d.output, d.variables))::int as bytes from lineshaft.run_data d where d.run_id = $1
      union all
      select octet_length(concat(s.input, s.output))::int from lineshaft.step s where s.run_id = $1
      union all
      select octet_length(j.payload::text)::int from lineshaft.job j join lineshaft.step s on s.id = j.id where s.run_id = $1`,
      [runId],
    );

  it('are not fetched for a step that is given none of them', async () => {
    const kind = freshName('small');
    const tasks = [
      { name: kind, taskReferenceName: 'a', type: 'SIMPLE', inputParameters: { n: '${workflow.input.n}' } },
    ];
    await flows.putTask({ name: kind, retryCount: 0 });
    await flows.putWorkflow({ name: kind, version: 1, tasks }, { overwrite: false });
    // By others: this process has nothing of them in memory.
    const elsewhere = site.other().workflows;
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1)
      ids.push(await elsewhere.start({ name: kind, input: { n, ...large('x') } }));
    broken = true;
    gets = 0;
    const began = new Set<number>();
    const hold = gate();
    const handler = async (input: unknown): Promise<object> => {
      began.add((input as { n: number }).n);
      await hold.opened;
      return {};
    };
    const worker = await site.work('workflow', { handlers: { [kind]: handler } });
    await until('all have begun', () => began.size === ids.length);
    expect(gets).toBe(0);
    broken = false;
    hold.open();
    for (const id of ids)
      await flows.waitForRun(id, ({ run }) => run.status === 'COMPLETED', { timeoutMs: 15_000 });
    await worker.stop();
  });

  it('leave nothing that points into a row from which they were taken', async () => {
    const name = freshName('taken');
    const kinds = [0, 1, 2].map((n) => `${name}-${n}`);
    for (const kind of kinds) await flows.putTask({ name: kind, retryCount: 0 });
    const tasks = [
      ...kinds.map((kind, n) => ({ name: kind, taskReferenceName: `s${n}`, type: 'SIMPLE' })),
      {
        name: 'set',
        taskReferenceName: 'set',
        type: 'SET_VARIABLE',
        inputParameters: { own: '${s2.output.own}' },
      },
      {
        name: 'end',
        taskReferenceName: 'end',
        type: 'TERMINATE',
        inputParameters: { terminationStatus: 'COMPLETED', workflowOutput: '${s2.output}' },
      },
    ];
    await flows.putWorkflow({ name, version: 1, tasks }, { overwrite: false });
    const runId = await flows.start({ name });
    const [a, b, own] = ['a'.repeat(1_500), 'b'.repeat(1_500), 'o'.repeat(500)];
    // The last is small where it says what it has of the others, and large as the output of the run.
    for (const [n, output] of [{ a }, { b }, { a, b, own }].entries())
      await flows.report({ stepId: (await poll(kinds[n] ?? '')).id, status: 'COMPLETED', output });
    const { run, steps } = await site.other().workflows.show(runId);
    expect([run.output, steps.find(({ ref }) => ref === 'set')?.input]).toEqual([{ a, b, own }, { own }]);
  });

  it('leave a reference in their rows, and go through a run whole, over two processes', async () => {
    const { name, one, two } = await register();
    const runId = await flows.start({ name, input: large('a') });
    const other = site.other();
    const first = await poll(one, other);
    expect(first.input).toEqual({ of: large('a').text });
    expect(first.externalInputPath).toMatch(new RegExp(`^task/input/${runId}/[0-9a-f-]+\\.json$`));
    await flows.report({ stepId: first.id, status: 'COMPLETED', output: large('b') });
    const second = await poll(two);
    expect(second.input).toEqual({ got: large('b').text });
    await other.workflows.report({ stepId: second.id, status: 'COMPLETED', output: large('c') });
    for (const { bytes } of await rowsOf(runId)) expect(bytes).toBeLessThan(2_048);
    const { run, steps } = await flows.show(runId);
    expect(run.status).toBe('COMPLETED');
    expect(run.input).toEqual(large('a'));
    expect(run.output).toEqual({ both: large('a').text + large('c').text });
    expect(run.externalInputPath).toMatch(/^workflow\/input\//);
    expect(run.externalOutputPath).toMatch(/^workflow\/output\//);
    expect(steps.map(({ output }) => output)).toEqual([large('b'), large('c')]);
    expect((await flows.showStep(second.id)).step).toMatchObject({ input: second.input, output: large('c') });
    expect(await all(blobs.list('task/output/'))).toHaveLength(2);
    // What is listed tells where they are.
    const found = await flows.searchRuns({ query: `workflowId=${runId}` });
    expect(found.results[0]).toMatchObject({ input: {}, externalInputPath: run.externalInputPath });
    const restarted = await flows.restart(runId).then(() => poll(one));
    expect(restarted.input).toEqual(first.input);
    await flows.remove(runId);
  });

  it('reach native workers, and come back from them', async () => {
    const { name, one, two } = await register();
    await site.work('workflow', {
      handlers: {
        [one]: ({ of }: { of: string }) => ({ text: of.replaceAll('a', 'b') }),
        [two]: ({ got }: { got: string }) => ({ text: got.slice(0, 5) }),
      },
    });
    const runId = await flows.start({ name, input: large('a') });
    const { run } = await flows.waitForRun(runId, (view) => view.run.endedAt !== undefined, {
      timeoutMs: 20_000,
    });
    expect(run.output).toEqual({ both: `${large('a').text}bbbbb` });
    for (const { bytes } of await rowsOf(runId)) expect(bytes).toBeLessThan(2_048);
  });

  it('stay in their rows where their store is away, and are small where they are small', async () => {
    const { name, one } = await register();
    const small = await flows.start({ name, input: { text: 'a' } });
    expect((await flows.show(small)).run.externalInputPath).toBeUndefined();
    await flows.terminate(small);
    broken = true;
    const runId = await flows.start({ name, input: large('a') });
    expect((await poll(one)).input).toEqual({ of: large('a').text });
    expect((await flows.show(runId)).run.externalInputPath).toBeUndefined();
    broken = false;
    await flows.terminate(runId);
    await flows.restart(runId);
    expect((await poll(one)).externalInputPath).toBeDefined();
    await flows.terminate(runId);
  });

  it('that cannot be read trouble their own run alone, until they can', async () => {
    const { name, one, two } = await register();
    const runId = await flows.start({ name, input: large('a') });
    const fine = await flows.start({ name, input: { text: 'a' } });
    const given = [await poll(one), await poll(one)];
    const [step] = given.filter(({ externalInputPath }) => externalInputPath !== undefined);
    const [other] = given.filter(({ externalInputPath }) => externalInputPath === undefined);
    broken = true;
    // It knows neither of them.
    const stranger = site.other();
    const failed = stranger.workflows.report({
      stepId: step?.id ?? '',
      status: 'COMPLETED',
      output: { text: '' },
    });
    const went = stranger.workflows.report({
      stepId: other?.id ?? '',
      status: 'COMPLETED',
      output: { text: '' },
    });
    await expect(failed).rejects.toMatchObject({ code: 'BLOB_UNAVAILABLE', retryable: true });
    await went;
    await expect(stranger.workflows.show(runId)).rejects.toMatchObject({ code: 'BLOB_UNAVAILABLE' });
    broken = false;
    await stranger.workflows.report({ stepId: step?.id ?? '', status: 'COMPLETED', output: { text: '' } });
    expect((await flows.show(runId)).steps).toHaveLength(2);
    await poll(two);
    await flows.terminate(runId);
    await flows.terminate(fine);
  });

  it('beyond the limit are refused, or fail what would have them', async () => {
    const { name, one } = await register();
    await expect(flows.start({ name, input: large('a', 21) })).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    });
    const runId = await flows.start({ name, input: large('a') });
    const step = await poll(one);
    await flows.report({ stepId: step.id, status: 'COMPLETED', output: large('b', 21) });
    const { run, steps } = await flows.show(runId);
    expect(steps[0]).toMatchObject({ status: 'FAILED_WITH_TERMINAL_ERROR', output: {} });
    expect(run.reason).toContain('greater than the permissible limit: 20 kilobytes');
  });

  it('go with their run', async () => {
    const { name, one } = await register();
    const runId = await flows.start({ name, input: large('a') });
    const kept = await flows.start({ name, input: large('z') });
    await poll(one);
    await flows.remove(runId);
    await site.rows(`update lineshaft.payload set at = at - interval '2 hours'`);
    const mine = async () => (await all(blobs.list(''))).filter((path) => path.includes(runId));
    expect(await mine()).not.toEqual([]);
    const worker = site
      .other({ plugins: [pruner({ intervalMs: 1_000 })], without: ['keeper'] })
      .worker({ queues: ['none'], signals: false, handlers: {} });
    await worker.start();
    await until('they are deleted', async () => (await mine()).length === 0);
    await worker.stop();
    expect((await flows.show(kept)).run.input).toEqual(large('z'));
  });

  it('are configured within bounds', () => {
    for (const wrong of [{ taskInputPayloadSizeThreshold: -1 }, { maxTaskInput: 5 }, 7])
      expect(() => site.other({ workflowPayloads: wrong as object })).toThrow(
        /workflowPayloads|maxTaskInput/,
      );
  });
});
