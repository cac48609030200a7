/**
 * Workers that poll, over HTTP or straight from core: polls that wait for nothing, and workers under the limit of a task. The
 * same driver is the server, when it is told to serve, and the client, when it is given an address.
 */
import { Agent as HttpAgent, type IncomingMessage, request } from 'node:http';
import { Lineshaft, type Worker, type Workflows } from '@lineshaft/core';
import { createServer, type Server } from '@lineshaft/server';
import { monotonicMs } from '../payload.ts';
import type { Driver, ExtraArguments, MakeDriver } from './port.ts';

/** A task: when its worker began and ended, on the clock that all processes share. */
export type Interval = readonly [beganMs: number, endedMs: number];

const KIND = 'limited';

/** What a client of ours asks, over HTTP or in the process. */
interface Way {
  poll(kind: string, timeoutMs: number): Promise<{ runId: string; stepId: string }[]>;
  complete(task: { runId: string; stepId: string }): Promise<unknown>;
}

export const makeDriver: MakeDriver = async (config): Promise<Driver> => {
  const lineshaft = new Lineshaft({ databaseUrl: config.url });
  const intervals: Interval[] = [];
  const stops: (() => Promise<unknown>)[] = [];
  let over = false;
  return {
    settings: { services: 'default' },
    prepare: async () => {
      await lineshaft.migrate();
      const { workflows } = lineshaft;
      await workflows.putTask({ name: KIND, concurrentExecLimit: Number(config.extra.limit ?? 5) });
      const tasks = [{ name: KIND, taskReferenceName: 'step', type: 'SIMPLE' }];
      await workflows.putWorkflow({ name: KIND, version: 1, tasks }, { overwrite: true });
    },
    openProducer: async () => ({ add: async () => {}, addAll: async () => {}, close: async () => {} }),
    openWorker: async () => ({ start: async () => {}, stop: async () => {} }),
    isEmpty: async () => true,
    close: async () => {
      over = true;
      await Promise.all(stops.map((stop) => stop()));
      await lineshaft.close();
    },
    extras: {
      serve: async () => {
        const { worker, server, url } = await serve(lineshaft);
        stops.push(async () => {
          await server.stop();
          await worker.stop();
        });
        return url;
      },
      pollIdle: async (args) => {
        const way = wayOf(lineshaft, args.url);
        const { polls, kinds, timeoutMs } = numbers(args);
        for (let n = 0; n < polls; n += 1) {
          // Clients that come at different times.
          const startMs = Math.random() * timeoutMs;
          void idle(way, `idle-${n % kinds}`, { startMs, timeoutMs, over: () => over });
        }
        return null;
      },
      startRuns: async ({ runs }) => {
        for (let from = 0; from < Number(runs); from += 50) {
          const count = Math.min(50, Number(runs) - from);
          await Promise.all(
            Array.from({ length: count }, () => lineshaft.workflows.start({ name: KIND, version: 1 })),
          );
        }
        return null;
      },
      work: async (args) => {
        const way = wayOf(lineshaft, args.url);
        const { workers, durationMs } = numbers(args);
        for (let n = 0; n < workers; n += 1) void work(way, { durationMs, intervals, over: () => over });
        return null;
      },
      workNatively: async (args) => {
        const { workers, durationMs } = numbers(args);
        const handle = async (): Promise<void> => {
          const began = monotonicMs();
          await pause(durationMs);
          intervals.push([began, monotonicMs()]);
        };
        const queues = ['workflow'];
        const worker = lineshaft.worker({
          queues,
          signals: false,
          slots: workers,
          handlers: { [KIND]: handle },
        });
        await worker.start();
        stops.push(() => worker.stop());
        return null;
      },
      intervals: async () => intervals,
    },
  };
};

async function serve(lineshaft: Lineshaft): Promise<{ worker: Worker; server: Server; url: string }> {
  const worker = lineshaft.worker({ queues: ['none'], handlers: {}, signals: false });
  await worker.start();
  // Of the books that do not stand yet none is asked here.
  const workflows = lineshaft.workflows as Partial<Workflows> as Workflows;
  const server = createServer({ lineshaft, workflows, worker, port: 0 });
  const { url } = await server.listen();
  return { worker, server, url };
}

async function idle(
  way: Way,
  kind: string,
  { startMs, timeoutMs, over }: { startMs: number; timeoutMs: number; over: () => boolean },
): Promise<void> {
  await pause(startMs);
  while (!over()) await way.poll(kind, timeoutMs).catch(() => pause(1_000));
}

async function work(
  way: Way,
  plan: { durationMs: number; intervals: Interval[]; over: () => boolean },
): Promise<void> {
  while (!plan.over()) {
    const tasks = await way.poll(KIND, 5_000).catch(() => []);
    for (const task of tasks) {
      const began = monotonicMs();
      await pause(plan.durationMs);
      plan.intervals.push([began, monotonicMs()]);
      await way.complete(task);
    }
  }
}

function wayOf(lineshaft: Lineshaft, url: number | string | undefined): Way {
  return typeof url === 'string' && url !== '' ? overHttp(url) : inProcess(lineshaft);
}

function inProcess({ workflows }: Lineshaft): Way {
  return {
    poll: async (kind, timeoutMs) => {
      const polled = await workflows.poll({ kind, workerId: 'bench', count: 1, timeoutMs });
      return polled.map(({ step, run }) => ({ stepId: step.id, runId: run.id }));
    },
    complete: ({ stepId }) => workflows.report({ stepId, status: 'COMPLETED', output: {} }),
  };
}

function overHttp(url: string): Way {
  const agent = new HttpAgent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  const send = (method: string, path: string, body?: unknown): Promise<string> =>
    new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const sent = request(`${url}${path}`, { method, agent, headers }, (response) => {
        textOf(response).then(resolve, reject);
      });
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  return {
    poll: async (kind, timeoutMs) => {
      const path = `/api/tasks/poll/batch/${kind}?workerid=bench&count=1&timeout=${timeoutMs}`;
      const tasks = JSON.parse(await send('GET', path)) as { taskId: string; workflowInstanceId: string }[];
      return tasks.map(({ taskId, workflowInstanceId }) => ({ stepId: taskId, runId: workflowInstanceId }));
    },
    complete: ({ runId, stepId }) =>
      send('POST', '/api/tasks', {
        taskId: stepId,
        workflowInstanceId: runId,
        status: 'COMPLETED',
        outputData: {},
      }),
  };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  if (response.statusCode === 200) return text;
  throw new Error(`HTTP ${response.statusCode}: ${text.slice(0, 200)}`);
}

function numbers(
  args: ExtraArguments,
): Record<'polls' | 'kinds' | 'timeoutMs' | 'workers' | 'durationMs', number> {
  const { polls = 0, kinds = 1, timeoutMs = 0, workers = 1, durationMs = 0 } = args;
  return {
    polls: Number(polls),
    kinds: Number(kinds),
    timeoutMs: Number(timeoutMs),
    workers: Number(workers),
    durationMs: Number(durationMs),
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
