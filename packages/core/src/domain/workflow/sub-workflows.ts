/** Which workflows a definition calls as its steps, and whether it would call itself without end. Pure. */

import type { StepDefinition, WorkflowDefinition } from './definition.ts';

/** A workflow by name; without a version: the latest. */
export interface WorkflowName {
  readonly name: string;
  readonly version: number | undefined;
}

/**
 * The workflows that a run of the definition starts whatever happens: through SUB_WORKFLOW steps that are not inside of a
 * SWITCH or DECISION. Of a definition with a TERMINATE, none: recursion that ends by it is in order.
 */
export function certainSubWorkflows(definition: WorkflowDefinition): readonly WorkflowName[] {
  const found: WorkflowName[] = [];
  const lists: (readonly StepDefinition[])[] = [definition.tasks];
  for (let list = lists.pop(); list !== undefined; list = lists.pop()) {
    for (const step of list) {
      if (step.type === 'TERMINATE' || hasInner(step, 'TERMINATE')) return [];
      if (step.type === 'DECISION' || step.type === 'SWITCH') continue;
      for (const branch of step.forkTasks ?? []) lists.push(branch);
      if (step.type === 'DO_WHILE' && step.loopOver) lists.push(step.loopOver);
      const child = step.type === 'SUB_WORKFLOW' ? step.subWorkflowParam : undefined;
      if (child === undefined || child === null) continue;
      if (typeof child.workflowDefinition === 'object' && child.workflowDefinition !== null)
        found.push(...certainSubWorkflows(child.workflowDefinition));
      else if (child.name && !child.workflowDefinition && !child.name.includes('${'))
        found.push({ name: child.name, version: versionOf(child.version) });
    }
  }
  return found;
}

/**
 * The names on the way from a definition back to itself, or undefined.
 *
 * @param definition The one that is registered: it takes the place of what is known under its name and version.
 * @param known The registered ones, as far as they could be loaded; undefined for what does not exist (yet).
 */
export function cycleThrough(
  definition: WorkflowDefinition,
  known: (name: WorkflowName) => WorkflowDefinition | undefined,
): readonly string[] | undefined {
  const seen = new Set<string>();
  const waiting: { readonly at: WorkflowDefinition; readonly way: readonly string[] }[] = [
    { at: definition, way: [definition.name] },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const called of certainSubWorkflows(next.at)) {
      const way = [...next.way, called.name];
      const child = meant(called, definition, known(called));
      if (child === definition) return way;
      if (child === undefined || seen.has(keyOf(child))) continue;
      seen.add(keyOf(child));
      waiting.push({ at: child, way });
    }
  }
  return undefined;
}

function meant(
  called: WorkflowName,
  definition: WorkflowDefinition,
  found: WorkflowDefinition | undefined,
): WorkflowDefinition | undefined {
  if (called.name !== definition.name) return found;
  const version = definition.version ?? 1;
  const isMeant =
    called.version === undefined ? version >= (found?.version ?? 0) : called.version === version;
  return isMeant ? definition : found;
}

function keyOf(definition: WorkflowDefinition): string {
  return `${definition.version ?? 1} ${definition.name}`;
}

/** Absent, 0 and expressions: the latest is taken, an expression may mean any. */
function versionOf(version: number | string | undefined | null): number | undefined {
  const number = Number(version ?? Number.NaN);
  return Number.isInteger(number) && number > 0 ? number : undefined;
}

function hasInner(step: StepDefinition, type: string): boolean {
  const lists = [...Object.values(step.decisionCases ?? {}), step.defaultCase ?? []];
  while (lists.length > 0) {
    for (const inner of lists.pop() ?? []) {
      if (inner.type === type) return true;
      for (const list of Object.values(inner.decisionCases ?? {})) lists.push(list);
      for (const list of inner.forkTasks ?? []) lists.push(list);
      if (inner.defaultCase) lists.push(inner.defaultCase);
      if (inner.loopOver) lists.push(inner.loopOver);
    }
  }
  return false;
}
