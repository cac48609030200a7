/** What tests of the dialect over a server share: calls as a client makes them, and waiting for what they lead to. */

import type { HttpSite } from '../../server/http-site.ts';
import { until } from '../../worker/site.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what is in it is what is tested
  readonly json: any;
}

export interface Client {
  /** @param path below `/api` */
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Registers a workflow of steps. */
  register(name: string, tasks: readonly object[], more?: object): Promise<void>;
  /** Starts a workflow, which must work; returns its id. */
  start(name: string, input?: object): Promise<string>;
  /** Polls until there is a task of the type. */
  // biome-ignore lint/suspicious/noExplicitAny: what is in it is what is tested
  take(type: string): Promise<any>;
  finish(
    task: { workflowInstanceId: string; taskId: string },
    outputData?: object,
    status?: string,
  ): Promise<void>;
  /** Waits until the workflow has a status, and shows it. */
  // biome-ignore lint/suspicious/noExplicitAny: what is in it is what is tested
  settled(id: string, status: string): Promise<any>;
}

export function clientOf(http: () => HttpSite): Client {
  const call: Client['call'] = async (method, path, body) => {
    const answer = await fetch(`${http().url}/api${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, text, json: parsed(text) };
  };
  const good = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const answer = await call(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  };
  return {
    call,
    async register(name, tasks, more = {}) {
      await good('POST', '/metadata/workflow', { name, tasks, ...more });
    },
    start: async (name, input = {}) => (await good('POST', `/workflow/${name}`, input)).text,
    take: (type) =>
      until(`a task of ${type}`, async () => {
        const { json } = await good('GET', `/tasks/poll/batch/${type}?timeout=2000&workerid=w1`);
        return json[0];
      }),
    async finish({ workflowInstanceId, taskId }, outputData = {}, status = 'COMPLETED') {
      await good('POST', '/tasks', { workflowInstanceId, taskId, status, outputData });
    },
    settled: (id, status) =>
      until(`${id} is ${status}`, async () => {
        const { json } = await call('GET', `/workflow/${id}`);
        return json.status === status && json;
      }),
  };
}

/** A worker step. */
export function simple(kind: string, ref = kind, more: object = {}): object {
  return { name: kind, taskReferenceName: ref, type: 'SIMPLE', ...more };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
