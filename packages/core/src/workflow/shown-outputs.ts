/** Outputs that are in other steps only, of loops and joins that wait, are put together for who looks at a run. Pure. */

import { SmallMap } from '../domain/small-collections.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';
import { isGathered, wholeOutput } from '../domain/workflow/gathered-output.ts';
import type { Run, Step } from '../domain/workflow/run.ts';
import type { WrittenStep } from './port.ts';

/** @param steps all of the run */
export function withOutputs(run: Run, steps: readonly Step[]): readonly Step[] {
  if (!steps.some(isGathered)) return steps;
  const latest = new Map(steps.toSorted((a, b) => a.seq - b.seq).map((step) => [step.ref, step]));
  const state = { run, latest, dynamic: new SmallMap<string, never>() };
  return steps.map((step) => (isGathered(step) ? { ...step, output: wholeOutput(state, step) } : step));
}

/** The same, of steps whose documents are text: only those are parsed that are looked at. */
export function withOutputTexts(run: Run, steps: readonly WrittenStep[]): readonly WrittenStep[] {
  if (!steps.some(isGathered)) return steps;
  const read = steps.map(asStep);
  const whole = withOutputs(run, read);
  return steps.map((step, at) => {
    const shown = whole[at];
    return shown === undefined || shown === read[at]
      ? step
      : { ...step, outputText: JSON.stringify(shown.output) };
  });
}

function asStep(step: WrittenStep): Step {
  return {
    ...step,
    get input(): JsonObject {
      return JSON.parse(step.inputText) as JsonObject;
    },
    get output(): JsonObject {
      return JSON.parse(step.outputText) as JsonObject;
    },
  };
}
