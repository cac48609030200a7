/**
 * The child process in which a driver runs: as producer, as worker, or as both. It does what the harness
 * commands, and ends when the harness does.
 */
import { performance } from 'node:perf_hooks';
import type { AgentSetup, CommandName, Commands, Message, Request } from './agent-protocol.ts';
import { monotonicMs, type Payload, payload, payloads } from './payload.ts';
import type { Driver, MakeDriver, Producer, Worker } from './systems/port.ts';

type Handlers = { [C in CommandName]: (args: Commands[C]['args']) => Promise<Commands[C]['answer']> };

const PROGRESS_EVERY_MS = 5;

const setup: AgentSetup = JSON.parse(process.argv[2] ?? 'null');
const { makeDriver }: { makeDriver: MakeDriver } = await import(
  `./systems/${setup.module.replace(/\.ts$/, '.js')}`
);
const driver: Driver = await makeDriver(setup.config);

let producer: Producer | undefined;
let worker: Worker | undefined;
let handled = 0;
let reporting = false;
let latencies: number[] = [];
let onHandled: ((job: Payload) => void) | undefined;

const handlers: Handlers = {
  settings: async () => ({ ...driver.settings }),
  prepare: async () => driver.prepare().then(() => null),
  openProducer: async () => {
    producer = await driver.openProducer();
    return null;
  },
  addAll: async ({ from, jobs }) => {
    const all = payloads(from, jobs);
    return timed(() => opened(producer).addAll(all));
  },
  oneByOne,
  openWorker: async () => {
    worker = await driver.openWorker(countJob);
    return null;
  },
  startWorker: async () => {
    handled = 0;
    latencies = [];
    await opened(worker).start();
    return null;
  },
  stopWorker: async () =>
    opened(worker)
      .stop()
      .then(() => null),
  waitEmpty,
  latency,
  steady,
  latencies: async () => ({ milliseconds: latencies }),
  extra: async ({ name, args }) => {
    const extra = driver.extras?.[name];
    if (extra === undefined) throw new Error(`the driver has no extra '${name}'`);
    return (await extra(args)) ?? null;
  },
};

process.on('message', (request: Request) => {
  void answer(request);
});
process.on('disconnect', () => process.exit(0));

function countJob(job: Payload): void {
  handled += 1;
  if (job.at > 0) latencies.push(monotonicMs() - job.at);
  // No interval: a worker that has nothing to do shall cost what it costs.
  if (!reporting) setTimeout(reportProgress, PROGRESS_EVERY_MS);
  reporting = true;
  onHandled?.(job);
}

function reportProgress(): void {
  reporting = false;
  send({ handled });
}

async function answer<C extends CommandName>(request: Request & { command: C }): Promise<void> {
  try {
    const run = handlers[request.command] as Handlers[C];
    send({ id: request.id, answer: await run(request.args) });
  } catch (error) {
    send({ id: request.id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

function send(message: Message): void {
  if (process.connected) process.send?.(message);
}

function opened<T>(thing: T | undefined): T {
  if (thing === undefined) throw new Error('not opened yet');
  return thing;
}

async function timed(work: () => Promise<unknown>): Promise<{ ms: number }> {
  const start = performance.now();
  await work();
  return { ms: performance.now() - start };
}

async function oneByOne(args: Commands['oneByOne']['args']): Promise<{ ms: number }> {
  const all = payloads(args.from, args.jobs);
  const target = opened(producer);
  let next = 0;
  const caller = async (): Promise<void> => {
    for (let job = all[next++]; job !== undefined; job = all[next++]) await target.add(job);
  };
  return timed(() => Promise.all(Array.from({ length: args.inFlight }, caller)));
}

async function waitEmpty({ timeoutMs, everyMs = 2 }: Commands['waitEmpty']['args']): Promise<null> {
  const deadline = performance.now() + timeoutMs;
  while (!(await driver.isEmpty())) {
    if (performance.now() > deadline) throw new Error(`still not empty after ${timeoutMs} ms`);
    await delay(everyMs);
  }
  return null;
}

/** One job at a time on an idle system: from the call of add to the start of the handler, one clock. */
async function latency({ jobs, warmUp }: Commands['latency']['args']): Promise<{ milliseconds: number[] }> {
  const target = opened(producer);
  const milliseconds: number[] = [];
  for (let n = 0; n < jobs + warmUp; n += 1) {
    const started = Promise.withResolvers<number>();
    onHandled = (job) => {
      if (job.n === n) started.resolve(performance.now());
    };
    const called = performance.now();
    await Promise.all([target.add(payload(n)), started.promise]);
    if (n >= warmUp) milliseconds.push((await started.promise) - called);
    // Long enough for the completion to be written; of uneven length, so that no timer runs in step.
    await delay(4 + ((n * 7) % 9));
  }
  onHandled = undefined;
  return { milliseconds };
}

/** Open loop: each call is made when it is due, whatever became of the calls before it. */
async function steady(args: Commands['steady']['args']): Promise<Commands['steady']['answer']> {
  const target = opened(producer);
  const start = monotonicMs();
  const calls: Promise<void>[] = [];
  let failed = 0;
  let reason = '';
  const total = args.perSecond * args.seconds;
  while (calls.length < total) {
    const due = Math.min(total, Math.ceil(((monotonicMs() - start) / 1000) * args.perSecond));
    while (calls.length < due) {
      const call = target.add(payload(calls.length, monotonicMs())).catch((error: unknown) => {
        failed += 1;
        reason = String(error);
      });
      calls.push(call);
    }
    await delay(1);
  }
  await Promise.all(calls);
  return { failed, reason };
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
