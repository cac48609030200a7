/** Servers beside each other on one database, each in a program of its own: whom a caller asks makes no difference. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ServerOptions } from '../../packages/server/src/index.ts';
import { until } from '../worker/site.ts';
import { type HttpSite, openHttpSite } from './http-site.ts';

let http: HttpSite;
let first: string;
let second: string;
let third: string;

beforeAll(async () => {
  http = await openHttpSite();
  first = http.url;
  const open = async (): Promise<string> => {
    const lineshaft = http.site.other();
    const workflows = lineshaft.workflows as unknown as ServerOptions['workflows'];
    return (await http.other({ lineshaft, workflows })).url;
  };
  second = await open();
  third = await open();
  const worker = http.site.lineshaft.worker({ handlers: {}, signals: false });
  await worker.start();
});

afterAll(async () => {
  await http.close();
});

async function call(method: string, url: string, body?: unknown): Promise<string> {
  const answer = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  expect(answer.ok, `${method} ${url}: ${text}`).toBe(true);
  return text;
}

interface Shown {
  readonly status: string;
  readonly output: Record<string, unknown>;
}

const show = async (server: string, id: string): Promise<Shown> =>
  JSON.parse(await call('GET', `${server}/api/workflow/${id}`)) as Shown;

it('a step that is polled at one is reported at another, and seen at a third', async () => {
  await call('POST', `${first}/api/metadata/workflow`, {
    name: 'beside',
    tasks: [{ name: 'greet', taskReferenceName: 'greet', type: 'SIMPLE' }],
    outputParameters: { said: '${greet.output.said}' },
  });
  const polled = fetch(`${second}/api/tasks/poll/batch/greet?timeout=20000`);
  const id = await call('POST', `${third}/api/workflow/beside`, {});
  const [task] = (await (await polled).json()) as { taskId: string; workflowInstanceId: string }[];
  expect(task).toMatchObject({ workflowInstanceId: id });
  await call('POST', `${first}/api/tasks`, {
    ...task,
    status: 'COMPLETED',
    outputData: { said: 'Hello' },
  });
  await until('it is complete', async () => (await show(second, id)).status === 'COMPLETED');
  expect(await show(third, id)).toMatchObject({ status: 'COMPLETED', output: { said: 'Hello' } });
}, 60_000);

it('a step that was polled is with its worker as soon as the answer was sent', async () => {
  const id = await call('POST', `${first}/api/workflow/beside`, {});
  const tasks = await until('it is polled', async () => {
    const found = JSON.parse(await call('GET', `${second}/api/tasks/poll/batch/greet`)) as {
      taskId: string;
    }[];
    return found.length > 0 && found;
  });
  const held = () =>
    http.site.rows<{ claim: string | null; rest: number }>(
      `select p.claim, extract(epoch from p.until - l.taken_at)::int as rest
      from lineshaft.job_lease p join lineshaft.lease l on l.id = p.lease where p.job_id = $1`,
      [tasks[0]?.taskId],
    );
  await until('the server has said so', async () => (await held())[0]?.claim === null);
  expect(await held()).toEqual([{ claim: null, rest: 3_600 }]);
  await call('POST', `${first}/api/tasks`, { ...tasks[0], status: 'COMPLETED' });
  await until('it is complete', async () => (await show(second, id)).status === 'COMPLETED');
}, 60_000);

it('each step goes to one of those who wait, at whatever server', async () => {
  const waiting = [first, second, third, first, second, third].map((server) =>
    fetch(`${server}/api/tasks/poll/batch/greet?timeout=3000`),
  );
  const ids = await Promise.all([1, 2, 3, 4].map(() => call('POST', `${first}/api/workflow/beside`, {})));
  const polled = await Promise.all(
    waiting.map(
      async (answer) => (await (await answer).json()) as { workflowInstanceId: string; taskId: string }[],
    ),
  );
  const runs = polled.flat().map(({ workflowInstanceId }) => workflowInstanceId);
  expect(runs.sort()).toEqual(ids.sort());
}, 60_000);

it('a worker without handlers does the steps that need none', async () => {
  await call('POST', `${first}/api/metadata/workflow`, {
    name: 'calls',
    tasks: [
      {
        name: 'ask',
        taskReferenceName: 'ask',
        type: 'HTTP',
        inputParameters: { http_request: { uri: `${second}/healthz`, method: 'GET' } },
      },
    ],
    outputParameters: { answer: '${ask.output.response.body.status}' },
  });
  const id = await call('POST', `${third}/api/workflow/calls`, {});
  const ended = await until('it has ended', async () => {
    const shown = await show(first, id);
    return shown.status === 'RUNNING' ? undefined : shown;
  });
  expect(ended).toMatchObject({ status: 'COMPLETED', output: { answer: 'ok' } });
}, 60_000);
