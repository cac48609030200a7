/** The dialect without a network and without a database: its routes over a port that answers what a test told it to. */

import type { Run, Step, Workflows } from '../../../packages/core/src/index.ts';
import { LineshaftError, silentLog } from '../../../packages/core/src/index.ts';
import { conductor } from '../../../packages/server/src/dialects/conductor/dialect.ts';
import { type App, createApp } from '../../../packages/server/src/http/app.ts';

export interface Called {
  readonly name: string;
  readonly args: readonly unknown[];
}

export interface Answered {
  readonly status: number;
  readonly type: string | undefined;
  readonly text: string;
  /** Parsed; undefined of what is no JSON. */
  readonly json: unknown;
}

export interface DialectSite {
  readonly app: App['fastify'];
  /** What the routes have asked of the port since the last `told`. */
  readonly calls: Called[];
  /** What a method of the port answers, or throws, from now on. `events.list` names one of a book. */
  tell(name: string, answer: unknown): void;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answered>;
  close(): Promise<void>;
}

export function openDialect(): DialectSite {
  const calls: Called[] = [];
  const answers = new Map<string, unknown>();
  const method =
    (name: string) =>
    async (...args: unknown[]): Promise<unknown> => {
      calls.push({ name, args });
      const answer = answers.get(name);
      if (answer instanceof Error) throw answer;
      return typeof answer === 'function' ? await answer(...args) : answer;
    };
  const book = (prefix: string): unknown =>
    new Proxy({}, { get: (_target, name) => method(`${prefix}${String(name)}`) });
  const workflows = new Proxy(
    { events: book('events.'), schedules: book('schedules.'), payloads: book('payloads.') },
    {
      get: (target, name) => (name in target ? target[name as keyof typeof target] : method(String(name))),
    },
  ) as unknown as Workflows;
  const { fastify } = createApp({
    log: silentLog,
    dialects: [conductor],
    bodyMaxBytes: 4_000_000,
    requestTimeoutMs: 10_000,
  });
  fastify.register(conductor.routes, { workflows });
  return {
    app: fastify,
    calls,
    tell: (name, answer) => {
      calls.length = 0;
      answers.set(name, answer);
    },
    call: (verb, path, body, headers = {}) => send(fastify, verb, path, body, headers),
    close: () => fastify.close(),
  };
}

async function send(
  app: App['fastify'],
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Answered> {
  const raw = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  const answer = await app.inject({
    method: method as 'GET',
    url: path,
    headers: { ...(raw === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(raw === undefined ? {} : { payload: raw }),
  });
  return {
    status: answer.statusCode,
    type: answer.headers['content-type']?.toString(),
    text: answer.body,
    json: parsed(answer.body),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const runId = '01890a5d-ac96-774b-bcce-b302099a8057';
export const stepId = '01890a5d-ac96-774b-bcce-b302099a8058';

/** A run of one worker step, with what a test wants otherwise. */
export function sampleRun(more: Partial<Run> = {}): Run {
  return {
    id: runId,
    revision: 1,
    definition: {
      name: 'orders',
      version: 2,
      tasks: [{ name: 'charge', taskReferenceName: 'charge_ref', type: 'SIMPLE' }],
    },
    status: 'RUNNING',
    input: { order: 7 },
    output: {},
    variables: {},
    priority: 0,
    correlationId: undefined,
    idempotencyKey: undefined,
    taskToDomain: {},
    createdBy: undefined,
    createdAt: 1_700_000_000_000,
    updatedAt: 1_700_000_000_500,
    endedAt: undefined,
    lastRetriedAt: undefined,
    reason: undefined,
    event: undefined,
    parent: undefined,
    reRunFrom: undefined,
    limited: undefined,
    depth: 0,
    failedRefs: [],
    failedNames: [],
    nextSeq: 2,
    ...more,
  };
}

export function sampleStep(more: Partial<Step> = {}): Step {
  return {
    id: stepId,
    seq: 1,
    ref: 'charge_ref',
    iteration: 0,
    retryCount: 0,
    type: 'charge',
    name: 'charge',
    status: 'IN_PROGRESS',
    definition: { name: 'charge', taskReferenceName: 'charge_ref', type: 'SIMPLE' },
    input: { amount: 5, note: null },
    output: {},
    domain: undefined,
    scheduledAt: 1_700_000_000_100,
    firstScheduledAt: 1_700_000_000_100,
    startedAt: 1_700_000_000_300,
    updatedAt: 1_700_000_000_300,
    endedAt: undefined,
    startDelaySeconds: 0,
    callbackAfterSeconds: 0,
    pollCount: 1,
    workerId: 'w1',
    reason: undefined,
    retriedStepId: undefined,
    retried: false,
    executed: false,
    subRunId: undefined,
    dueAt: undefined,
    parentStepId: undefined,
    ...more,
  };
}

/** An error as the port throws it. */
export function refusal(
  code: ConstructorParameters<typeof LineshaftError>[0],
  details: Readonly<Record<string, unknown>> = {},
  message = 'refused',
): LineshaftError {
  return new LineshaftError(code, { message, details });
}
