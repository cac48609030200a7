/** A run that is handed on says the same as one that is looked at. */

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run, Step } from '../../packages/core/src/domain/workflow/run.ts';
import { openSite, type Site, versions } from '../worker/site.ts';
import { aRun, aStep, beginning, storeAt } from './run-fixtures.ts';

describe.each(versions)('PostgreSQL %i', (version) => {
  let site: Site;
  let store: ReturnType<typeof storeAt>;
  beforeAll(async () => {
    site = await openSite(version);
    store = storeAt(site.url);
  });
  afterAll(async () => {
    await store.close();
    await site.close();
  });

  const start = async (run: Run, steps: readonly Step[]): Promise<string> => {
    await store.apply([beginning(run, steps)]);
    return run.id;
  };
  const written = async (runId: string) => {
    const { run, steps } = await site.lineshaft.workflows.showWritten(runId);
    return {
      run,
      steps: steps.map(({ inputText, outputText, ...rest }) => ({
        ...rest,
        input: JSON.parse(inputText) as unknown,
        output: JSON.parse(outputText) as unknown,
      })),
    };
  };

  test('whatever is in its steps', async () => {
    const now = 1_700_000_000_123;
    const runId = await start(
      aRun({ nextSeq: 5, correlationId: 'c', failedRefs: ['a'], input: { odd: '\0 "\\" é 😀' } }),
      [
        aStep(),
        aStep({
          seq: 2,
          ref: 'b__3',
          iteration: 3,
          retryCount: 1,
          status: 'FAILED',
          reason: 'no "room"',
          startedAt: now,
          endedAt: now + 1,
          input: { odd: '\0 "\\" é 😀', deep: [{ a: null }] },
          output: { big: 'x'.repeat(100_000) },
          firstScheduledAt: now,
          workerId: 'w',
          retried: true,
          retriedStepId: randomUUID(),
        }),
        aStep({ seq: 3, ref: 'own', definition: { name: 'own', taskReferenceName: 'own', optional: true } }),
        aStep({ seq: 4, ref: 'own2', definition: { name: 'own', taskReferenceName: 'own', optional: true } }),
      ],
    );
    expect(await written(runId)).toEqual(await site.lineshaft.workflows.show(runId));
    expect((await written(runId.toUpperCase())).run.id).toBe(runId);
  });

  test('a step that somebody has taken is in progress', async () => {
    const step = aStep({ type: 'taken', name: 'taken' });
    const runId = await start(aRun(), [step]);
    await site.lineshaft.workflows.poll({ kind: 'taken', workerId: 'w', count: 1, timeoutMs: 0 });
    const shown = await written(runId);
    expect(shown.steps[0]).toMatchObject({ status: 'IN_PROGRESS', workerId: 'w' });
    expect(shown).toEqual(await site.lineshaft.workflows.show(runId));
  });

  test('a JOIN that waits has what has come', async () => {
    const join = aStep({
      seq: 3,
      ref: 'j',
      type: 'JOIN',
      status: 'IN_PROGRESS',
      input: { joinOn: ['a', 'b'] },
      definition: { name: 'j', taskReferenceName: 'j', type: 'JOIN' },
    });
    const done = aStep({ ref: 'a', status: 'COMPLETED', output: { a: 1 } });
    const runId = await start(aRun({ nextSeq: 4 }), [done, aStep({ seq: 2, ref: 'b' }), join]);
    const shown = await written(runId);
    expect(shown.steps[2]?.output).toEqual({ a: { a: 1 } });
    expect(shown).toEqual(await site.lineshaft.workflows.show(runId));
    const [, , step] = shown.steps;
    expect((await site.lineshaft.workflows.showStep(step?.id ?? '')).step).toEqual(step);
  });

  test('without steps, and where there is no run', async () => {
    const runId = await start(aRun(), []);
    expect((await written(runId)).steps).toEqual([]);
    expect((await written(runId)).run.id).toBe(runId);
    await expect(written(randomUUID())).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    await expect(written('none')).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
  });
});
