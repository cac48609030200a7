import { expect, test } from 'vitest';
import { SimulatedRun } from '../testing/simulated-run.ts';
import { MergedDecision } from './merged-decision.ts';

test('a decision that is not written leaves no places for values that were to be', () => {
  const { state } = new SimulatedRun([{ name: 'a', taskReferenceName: 'a', type: 'SIMPLE' }]);
  const output = { text: 'x'.repeat(500) };
  state.origins.add(1, output, JSON.stringify(output));
  expect(state.origins.textOf({ of: output.text }, undefined)).toBe('[{"of":null},{"of":[1,"text"]}]');
  new MergedDecision(state).undo();
  expect(state.origins.textOf({ of: output.text }, undefined)).toBeUndefined();
});
