/** Schemas that routes share, for OpenAPI. They document; nothing is validated by them. */

type Schema = Readonly<Record<string, unknown>>;

export const text: Schema = { type: 'string' };
export const flag = (otherwise: boolean): Schema => ({ type: 'boolean', default: otherwise });
export const whole = (minimum: number, maximum: number, otherwise?: number): Schema => ({
  type: 'integer',
  minimum,
  maximum,
  ...(otherwise === undefined ? {} : { default: otherwise }),
});
export const time: Schema = { type: 'integer', description: 'ms since 1970' };
export const texts: Schema = { type: 'array', items: text };
export const oneOf = (words: readonly string[], otherwise?: string): Schema => ({
  type: 'string',
  enum: words,
  ...(otherwise === undefined ? {} : { default: otherwise }),
});

export const anyObject: Schema = { type: 'object', additionalProperties: true };
export const listOf = (items: Schema): Schema => ({ type: 'array', items });

/** An answer of JSON. */
export const answer = (description: string, schema: Schema = anyObject): Schema => ({
  description,
  ...schema,
});
/** An answer that is a raw text, such as an id. */
export const rawText = (description: string): Schema => ({ description, type: 'string' });
export const noBody = (description: string): Schema => ({ description, type: 'null' });

/** Of searches. */
export const searchQuery: Readonly<Record<string, Schema>> = {
  start: whole(0, 2 ** 31 - 1, 0),
  size: whole(0, 5_000, 100),
  sort: { type: 'string', description: 'field:ASC|DESC, several joined by |' },
  freeText: { type: 'string', default: '*' },
  query: { type: 'string', description: "conditions joined by AND, such as status = 'FAILED'" },
};

export const found = (of: string): Schema => ({
  description: `${of} that were found`,
  type: 'object',
  properties: { totalHits: { type: 'integer' }, results: listOf(anyObject) },
});

export const taskResult: Schema = {
  type: 'object',
  required: ['workflowInstanceId', 'taskId', 'status'],
  properties: {
    workflowInstanceId: text,
    taskId: text,
    status: oneOf(['IN_PROGRESS', 'COMPLETED', 'FAILED', 'FAILED_WITH_TERMINAL_ERROR', 'CANCELED']),
    outputData: anyObject,
    reasonForIncompletion: text,
    callbackAfterSeconds: { type: 'integer', minimum: 0 },
    workerId: text,
    logs: listOf({ type: 'object', properties: { log: text, createdTime: time } }),
    extendLease: { type: 'boolean' },
  },
};

export const startWorkflowRequest: Schema = {
  type: 'object',
  required: ['name'],
  properties: {
    name: text,
    version: { type: 'integer', minimum: 0 },
    correlationId: text,
    input: anyObject,
    taskToDomain: { type: 'object', additionalProperties: text },
    workflowDef: anyObject,
    externalInputPayloadStoragePath: text,
    priority: whole(0, 99, 0),
    createdBy: text,
    idempotencyKey: text,
    idempotencyStrategy: oneOf(['FAIL', 'RETURN_EXISTING', 'FAIL_ON_RUNNING']),
  },
};

export const workflowDef: Schema = {
  type: 'object',
  required: ['name', 'tasks'],
  properties: {
    name: text,
    version: { type: 'integer', minimum: 1, default: 1 },
    tasks: listOf({
      type: 'object',
      required: ['name', 'taskReferenceName'],
      properties: { name: text, taskReferenceName: text, type: text, inputParameters: anyObject },
    }),
  },
};

export const taskDef: Schema = { type: 'object', required: ['name'], properties: { name: text } };
