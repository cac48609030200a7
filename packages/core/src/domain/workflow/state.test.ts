import { expect, test } from 'vitest';
import { inOrder } from './deadlines.ts';
import type { Decision } from './decision.ts';
import type { Run, Step } from './run.ts';
import { applyDecision, applyRows, nodeOf, readState, stepsOf } from './state.ts';

test('steps are indexed by what decisions ask for', () => {
  const state = readState(run, [
    step(3, 'b', { status: 'SCHEDULED' }),
    step(1, 'a', { status: 'FAILED', retried: true, executed: true }),
    step(2, 'a', { status: 'COMPLETED', id: 'a-2', retriedStepId: 'step-1' }),
  ]);
  expect(state.latest.get('a')?.id).toBe('a-2');
  expect([...state.open]).toEqual([3]);
  expect([...state.undecided]).toEqual([2]);
  expect(state.unsuccessful.size).toBe(0);
  expect(stepsOf(state).map((one) => one.seq)).toEqual([1, 2, 3]);
});

test('a join waits for the refs of its iteration until each is done', () => {
  const join = step(1, 'join__2', {
    type: 'JOIN',
    status: 'IN_PROGRESS',
    input: { joinOn: ['a', 'b'] },
    definition: { name: 'join', taskReferenceName: 'join' },
  });
  const state = readState(run, [join, step(2, 'a__2', { status: 'COMPLETED', executed: true })]);
  expect([...(state.joins.get(1) ?? [])]).toEqual(['b__2']);
  applyRows(state, undefined, [step(3, 'b__2', { status: 'COMPLETED', executed: true })], []);
  expect(state.joins.get(1)?.size).toBe(0);
  applyRows(state, undefined, [step(4, 'b__2', { status: 'SCHEDULED' })], []);
  expect([...(state.joins.get(1) ?? [])]).toEqual(['b__2']);
  applyRows(state, undefined, [{ ...join, status: 'COMPLETED' }], []);
  expect(state.joins.size + state.joinsOf.size).toBe(0);
});

test('of branches that came at run time those alone are kept that have steps inside', () => {
  const plain = step(1, 'plain__2', { type: 'SIMPLE' });
  const inside = { name: 'inside', taskReferenceName: 'inside' };
  const loop = { name: 'loop', taskReferenceName: 'loop', type: 'DO_WHILE', loopOver: [inside] };
  const state = readState(run, [plain, step(2, 'loop__2', { type: 'DO_WHILE', definition: loop })]);
  expect([...state.dynamic].map(([ref]) => ref)).toEqual(['loop__2', 'inside__2']);
  expect(nodeOf(state, plain)).toMatchObject({ definition: plain.definition, next: { type: 'branch-end' } });
  const iterated = step(3, 'inside__2__1', { type: 'SIMPLE', definition: inside });
  applyRows(state, undefined, [iterated], []);
  expect(nodeOf(state, iterated)).toBe(state.dynamic.get('inside__2'));
  expect(state.dynamic.size).toBe(2);
});

test('when the last attempt is gone, the one before it is the latest again', () => {
  const state = readState(run, [
    step(1, 'a', { status: 'FAILED' }),
    step(2, 'a', { status: 'SCHEDULED', retriedStepId: 'step-1' }),
  ]);
  applyRows(state, undefined, [], [2]);
  expect(state.latest.get('a')?.seq).toBe(1);
  expect(state.open.size).toBe(0);
});

test('deadlines come in their order, and those of steps that have moved on do not', () => {
  const state = readState(run, []);
  const due = (seq: number, dueAt: number | undefined) =>
    step(seq, `w${seq}`, { dueAt, status: 'IN_PROGRESS' });
  const many = Array.from({ length: 200 }, (_, index) => due(index + 1, 1_000 + ((index * 37) % 200)));
  applyRows(state, undefined, many, []);
  applyRows(state, undefined, [due(1, 5_000), { ...due(2, 1), status: 'COMPLETED' }], []);
  const times = [...inOrder(state.deadlines)].map((entry) => entry.at);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(times).toHaveLength(199);
  expect(times.at(-1)).toBe(5_000);
});

test('a decision that was written raises the revision, and one that says nothing does not', () => {
  const state = readState(run, []);
  const nothing = { run: undefined, steps: [], removed: [] } as unknown as Decision;
  expect(applyDecision(state, nothing).run.revision).toBe(1);
  const some = { ...nothing, steps: [step(1, 'a', { status: 'SCHEDULED' })] };
  expect(applyDecision(state, some).run.revision).toBe(2);
  expect(state.open.has(1)).toBe(true);
});

const run = { id: 'run', revision: 1, definition: { name: 'w', tasks: [] } } as unknown as Run;

function step(seq: number, ref: string, fields: Partial<Step>): Step {
  return {
    id: `step-${seq}`,
    seq,
    ref,
    definition: { name: ref, taskReferenceName: ref.replace(/__\d+$/, '') },
    input: {},
    retried: false,
    executed: false,
    type: ref,
    scheduledAt: 0,
    firstScheduledAt: 0,
    ...fields,
  } as unknown as Step;
}
