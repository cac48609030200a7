/** Workflows whose steps native workers do: definitions, starting of runs, and what the rows of steps tell. */
import { Lineshaft } from '@lineshaft/core';
import pg from 'pg';
import { type Payload, payload } from '../payload.ts';
import type { Driver, ExtraArguments, MakeDriver, OnJob, Worker } from './port.ts';

const STEPS = 10;
/** Of text in the input, so that it has a kilobyte. */
const INPUT_TEXT = 'x'.repeat(980);
const WAIT_MS = 900_000;

export const makeDriver: MakeDriver = async (config): Promise<Driver> => {
  const monitor = new pg.Pool({ connectionString: config.url, max: 1 });
  monitor.on('error', () => {});
  const lineshaft = new Lineshaft({ databaseUrl: config.url });
  return {
    settings: { slots: 'default', steps: STEPS },
    prepare: async () => {
      await lineshaft.migrate();
      for (const definition of [chain, fork, loop])
        await lineshaft.workflows.putWorkflow(definition, { overwrite: true });
    },
    openProducer: async () => ({ add: async () => {}, addAll: async () => {}, close: async () => {} }),
    openWorker: async (onJob) => openWorker(lineshaft, onJob),
    isEmpty: async () => {
      const text = 'select not exists (select from lineshaft.run where ended_at is null) as empty';
      return (await monitor.query<{ empty: boolean }>(text)).rows[0]?.empty ?? false;
    },
    close: async () => {
      await lineshaft.close();
      await monitor.end();
    },
    extras: {
      startRuns: (args) => startRuns(lineshaft, args),
      runOne: (args) => runOne(lineshaft, args),
      paces: async ({ name }) => paces(monitor, String(name)),
    },
  };
};

const step = (ref: string, inputParameters: Record<string, unknown>) => ({
  name: 'noop',
  taskReferenceName: ref,
  type: 'SIMPLE',
  inputParameters,
});

/** Ten steps in a row; each is given what the one before it gave. */
const chain = {
  name: 'chain',
  version: 1,
  tasks: Array.from({ length: STEPS }, (_, n) =>
    step(`s${n}`, { data: n === 0 ? '${workflow.input.data}' : `\${s${n - 1}.output.data}` }),
  ),
};

const fork = {
  name: 'fork',
  version: 1,
  tasks: [
    {
      name: 'fork',
      taskReferenceName: 'fork',
      type: 'FORK_JOIN_DYNAMIC',
      inputParameters: { tasks: '${workflow.input.tasks}', inputs: '${workflow.input.inputs}' },
      dynamicForkTasksParam: 'tasks',
      dynamicForkTasksInputParamName: 'inputs',
    },
    { name: 'join', taskReferenceName: 'join', type: 'JOIN' },
  ],
};

const loop = {
  name: 'loop',
  version: 1,
  tasks: [
    {
      name: 'loop',
      taskReferenceName: 'loop',
      type: 'DO_WHILE',
      inputParameters: { n: '${workflow.input.n}' },
      loopCondition: "$.loop['iteration'] < $.n",
      loopOver: [step('body', { n: '${workflow.input.n}' })],
    },
  ],
};

function openWorker(lineshaft: Lineshaft, onJob: OnJob): Worker {
  const worker = lineshaft.worker({
    queues: ['workflow'],
    signals: false,
    handlers: {
      noop: (input: unknown) => {
        onJob({ ...payload(0), at: 0 } satisfies Payload);
        return input;
      },
    },
  });
  return { start: () => worker.start(), stop: () => worker.stop() };
}

/** Starts so many runs, so many at a time, as fast as they go. */
async function startRuns(lineshaft: Lineshaft, args: ExtraArguments): Promise<null> {
  const { name, runs, size } = args;
  const input = inputOf(String(name), Number(size ?? 0));
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < Number(runs)) {
      next += 1;
      await lineshaft.workflows.start({ name: String(name), version: 1, input });
    }
  };
  await Promise.all(Array.from({ length: 50 }, lane));
  return null;
}

/** One run on an idle system, after the other: from the call of start until it has ended, as its caller hears it. */
async function runOne(lineshaft: Lineshaft, args: ExtraArguments): Promise<number[]> {
  const { name, runs } = args;
  const milliseconds: number[] = [];
  for (let n = 0; n < Number(runs); n += 1) {
    const called = performance.now();
    const id = await lineshaft.workflows.start({
      name: String(name),
      version: 1,
      input: inputOf(String(name), 0),
    });
    await lineshaft.workflows.waitForRun(id, ({ run }) => run.endedAt !== undefined, { timeoutMs: WAIT_MS });
    milliseconds.push(performance.now() - called);
    await new Promise((resolve) => setTimeout(resolve, 4 + ((n * 7) % 9)));
  }
  return milliseconds;
}

/** Seconds that the first and the last thousand iterations of a loop took, by the ends of their steps. */
async function paces(monitor: pg.Pool, name: string): Promise<number[]> {
  const { rows } = await monitor.query<{ first: number; last: number }>(
    `with ends as (
       select s.iteration as n, extract(epoch from max(s.ended_at))::float8 as at
       from lineshaft.step s join lineshaft.run r on r.id = s.run_id
       where r.name = $1 and s.iteration > 0 group by s.iteration
     ), span as (select least(1000, max(n) / 4) as width, max(n) as most from ends)
     select (select max(at) - min(at) from ends, span where n <= width) as first,
       (select max(at) - min(at) from ends, span where n > most - width) as last`,
    [name],
  );
  return [rows[0]?.first ?? 0, rows[0]?.last ?? 0];
}

function inputOf(name: string, size: number): Record<string, unknown> {
  if (name === 'loop') return { n: size };
  if (name !== 'fork') return { data: INPUT_TEXT };
  const refs = Array.from({ length: size }, (_, n) => `b${n}`);
  return {
    tasks: refs.map((ref) => ({ name: 'noop', taskReferenceName: ref, type: 'SIMPLE' })),
    inputs: Object.fromEntries(refs.map((ref, n) => [ref, { n }])),
  };
}
