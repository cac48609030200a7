/** Scenario 41 of Conductor's suite, in its hierarchical variants: each way to go on, at each level of a tree of runs, in three shapes. */

import { describe, expect, test } from 'vitest';
import type { StepDefinition } from '../../../packages/core/src/index.ts';
import { until } from '../../worker/site.ts';
import { fork, join, openStage, type Play, simple, stepOf } from './stage.ts';

const stage = openStage();
const workflows = () => stage.site().lineshaft.workflows;

const sub = (ref: string, name: string, more: Partial<StepDefinition> = {}): StepDefinition =>
  stepOf('SUB_WORKFLOW', ref, { from: 'parent' }, { subWorkflowParam: { name, version: 1 }, ...more });

/** The run that a step has started last. */
async function childOf(play: Play, ref: string): Promise<Play> {
  const runId = await until(`the run of ${ref}`, async () => (await play.step(ref, 'any')).subRunId);
  return stage.follow(runId);
}

const statusOf = async (play: Play): Promise<string> => (await play.show()).run.status;

/** Ends all that is open in a tree of runs, until its root has ended. */
async function finish(root: Play): Promise<string> {
  return until(
    'the end of the tree',
    async () => {
      const waiting = [root];
      for (let play = waiting.pop(); play !== undefined; play = waiting.pop()) {
        const { run, steps } = await play.show();
        if (play === root && run.endedAt !== undefined) return run.status;
        for (const step of steps) {
          const open = step.status === 'SCHEDULED' || step.status === 'IN_PROGRESS';
          if (open && step.subRunId !== undefined) waiting.push(stage.follow(step.subRunId));
          else if (open && step.name.startsWith('work_'))
            await workflows().report({ stepId: step.id, status: 'COMPLETED', output: { by: step.ref } });
        }
      }
      return undefined;
    },
    30_000,
  );
}

describe('41. SubWorkflow restart/retry/rerun at root, middle and leaf of a 3-level tree: hierarchical fork/join and nested fork variants', () => {
  /** Workflows with one below them, in three shapes. */
  const shapes: Record<string, (below: string) => StepDefinition[]> = {
    'one after the other': (below) => [simple('before'), sub('sub', below), simple('after')],
    'fork/join': (below) => [
      fork('fork', [sub('sub', below)], [simple('before')]),
      join('join', 'sub', 'before'),
      simple('after'),
    ],
    'nested forks': (below) => [
      fork(
        'outer',
        [fork('inner', [sub('sub', below)], [simple('beside')]), join('join1', 'sub', 'beside')],
        [simple('before')],
      ),
      join('join2', 'join1', 'before'),
    ],
  };
  const ways: Record<string, (runId: string) => Promise<unknown>> = {
    retry: (runId) => workflows().retry(runId),
    restart: (runId) => workflows().restart(runId),
    rerun: (runId) => workflows().rerun(runId, {}),
  };
  const cases = Object.keys(shapes).flatMap((shape) =>
    Object.keys(ways).flatMap((way) =>
      ['root', 'middle', 'leaf'].map((level) => [shape, way, level] as const),
    ),
  );

  test.each(cases)('%s: %s of the %s', async (shape, way, level) => {
    const make = shapes[shape] ?? (() => []);
    const leafName = await stage.register([simple('l1'), simple('l2')]);
    const middleName = await stage.register(make(leafName));
    const root = await stage.play(make(middleName));
    for (const ref of ['before', 'beside']) if (await has(root, ref)) await root.end(ref);
    const middle = await childOf(root, 'sub');
    for (const ref of ['before', 'beside']) if (await has(middle, ref)) await middle.end(ref);
    const leaf = await childOf(middle, 'sub');
    await leaf.end('l1');
    await leaf.fail('l2');
    expect((await root.ended()).run.status).toBe('FAILED');
    expect(await statusOf(middle)).toBe('FAILED');
    const tree = { root, middle, leaf };
    await ways[way]?.(tree[level as keyof typeof tree].runId);
    // All above it go on.
    for (const above of level === 'leaf'
      ? [leaf, middle, root]
      : level === 'middle'
        ? [middle, root]
        : [root])
      await until(`${above.runId} goes on`, async () => (await statusOf(above)) === 'RUNNING');
    expect(await finish(root)).toBe('COMPLETED');
    if (level !== 'root') expect((await childOf(root, 'sub')).runId).toBe(middle.runId);
    if (level === 'leaf') expect((await childOf(middle, 'sub')).runId).toBe(leaf.runId);
    expect(await statusOf(await childOf(root, 'sub'))).toBe('COMPLETED');
  });

  async function has(play: Play, ref: string): Promise<boolean> {
    const { run } = await play.show();
    return JSON.stringify(run.definition.tasks).includes(`"taskReferenceName":"${ref}"`);
  }
});
