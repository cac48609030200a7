/** Log lines of steps: as they came, in order, bounded, and gone with their run. */

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshName, openSite, type Site, versions } from '../worker/site.ts';
import { waitingSteps } from './waiting-steps.ts';

describe.each(versions)('logs of steps on PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  const aStep = async () => {
    const [made] = await waitingSteps(site, freshName('kind'), 1);
    if (made === undefined) throw new Error('there is no step');
    return made;
  };

  it('come back byte for byte, with the times that were said', async () => {
    const { stepId } = await aStep();
    const { workflows } = site.lineshaft;
    const lines = ['"Polled task..."', '', 'a\u0000b', 'Zeile\nzwei ✓', '{"a": 1}'];
    for (const [n, log] of lines.entries())
      await workflows.addLog(stepId, { log, createdTime: 1_700_000_000.5 + n });
    expect(await workflows.logs(stepId)).toEqual(
      lines.map((log, n) => ({ log, createdTime: 1_700_000_000.5 + n })),
    );
  });

  it('keep their order when many come at once', async () => {
    const steps = [await aStep(), await aStep()];
    const { workflows } = site.lineshaft;
    await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        workflows.addLog(steps[n % 2]?.stepId ?? '', { log: `${n}`, createdTime: n }),
      ),
    );
    for (const [rest, { stepId }] of steps.entries()) {
      const logs = await workflows.logs(stepId);
      expect(logs.map(({ log }) => Number(log))).toEqual(Array.from({ length: 100 }, (_, n) => 2 * n + rest));
    }
  });

  it('are bounded: the newest thousand, about a mebibyte, and long lines are cut', async () => {
    const [many, large, long] = [await aStep(), await aStep(), await aStep()];
    const { workflows } = site.lineshaft;
    await Promise.all(
      Array.from({ length: 1_500 }, (_, n) => workflows.addLog(many.stepId, { log: `${n}`, createdTime: n })),
    );
    const kept = await workflows.logs(many.stepId);
    expect(kept).toHaveLength(1_000);
    expect(kept[0]?.log).toBe('500');
    for (let n = 0; n < 30; n += 1)
      await workflows.addLog(large.stepId, { log: `${n}`.padEnd(100_000, '.'), createdTime: n });
    const left = await workflows.logs(large.stepId);
    expect(left.length).toBeLessThanOrEqual(11);
    expect(left.length).toBeGreaterThanOrEqual(10);
    expect(Number.parseInt(left.at(-1)?.log ?? '', 10)).toBe(29);
    await workflows.addLog(long.stepId, { log: `x${'é'.repeat(200_000)}`, createdTime: 0 });
    const [cut] = await workflows.logs(long.stepId);
    expect(Buffer.byteLength(cut?.log ?? '')).toBe(131_071);
    expect(cut?.log.endsWith('é')).toBe(true);
  });

  it('are told in the order of the times that they say, then in that in which they came', async () => {
    const { workflows } = site.lineshaft;
    const { stepId } = await aStep();
    await workflows.addLog(stepId, { log: 'third', createdTime: 2_000 });
    await workflows.addLog(stepId, { log: 'first', createdTime: 1_000 });
    await workflows.addLog(stepId, { log: 'second', createdTime: 1_000 });
    const told = await workflows.logs(stepId);
    expect(told.map(({ log }) => log)).toEqual(['first', 'second', 'third']);
  });

  it('of a step that is not there are dropped, and those of a run go with it', async () => {
    const { workflows } = site.lineshaft;
    await workflows.addLog(randomUUID(), { log: 'lost', createdTime: 0 });
    await workflows.addLog('no id', { log: 'lost', createdTime: 0 });
    expect(await workflows.logs('no id')).toEqual([]);
    const { runId, stepId } = await aStep();
    await workflows.addLog(stepId, { log: 'here', createdTime: 0 });
    expect(await workflows.logs(stepId)).toHaveLength(1);
    await workflows.remove(runId);
    expect(await workflows.logs(stepId)).toEqual([]);
  });
});
