import { expect, test } from 'vitest';
import { type InputAtHand, inputInStep, OpenSteps } from './open-steps.ts';

/** Steps of one large run, whose inputs are as long as is wanted, and what was read of them. */
function steps(length = 10) {
  const reads: string[][] = [];
  let broken = false;
  const open = new OpenSteps({
    store: {
      inputs: async (ids) => {
        if (broken) throw new Error('away');
        reads.push([...ids]);
        return ids.filter((id) => id !== 'gone').map((id) => [id, 'run', inputFor(id, length)] as const);
      },
    },
    inputsAtHand: () => expect.fail('its run is too large'),
  });
  return { open, reads, breakIt: () => (broken = true) };
}

const first = inputInStep(1);

function inputFor(id: string, length: number): string {
  return `"${id.padEnd(length - 2, '.')}"`;
}

test('what this process wrote is at hand once a worker has asked for a step, and forgotten when it has ended', async () => {
  const { open, reads } = steps();
  open.add('a', { runId: 'run', input: '"of a"', payload: first });
  expect(await open.inputOf('a', first)).toBe(inputFor('a', 10));
  open.add('b', { runId: 'run', input: '"of b"', payload: first });
  expect([open.inputOf('b', first), open.runOf('b')]).toEqual(['"of b"', 'run']);
  open.forget('b');
  expect(open.runOf('b')).toBeUndefined();
  expect(await open.inputOf('b', first)).toBe(inputFor('b', 10));
  expect(reads).toEqual([['a'], ['b']]);
});

test('what is at hand is not taken for a later job of the same step', async () => {
  const { open, reads } = steps();
  await open.inputOf('x', first);
  open.add('a', { runId: 'run', input: '"old"', payload: first });
  expect(await open.inputOf('a', inputInStep(7))).toBe(inputFor('a', 10));
  expect(reads.at(-1)).toEqual(['a']);
  expect(open.inputOf('a', inputInStep(7))).toBe(inputFor('a', 10));
});

test('steps that were claimed are read ahead, once it is known how long inputs are', async () => {
  const { open, reads } = steps();
  for (const id of ['a', 'b', 'c', 'd', 'e']) open.expect(id, first);
  expect(await open.inputOf('a', first)).toBe(inputFor('a', 10));
  await open.inputOf('b', first);
  expect(reads).toEqual([['a'], ['c', 'd', 'e', 'b']]);
  // At once: no promise.
  expect(open.inputOf('c', first)).toBe(inputFor('c', 10));
});

test('no more is read ahead than a mebibyte', async () => {
  const { open, reads } = steps(300_000);
  for (let n = 0; n < 20; n += 1) open.expect(`s${n}`, first);
  await open.inputOf('s0', first);
  await open.inputOf('s1', first);
  expect(reads[1]).toEqual(['s2', 's3', 's4', 's1']);
});

test('a step that is not there, and a database that is away, are told to those who asked', async () => {
  const { open, breakIt } = steps();
  await expect(open.inputOf('gone', first)).rejects.toThrow('step gone is not there');
  breakIt();
  await expect(open.inputOf('a', first)).rejects.toThrow('away');
});

/** Steps of small runs, one in each, whose runs are of this revision; and what was read of what. */
function smallRuns(bytes: number, revision = 1, isBroken = () => false) {
  const reads: { inputs: string[]; runs: string[] } = { inputs: [], runs: [] };
  const open = new OpenSteps({
    store: {
      inputs: async (ids, small) => {
        if (small === undefined) reads.inputs.push(...ids);
        return ids.map((id) => [id, `run of ${id}`, small === undefined ? '"alone"' : undefined] as const);
      },
    },
    inputsAtHand: async (wanted) => {
      reads.runs.push(...wanted.map(({ runId }) => runId));
      if (isBroken()) throw new Error('unreadable');
      const known = wanted.filter((step) => step.stepId !== 'busy' && step.revision <= revision);
      return new Map(
        known.map(({ stepId }): [string, InputAtHand] => [stepId, { input: { of: stepId }, bytes }]),
      );
    },
  });
  return { open, reads };
}

test('the input of a step of a small run is that of the run, which is at hand when the step has ended', async () => {
  const { open, reads } = smallRuns(500);
  for (const id of ['a', 'b', 'c']) open.expect(id, first);
  expect(await open.inputOf('a', first)).toEqual({ of: 'a' });
  expect(open.runOf('a')).toBe('run of a');
  expect(await open.inputOf('b', first)).toEqual({ of: 'b' });
  expect(open.inputOf('c', first)).toEqual({ of: 'c' });
  expect(reads).toEqual({ inputs: [], runs: ['run of a', 'run of c', 'run of b'] });
});

test('a run that is about to change, or is older in memory than the job, does not say what its step is given', async () => {
  const { open, reads } = smallRuns(500, 3);
  expect(await open.inputOf('busy', first)).toBe('"alone"');
  expect(await open.inputOf('old', inputInStep(4))).toBe('"alone"');
  expect(await open.inputOf('new', inputInStep(3))).toEqual({ of: 'new' });
  expect(reads.inputs).toEqual(['busy', 'old']);
});

test('where a run can not be read, steps are read alone', async () => {
  const { open, reads } = smallRuns(500, 1, () => true);
  for (const id of ['a', 'b']) open.expect(id, first);
  expect(await Promise.all([open.inputOf('a', first), open.inputOf('b', first)])).toEqual([
    '"alone"',
    '"alone"',
  ]);
  expect(reads.inputs).toEqual(['a', 'b']);
});

test('of runs with large documents few are read ahead', async () => {
  const { open, reads } = smallRuns(300_000);
  for (let n = 0; n < 20; n += 1) open.expect(`s${n}`, first);
  await open.inputOf('s0', first);
  await open.inputOf('s1', first);
  expect(reads.runs).toEqual(['s0', 's2', 's3', 's4', 's1'].map((id) => `run of ${id}`));
});
