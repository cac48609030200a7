/** Which runs need more task definitions than those that they were given at their start. */

import type { WorkflowDefinition } from '../domain/workflow/definition.ts';
import { isKnownBefore } from '../domain/workflow/steps/worker.ts';
import { stepDefinitions } from './rows.ts';

const asking = new WeakMap<WorkflowDefinition, boolean>();

/** Whether decisions about a run may ask for task definitions that are not in its definition, since names come at run time. */
export function asksForTasks(definition: WorkflowDefinition): boolean {
  let asks = asking.get(definition);
  if (asks === undefined) {
    asks = [...stepDefinitions(definition).values()].some(({ type }) => !isKnownBefore(type ?? 'SIMPLE'));
    asking.set(definition, asks);
  }
  return asks;
}
