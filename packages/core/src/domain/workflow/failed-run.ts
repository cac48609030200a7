/**
 * A run that has ended badly, as its failure workflow is told of it in `failedWorkflow`. Bounded, since it becomes the input
 * of a run.
 */

import type { JsonObject } from './definition.ts';
import type { Draft } from './draft.ts';
import type { Step } from './run.ts';
import { runModel, stepModel } from './run-model.ts';
import { isUnsuccessful } from './status.ts';

/** At most so many steps are told, the failed ones first, then the latest. */
const stepsMost = 1_000;
/** Characters of JSON that all of them have at most, and the definition. */
const charactersMost = 1_048_576;

/** @param by the step that brought about the end */
export function failedRunDocument(draft: Draft, by: Step | undefined): JsonObject {
  const { run } = draft;
  const model = runModel(run, toldSteps(draft), {
    previousStatus: draft.state.run.status,
    failedTaskId: by?.id,
  });
  if (JSON.stringify(model['workflowDefinition']).length <= charactersMost) return model;
  const { name, version = 1 } = run.definition;
  return { ...model, workflowDefinition: { name, version } };
}

/** In their order. */
function toldSteps(draft: Draft): JsonObject[] {
  const latest = draft.allSteps().reverse();
  const failed = latest.filter((step) => isUnsuccessful(step.status));
  const told: { readonly seq: number; readonly model: JsonObject }[] = [];
  let room = charactersMost;
  for (const step of new Set([...failed, ...latest])) {
    if (told.length === stepsMost) break;
    const model = stepModel(draft.run, step);
    room -= JSON.stringify(model).length;
    if (room < 0) break;
    told.push({ seq: step.seq, model });
  }
  return told.sort((a, b) => a.seq - b.seq).map(({ model }) => model);
}
