/** Checks event handlers, in Conductor's words. Pure. */

import { documentTrouble, nameLength } from './validate-task.ts';
import { at, checkFields, isObject, type Violation, Violations } from './violation.ts';

/** The actions there are, and the field that each needs. */
export const eventActions = ['start_workflow', 'complete_task', 'fail_task'] as const;
const otherActions = ['terminate_workflow', 'update_workflow_variables', 'start_agent'];

const actionsMost = 100;
const documentLength = 1_048_576;

/** What is wrong with an event handler; nothing: it may be registered. */
export function validateEventHandler(document: unknown): readonly Violation[] {
  const violations = new Violations();
  if (!isObject(document)) {
    violations.add('', 'EventHandler must be an object', document);
    return violations.list;
  }
  const trouble = documentTrouble(document, documentLength);
  if (trouble !== undefined) violations.add('', trouble, undefined);
  else check(violations, document);
  return violations.list;
}

function check(violations: Violations, document: Readonly<Record<string, unknown>>): void {
  const texts = { name: 'text', event: 'text', condition: 'text', evaluatorType: 'text' } as const;
  checkFields(violations, '', document, { ...texts, active: 'boolean', actions: 'list' });
  const missing = { name: 'Missing event handler name', event: 'Missing event location' };
  for (const [field, message] of Object.entries(missing)) {
    const value = document[field] ?? '';
    if (value === '') violations.add(field, message, document[field]);
    if (typeof value === 'string' && value.length > nameLength)
      violations.add(field, `must have at most ${nameLength} characters`, value);
  }
  const { actions } = document;
  if (!Array.isArray(actions) || actions.length === 0) {
    violations.add('actions', 'No actions specified. Please specify at-least one action', actions);
    return;
  }
  if (actions.length > actionsMost)
    violations.add('actions', `must be at most ${actionsMost} actions`, actions.length);
  else for (const [index, action] of actions.entries()) checkAction(violations, `actions[${index}]`, action);
}

function checkAction(violations: Violations, path: string, action: unknown): void {
  if (!isObject(action)) {
    violations.add(path, 'must be an object', action);
    return;
  }
  const all = [...eventActions, ...otherActions];
  checkFields(violations, path, action, { action: all, expandInlineJSON: 'boolean' });
  const type = eventActions.find((each) => each === action['action']);
  if (action['action'] === undefined || action['action'] === null)
    violations.add(at(path, 'action'), 'action is required', action['action']);
  if (type === undefined) return;
  const fields = action[type];
  if (!isObject(fields)) violations.add(at(path, type), `${type} is required for this action`, fields);
  else if (type === 'start_workflow' && (fields['name'] ?? '') === '')
    violations.add(at(path, 'start_workflow.name'), 'the name of the workflow is required', fields['name']);
}
