/**
 * What a request gives: parameters of path and query, and fields of bodies, read with the defaults and bounds that the
 * wire has. Whatever else a body holds is passed over.
 */

import {
  isLineshaftError,
  LineshaftError,
  type StepLog,
  type StepReport,
  type StepStatus,
} from '@lineshaft/core';
import type { FastifyRequest } from 'fastify';

type Fields = Readonly<Record<string, unknown>>;

/** A parameter of the path, decoded. */
export function param(request: FastifyRequest, name: string): string {
  return String((request.params as Fields)[name] ?? '');
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The id of a run; what is no UUID is the id of none. @throws LineshaftError RUN_NOT_FOUND */
export function runIdOf(request: FastifyRequest, name = 'workflowId'): string {
  return demandRunId(param(request, name));
}

/** @throws LineshaftError RUN_NOT_FOUND */
export function demandRunId(id: string): string {
  if (uuid.test(id)) return id.toLowerCase();
  throw new LineshaftError('RUN_NOT_FOUND', { message: `run '${id}' not found`, details: { runId: id } });
}

/** @throws LineshaftError STEP_NOT_FOUND */
export function demandStepId(id: string): string {
  if (uuid.test(id)) return id.toLowerCase();
  throw new LineshaftError('STEP_NOT_FOUND', { message: `step '${id}' not found`, details: { stepId: id } });
}

/** A parameter of the query; of several of the same name the last. An empty one counts as given. */
export function queryText(request: FastifyRequest, name: string): string | undefined {
  const given = (request.query as Fields)[name];
  const last = Array.isArray(given) ? given.at(-1) : given;
  return typeof last === 'string' ? last : undefined;
}

/** @throws LineshaftError REQUEST_INVALID */
export function requiredText(request: FastifyRequest, name: string): string {
  const given = queryText(request, name);
  if (given !== undefined) return given;
  throw new LineshaftError('REQUEST_INVALID', {
    message: `Required request parameter '${name}' for method parameter type String is not present`,
    details: { field: name, missing: true },
  });
}

/** All parameters of a name, also those of one text with commas. */
export function queryTexts(request: FastifyRequest, name: string): string[] {
  const given = (request.query as Fields)[name];
  return [given].flat().flatMap((each) => (typeof each === 'string' && each !== '' ? each.split(',') : []));
}

/** @throws LineshaftError REQUEST_INVALID */
export function queryWhole(
  request: FastifyRequest,
  name: string,
  range: {
    readonly least: number;
    readonly most: number;
    readonly otherwise: number;
    readonly message?: string;
  },
): number {
  const given = queryText(request, name);
  if (given === undefined || given === '') return range.otherwise;
  const value = Number(given);
  if (Number.isInteger(value) && value >= range.least && value <= range.most) return value;
  throw invalid(
    name,
    range.message ?? `${name} must be a whole number from ${range.least} to ${range.most}`,
    given,
  );
}

/** A time in ms since 1970, where one is given. @throws LineshaftError REQUEST_INVALID */
export function queryTime(request: FastifyRequest, name: string): number | undefined {
  const none = -1;
  const value = queryWhole(request, name, { least: 0, most: 8_640_000_000_000_000, otherwise: none });
  return value === none ? undefined : value;
}

/** @throws LineshaftError REQUEST_INVALID */
export function queryFlag(request: FastifyRequest, name: string, otherwise: boolean): boolean {
  const given = queryText(request, name)?.toLowerCase();
  if (given === undefined || given === '') return otherwise;
  if (['true', 'on', 'yes', '1'].includes(given)) return true;
  if (['false', 'off', 'no', '0'].includes(given)) return false;
  throw invalid(name, `${name} must be true or false`, given);
}

/** One word of a list. @throws LineshaftError REQUEST_INVALID */
export function wordOf<Word extends string>(name: string, given: unknown, words: readonly Word[]): Word {
  const word = words.find((each) => each === given);
  if (word !== undefined) return word;
  throw invalid(name, `${name} must be one of ${words.join(', ')}`, given);
}

/** A body that is an object; none at all is an empty one. @throws LineshaftError REQUEST_INVALID */
export function objectBody(request: FastifyRequest): Fields {
  const { body } = request;
  if (body === undefined || body === null) return {};
  if (isFields(body)) return body;
  throw invalid('body', 'the body must be a JSON object', body);
}

/** A body that is a list; a single object counts as a list of one, nothing and `{}` as an empty one. */
export function listBody(request: FastifyRequest): unknown[] {
  const { body } = request;
  if (Array.isArray(body)) return body;
  if (body === undefined || body === null) return [];
  if (isFields(body)) return Object.keys(body).length === 0 ? [] : [body];
  throw invalid('body', 'the body must be a JSON array', body);
}

/** A list of ids or names. @throws LineshaftError REQUEST_INVALID */
export function textsBody(request: FastifyRequest): string[] {
  return listBody(request).map((each, place) => {
    if (typeof each === 'string') return each;
    throw invalid(`body[${place}]`, `body[${place}] must be a text`, each);
  });
}

/** @throws LineshaftError REQUEST_INVALID */
export function field(fields: Fields, name: string): FieldReader {
  return new FieldReader(name, fields[name]);
}

/** A field of a body; null is as if it was not there. */
class FieldReader {
  private readonly name: string;
  private readonly value: unknown;

  constructor(name: string, value: unknown) {
    this.name = name;
    this.value = value ?? undefined;
  }

  text(): string | undefined {
    if (this.value === undefined || typeof this.value === 'string') return this.value;
    if (typeof this.value === 'number' || typeof this.value === 'boolean') return String(this.value);
    throw invalid(this.name, `${this.name} must be a text`, this.value);
  }

  /** Numbers in texts are taken too, as Java's reader of JSON does. */
  whole(least: number, most: number): number | undefined {
    if (this.value === undefined || this.value === '') return undefined;
    const value = typeof this.value === 'string' ? Number(this.value) : this.value;
    if (typeof value === 'number' && Number.isFinite(value)) {
      const whole = Math.trunc(value);
      if (whole >= least && whole <= most) return whole;
    }
    throw invalid(this.name, `${this.name} must be a whole number from ${least} to ${most}`, this.value);
  }

  flag(): boolean {
    if (this.value === undefined) return false;
    if (typeof this.value === 'boolean') return this.value;
    if (this.value === 'true' || this.value === 'false') return this.value === 'true';
    throw invalid(this.name, `${this.name} must be true or false`, this.value);
  }

  object(): Fields | undefined {
    if (this.value === undefined || isFields(this.value)) return this.value;
    throw invalid(this.name, `${this.name} must be an object`, this.value);
  }

  list(): readonly unknown[] {
    if (this.value === undefined) return [];
    if (Array.isArray(this.value)) return this.value;
    throw invalid(this.name, `${this.name} must be an array`, this.value);
  }
}

const reportStatuses = [
  'IN_PROGRESS',
  'COMPLETED',
  'FAILED',
  'FAILED_WITH_TERMINAL_ERROR',
  'CANCELED',
] as const;

/** A status that a task may be reported with. @throws LineshaftError REQUEST_INVALID */
export function reportStatus(given: unknown): StepReport['status'] {
  return wordOf('status', given, reportStatuses);
}

/** TaskResult. @throws LineshaftError REQUEST_INVALID with `violations`, STEP_NOT_FOUND */
export function reportOf(body: Fields): StepReport {
  const taskId = field(body, 'taskId').text() ?? '';
  const workflowId = field(body, 'workflowInstanceId').text() ?? '';
  demandFilled([
    ['updateTask.arg0.taskId', taskId, 'Task ID cannot be null or empty'],
    ['updateTask.arg0.workflowInstanceId', workflowId, 'Workflow Id cannot be null or empty'],
  ]);
  const reason = field(body, 'reasonForIncompletion').text();
  const workerId = field(body, 'workerId').text();
  const callback = field(body, 'callbackAfterSeconds').whole(0, 2 ** 31);
  const logs = field(body, 'logs').list().filter(isFields).map(logOf);
  const extendLease = field(body, 'extendLease').flag();
  const externalOutputPath = field(body, 'externalOutputPayloadStoragePath').text();
  return {
    stepId: demandStepId(taskId),
    // A lease is extended whatever the status says.
    status: extendLease && body.status === undefined ? 'IN_PROGRESS' : reportStatus(body.status),
    output: field(body, 'outputData').object() ?? {},
    ...(externalOutputPath === undefined ? {} : { externalOutputPath }),
    ...(reason === undefined ? {} : { reason: reason.slice(0, 500) }),
    ...(workerId === undefined ? {} : { workerId }),
    ...(callback === undefined ? {} : { callbackAfterSeconds: callback }),
    ...(logs.length === 0 ? {} : { logs }),
    ...(extendLease ? { extendLease } : {}),
  };
}

function logOf(fields: Fields): StepLog {
  return {
    log: field(fields, 'log').text() ?? '',
    createdTime: Number(fields.createdTime ?? 0) || 0,
  };
}

/** Fields that must not be empty: all that are, in one error. @throws LineshaftError REQUEST_INVALID */
export function demandFilled(
  fields: readonly (readonly [path: string, value: string, message: string])[],
): void {
  const violations = fields
    .filter(([, value]) => value.trim() === '')
    .map(([path, , message]) => ({ path, message }));
  if (violations.length > 0) throw violated(violations);
}

/** Bean validation: the message is fixed, `validationErrors` say what is wrong. */
export function violated(
  violations: readonly { readonly path: string; readonly message: string; readonly invalidValue?: unknown }[],
): LineshaftError {
  return new LineshaftError('REQUEST_INVALID', { message: validationFailed, details: { violations } });
}

/** Names the places of a document that is refused as Conductor does: by the argument of its method. */
export async function validatedAs(prefix: string, put: () => Promise<void>): Promise<void> {
  try {
    await put();
  } catch (error) {
    if (!isLineshaftError(error, 'DEFINITION_INVALID')) throw error;
    const violations = (error.details['violations'] ?? []) as readonly { readonly path: string }[];
    const placed = violations.map((each) => ({ ...each, path: joined(prefix, each.path) }));
    throw new LineshaftError('DEFINITION_INVALID', {
      message: error.message,
      details: { ...error.details, violations: placed },
    });
  }
}

function joined(prefix: string, path: string): string {
  return path === '' || path.startsWith('[') ? prefix + path : `${prefix}.${path}`;
}

export const validationFailed = 'Validation failed, check below errors for detail.';

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The statuses in which a step is over. */
export function isOver(status: StepStatus): boolean {
  return status !== 'SCHEDULED' && status !== 'IN_PROGRESS';
}

export function invalid(name: string, message: string, value: unknown): LineshaftError {
  const shown =
    typeof value === 'string' || typeof value === 'number' ? `: '${String(value).slice(0, 60)}'` : '';
  return new LineshaftError('REQUEST_INVALID', { message: `${message}${shown}`, details: { field: name } });
}
