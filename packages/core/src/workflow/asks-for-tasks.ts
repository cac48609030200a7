/** Which runs need more task definitions than those that they were given at their start. */

import type { WorkflowDefinition } from '../domain/workflow/definition.ts';
import { stepDefinitions } from './rows.ts';

const plainTypes: ReadonlySet<string> = new Set([
  'SIMPLE',
  'CUSTOM',
  'FORK_JOIN',
  'JOIN',
  'EXCLUSIVE_JOIN',
  'SWITCH',
  'DECISION',
  'DO_WHILE',
  'SUB_WORKFLOW',
  'START_WORKFLOW',
  'WAIT',
  'HUMAN',
  'EVENT',
  'INLINE',
  'LAMBDA',
  'JSON_JQ_TRANSFORM',
  'SET_VARIABLE',
  'TERMINATE',
  'NOOP',
  'HTTP',
  'PULL_WORKFLOW_MESSAGES',
]);
const asking = new WeakMap<WorkflowDefinition, boolean>();

/** Whether decisions about a run may ask for task definitions that are not in its definition, since names come at run time. */
export function asksForTasks(definition: WorkflowDefinition): boolean {
  let asks = asking.get(definition);
  if (asks === undefined) {
    asks = [...stepDefinitions(definition).values()].some(({ type }) => !plainTypes.has(type ?? 'SIMPLE'));
    asking.set(definition, asks);
  }
  return asks;
}
