/** Workflows that call themselves without an end. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StepDefinition } from '../../packages/core/src/index.ts';
import { freshName, openSite, type Site, until } from '../worker/site.ts';

describe('runs within runs', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(18);
    await site.work(await site.queue(), { handlers: { nothing: () => {} } });
  });
  afterAll(() => site?.close());

  /** A workflow whose runs start runs of their own kind; the condition makes it one that is not refused at once. */
  async function recursive(calls: number): Promise<string> {
    const name = freshName('deeper');
    const call = (n: number): StepDefinition => ({
      name: 'call',
      taskReferenceName: `call${n}`,
      type: 'SUB_WORKFLOW',
      subWorkflowParam: { name, version: 1 },
    });
    const branches = Array.from({ length: calls }, (_, n) => [call(n)]);
    const fork: StepDefinition[] = [
      { name: 'fork', taskReferenceName: 'fork', type: 'FORK_JOIN', forkTasks: branches },
      {
        name: 'join',
        taskReferenceName: 'join',
        type: 'JOIN',
        joinOn: branches.map((_, n) => `call${n}`),
      },
    ];
    const choice: StepDefinition = {
      name: 'choice',
      taskReferenceName: 'choice',
      type: 'SWITCH',
      evaluatorType: 'value-param',
      expression: 'never',
      inputParameters: { never: 'x' },
      decisionCases: { stop: [] },
      defaultCase: calls === 1 ? [call(0)] : fork,
    };
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks: [choice] }, { overwrite: true });
    return name;
  }

  const allHaveEnded = (name: string) =>
    until('all have ended', async () => (await site.lineshaft.workflows.running(name)).length === 0);

  it('end at a depth of 100, and say why', async () => {
    const name = await recursive(1);
    const id = await site.lineshaft.workflows.start({ name });
    const { run } = await site.lineshaft.workflows.waitForRun(id, (each) => each.run.endedAt !== undefined, {
      timeoutMs: 30_000,
    });
    expect(run.status).toBe('FAILED');
    expect(run.reason).toMatch(/would run within 100 others already/);
    const [row] = await site.rows<{ n: number }>(
      'select count(*)::int as n from lineshaft.run where name = $1',
      [name],
    );
    expect(row?.n).toBe(101);
    await allHaveEnded(name);
  });
});
