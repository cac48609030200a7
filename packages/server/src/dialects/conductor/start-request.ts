/** StartWorkflowRequest and WorkflowTestRequest, as they come in. */

import type {
  IdempotencyStrategy,
  Rehearsal,
  RehearsedOutcome,
  StartRequest,
  StepStatus,
  WorkflowDefinition,
} from '@lineshaft/core';
import { demandFilled, field, invalid, isFields, violated, wordOf } from './given.ts';

type Fields = Readonly<Record<string, unknown>>;

const strategies: readonly IdempotencyStrategy[] = ['FAIL', 'RETURN_EXISTING', 'FAIL_ON_RUNNING'];

/** @throws LineshaftError REQUEST_INVALID */
export function startRequestOf(body: Fields): StartRequest {
  if (body.input === null) {
    throw invalid('input', 'NULL input passed when starting workflow', undefined);
  }
  const given: Record<string, unknown> = {
    name: nameOf(body),
    version: field(body, 'version').whole(0, 2 ** 31 - 1) || undefined,
    input: field(body, 'input').object() ?? {},
    correlationId: field(body, 'correlationId').text(),
    priority: priorityOf(body),
    taskToDomain: domainsOf(body),
    definition: field(body, 'workflowDef').object() as WorkflowDefinition | undefined,
    createdBy: field(body, 'createdBy').text(),
    idempotencyKey: field(body, 'idempotencyKey').text(),
    idempotencyStrategy: strategyOf(body),
    externalInputPath: field(body, 'externalInputPayloadStoragePath').text(),
  };
  return withoutAbsent(given) as unknown as StartRequest;
}

/** @throws LineshaftError REQUEST_INVALID */
export function rehearsalOf(body: Fields): Rehearsal {
  const outcomes = Object.entries(field(body, 'taskRefToMockOutput').object() ?? {});
  const subWorkflows = Object.entries(field(body, 'subWorkflowTestRequest').object() ?? {});
  return {
    start: startRequestOf(body),
    outcomes: Object.fromEntries(
      outcomes.map(([ref, mocks]) => [
        ref,
        Array.isArray(mocks) ? mocks.filter(isFields).map(outcomeOf) : [],
      ]),
    ),
    subWorkflows: Object.fromEntries(
      subWorkflows.flatMap(([ref, inner]) => (isFields(inner) ? [[ref, rehearsalOf(inner)] as const] : [])),
    ),
  };
}

const statuses: readonly StepStatus[] = [
  'SCHEDULED',
  'IN_PROGRESS',
  'COMPLETED',
  'COMPLETED_WITH_ERRORS',
  'SKIPPED',
  'FAILED',
  'FAILED_WITH_TERMINAL_ERROR',
  'TIMED_OUT',
  'CANCELED',
];

function outcomeOf(mock: Fields): RehearsedOutcome {
  return {
    status: wordOf('status', mock.status ?? 'COMPLETED', statuses),
    output: field(mock, 'output').object() ?? {},
    executionTime: field(mock, 'executionTime').whole(0, Number.MAX_SAFE_INTEGER) ?? 0,
    queueWaitTime: field(mock, 'queueWaitTime').whole(0, Number.MAX_SAFE_INTEGER) ?? 0,
  };
}

/** The name of the workflow; of a definition that came along if the request has none. */
function nameOf(body: Fields): string {
  const inner = field(body, 'workflowDef').object();
  const name = field(body, 'name').text() ?? (inner === undefined ? '' : (field(inner, 'name').text() ?? ''));
  demandFilled([['startWorkflow.arg0.name', name, 'Workflow name cannot be null or empty']]);
  return name;
}

function priorityOf(body: Fields): number {
  const priority = field(body, 'priority').whole(-(2 ** 31), 2 ** 31) ?? 0;
  if (priority >= 0 && priority <= 99) return priority;
  const bound = priority < 0 ? 'minimum 0' : 'maximum 99';
  const message = `priority: ${priority} should be ${bound}`;
  throw violated([{ path: 'startWorkflow.arg0.priority', message, invalidValue: String(priority) }]);
}

function domainsOf(body: Fields): Readonly<Record<string, string>> {
  const given = Object.entries(field(body, 'taskToDomain').object() ?? {});
  return Object.fromEntries(
    given.flatMap(([type, domain]) => (typeof domain === 'string' ? [[type, domain]] : [])),
  );
}

function strategyOf(body: Fields): IdempotencyStrategy | undefined {
  const given = field(body, 'idempotencyStrategy').text();
  return given === undefined ? undefined : wordOf('idempotencyStrategy', given, strategies);
}

function withoutAbsent(fields: Record<string, unknown>): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
