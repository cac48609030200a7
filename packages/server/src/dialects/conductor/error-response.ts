/** `ErrorResponse`, the shape of every error of the Conductor dialect, with its statuses and its words. */

import type { FastifyContextConfig } from 'fastify';
import type { ErrorAnswer, FailedRequest } from '../../http/dialect.ts';
import { type Failure, failureOf } from '../../http/failure.ts';
import { validationFailed } from './given.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * What it means that a run is in the wrong state. Default 409. `restart`: 404 if it is complete and may not be
     * restarted. `retry`: 404 if it still runs.
     */
    wrongState?: 500 | 'restart' | 'retry';
    /** What it means that a step is not known. Default 404. */
    unknownStep?: 400;
    /** Says that something is not there in words of its own, which clients compare. */
    words?: 'start' | 'workflow' | 'task' | 'rerun' | 'update' | 'delete';
  }
}

export function errorResponse(failure: Failure, request: FailedRequest): ErrorAnswer {
  const { code, violations } = failure;
  const status = statusOf(failure, request.config);
  const message = violations.length === 0 ? messageOf(failure, request.config.words) : validationFailed;
  return {
    status,
    body: {
      status,
      code,
      message,
      instance: request.host,
      retryable: failure.retryable,
      // What SDKs look at to fetch a new token.
      ...(status === 401 ? { error: failure.details['error'] ?? 'INVALID_TOKEN' } : {}),
      ...(violations.length === 0 ? {} : { validationErrors: violations.map(shownViolation) }),
    },
  };
}

/** The value is shown where it is one: not of what is missing, and not of a whole step or list. */
function shownViolation({ path, message, invalidValue }: Failure['violations'][number]): object {
  const text = invalidValue === undefined || invalidValue === null ? 'null' : String(invalidValue);
  const isWhole = path.endsWith(']') || path.endsWith('.arg0') || /^[[{]/.test(text);
  return { path, message, ...(text === 'null' || isWhole ? {} : { invalidValue: text }) };
}

/** What an error says, where it is one of many in an answer. */
export function saidOf(error: unknown): string {
  return messageOf(failureOf(error));
}

function statusOf({ code, status, details }: Failure, config: FastifyContextConfig): number {
  switch (code) {
    case 'RUN_STATE':
      return stateStatus(config.wrongState, details['status']);
    case 'STEP_NOT_FOUND':
      return config.unknownStep ?? status;
    case 'REQUEST_INVALID':
      return details['missing'] === true ? 500 : status;
    // What Conductor calls transient: its clients try again.
    case 'RUN_BUSY':
    case 'DATABASE_UNAVAILABLE':
      return 500;
    default:
      return status;
  }
}

function stateStatus(wrongState: FastifyContextConfig['wrongState'], status: unknown): number {
  if (wrongState === 500) return 500;
  if (wrongState === 'restart') return status === 'COMPLETED' ? 404 : 409;
  if (wrongState === 'retry') return status === 'RUNNING' || status === 'PAUSED' ? 404 : 409;
  return 409;
}

/** The words that clients compare; all else says what Lineshaft says. */
function messageOf({ code, message, details }: Failure, words?: FastifyContextConfig['words']): string {
  const text = (name: string): string => String(details[name] ?? 'null');
  switch (code) {
    case 'WORKFLOW_NOT_FOUND':
      return workflowWords(text('name'), text('version'), words);
    case 'WORKFLOW_EXISTS':
      return `Workflow with ${text('name')}.${text('version')} already exists!`;
    case 'TASK_NOT_FOUND':
      if (words === 'update') return `No such task by name ${text('name')}`;
      return words === 'delete'
        ? 'No such task definition'
        : `No such taskType found by name: ${text('name')}`;
    case 'RUN_NOT_FOUND':
      if (details['runId'] === undefined) return message;
      if (words === 'workflow') return `Workflow with Id: ${text('runId')} not found.`;
      return `No such workflow found by id: ${text('runId')}`;
    case 'STEP_NOT_FOUND':
      return details['stepId'] === undefined ? message : stepWords(text('stepId'), words);
    case 'EVENT_HANDLER_EXISTS':
      return `EventHandler with name ${text('name')} already exists!`;
    case 'EVENT_HANDLER_NOT_FOUND':
      return `EventHandler with name ${text('name')} not found!`;
    case 'SCHEDULE_NOT_FOUND':
      return details['schedule'] === undefined ? message : `Schedule '${text('schedule')}' not found`;
    default:
      return message;
  }
}

function workflowWords(name: string, version: string, words: FastifyContextConfig['words']): string {
  if (words === 'start') return `No such workflow defined. name=${name}, version=${version}`;
  if (words === 'delete') return `No such workflow definition: ${name} version: ${version}`;
  return `No such workflow found by name: ${name}, version: ${version}`;
}

function stepWords(id: string, words: FastifyContextConfig['words']): string {
  if (words === 'task') return `Task not found for taskId: ${id}`;
  if (words === 'rerun') return `Task ${id} not found`;
  return `No such task found by id: ${id}`;
}
