/**
 * What an action of an event handler is to do with a message: templates replaced by what the message has, JSON inside of texts
 * expanded where it is asked for (Conductor, SimpleActionProcessor). Pure.
 */

import type { JsonObject } from './definition.ts';
import { resolve } from './expression.ts';
import { javaText } from './java-text.ts';
import type { StartRequest } from './run.ts';
import { isObject } from './violation.ts';

/** A message as actions see it. */
export interface EventMessage {
  readonly id: string;
  readonly event: string;
  readonly payload: unknown;
}

export type PlannedAction =
  | { readonly type: 'start'; readonly request: StartRequest }
  | {
      readonly type: 'report';
      readonly status: 'COMPLETED' | 'FAILED';
      /** Of a step by its id, or by its run and reference name. */
      readonly stepId: string | undefined;
      readonly runId: string | undefined;
      readonly ref: string | undefined;
      readonly output: JsonObject;
      readonly reason: string | undefined;
    }
  | { readonly type: 'unknown'; readonly reason: string };

/** @throws EXPRESSION_LIMIT */
export function planAction(action: JsonObject, message: EventMessage): PlannedAction {
  const payload = action['expandInlineJSON'] === true ? expandJson(message.payload) : message.payload;
  const told = { 'conductor.event.messageId': message.id, 'conductor.event.name': message.event };
  switch (action['action']) {
    case 'start_workflow':
      return {
        type: 'start',
        request: startRequest(fieldsOf(action['start_workflow']), payload, message, told),
      };
    case 'complete_task':
      return report('COMPLETED', fieldsOf(action['complete_task']), payload, told);
    case 'fail_task':
      return report('FAILED', fieldsOf(action['fail_task']), payload, told);
    default:
      return {
        type: 'unknown',
        reason: `Action not supported ${javaText(action['action'], 100)} for event ${message.event}`,
      };
  }
}

function startRequest(
  fields: JsonObject,
  payload: unknown,
  message: EventMessage,
  told: JsonObject,
): StartRequest {
  const input = fieldsOf(replaced(fieldsOf(fields['input']), payload));
  const correlationId = replaced(fields['correlationId'] ?? null, payload);
  const own = fields['taskToDomain'];
  const domains = isObject(own) ? own : isObject(payload) ? payload['taskToDomain'] : undefined;
  const { version } = fields;
  return {
    name: javaText(fields['name'], 255),
    ...(typeof version === 'number' ? { version } : {}),
    input: { ...input, ...told },
    ...(correlationId === null ? {} : { correlationId: javaText(correlationId, 255) }),
    ...(isObject(domains) ? { taskToDomain: textsOf(domains) } : {}),
    event: message.event,
  };
}

function report(
  status: 'COMPLETED' | 'FAILED',
  fields: JsonObject,
  payload: unknown,
  told: JsonObject,
): PlannedAction {
  const { workflowId = null, taskId = null, taskRefName = null, reasonForIncompletion } = fields;
  const named = { workflowId, taskId, taskRefName };
  const output = fieldsOf(replaced({ ...named, ...fieldsOf(fields['output']) }, payload));
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  return {
    type: 'report',
    status,
    stepId: text(output['taskId']),
    runId: text(output['workflowId']),
    ref: text(output['taskRefName']),
    output: { ...output, ...told },
    reason: text(replaced(reasonForIncompletion ?? null, payload)),
  };
}

function replaced(value: unknown, payload: unknown): unknown {
  const document = fieldsOf(payload);
  return resolve(value, {
    lookup: (name) => (Object.hasOwn(document, name) ? document[name] : undefined),
    names: () => Object.keys(document),
  });
}

/** Texts in objects and lists that are JSON become what they are; what comes of them is not looked into again. */
export function expandJson(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return parsedOr(value);
  if (typeof value !== 'object' || value === null || depth > 100) return value;
  if (Array.isArray(value)) return value.map((item) => expandJson(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, expandJson(item, depth + 1)]));
}

function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Whether the answer of a condition is yes: true, and numbers above 0 (Conductor, ScriptEvaluator). */
export function isYes(value: unknown): boolean {
  return typeof value === 'number' ? value > 0 : value === true;
}

function fieldsOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

function textsOf(fields: JsonObject): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, javaText(value, 1_000)]));
}
