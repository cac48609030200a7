/**
 * `workflow.throughput`: runs of ten worker steps over HTTP, against the real Conductor server: with one lean client
 * for both, and with Conductor's own Python SDK as the client of both.
 */
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { type HttpSite, type HttpSystem, openHttpSite } from '../measure/http-site.ts';
import { LeanClient } from '../measure/lean-client.ts';
import { openPythonClient } from '../measure/python-client.ts';

const STEPS = 10;
const INPUT = 'x'.repeat(1_000);
/** Conductor's pace grows fourfold in its first 300 runs, until Java has compiled it. */
const WARM_UP_RUNS = 300;
/** Of a slow system, which gets a share of the runs: what is compared is runs per second. */
const RUNS_LEAST = 50;
/** The longest that one side may take; what it has done by then is what counts. */
const LIMIT_MS = 300_000;
const LOOK_MS = 50;

export const workflowThroughput: Bench = {
  name: 'workflow.throughput',
  about: 'runs of 10 worker steps over HTTP, 1 kB passed on, against Conductor: runs per second',
  variants: ['lean', 'python'],
  systems: ['lineshaft', 'conductor', 'conductor-python'],
  run: async (context) => {
    if (context.wants('lean')) await compare(context, 'lean', 'conductor', measureLean);
    if (context.wants('python')) await compare(context, 'python', 'conductor-python', measurePython);
  },
};

interface Work {
  readonly site: HttpSite;
  readonly client: LeanClient;
  readonly runs: number;
  /** By `performance.now()`. */
  readonly until: number;
}

interface Outcome {
  /** From the first start until the last run has ended, or the time was over. */
  readonly seconds: number;
  readonly steps: number;
  /** Runs that have not ended though all their steps are done: Conductor goes on with some when it sweeps, 30 s later. */
  readonly stuck: number;
  readonly cpu: CpuSeconds;
}

interface CpuSeconds {
  readonly server: number;
  readonly database: number;
  readonly worker: number;
}

type Measure = (work: Work) => Promise<Outcome>;

async function compare(context: Context, variant: string, peer: string, measure: Measure): Promise<void> {
  const contestants = context.chosen(['lineshaft', peer]).map(({ name, share }) => ({
    system: name,
    setup: variant,
    measure: () => {
      const all = context.jobs(2_000, 50);
      const runs = Math.max(Math.ceil(all * share), Math.min(all, RUNS_LEAST));
      return measureSite(context, name === 'lineshaft' ? 'lineshaft' : 'conductor', runs, measure);
    },
  }));
  const series = await alternate(contestants, context.rounds(3), context.report);
  context.report.variant({ variant, series, primary: 'runs_per_s' });
}

/** A fresh server, warmed up, then so many runs. */
async function measureSite(
  context: Context,
  system: HttpSystem,
  runs: number,
  measure: Measure,
): Promise<Metrics> {
  const site = await openHttpSite(system);
  context.report.describe(system, { ...site.settings, runs });
  const client = new LeanClient(site.url);
  try {
    await client.define(STEPS);
    await measureLean({ site, client, runs: context.options.quick ? 10 : WARM_UP_RUNS, until: limit() });
    const outcome = await measure({ site, client, runs, until: limit() });
    const { steps, stuck } = outcome;
    if (steps < runs * STEPS) {
      context.report.line(`${system}: ${steps} of ${runs * STEPS} steps were done when the time was over`);
    }
    if (stuck > 0 && system === 'lineshaft') throw new Error(`${stuck} runs are stuck`);
    if (stuck > 0)
      context.report.line(
        `${system}: ${stuck} runs had not ended when all their steps were done; their steps count`,
      );
    return metricsOf(outcome);
  } finally {
    client.close();
    await site.end();
  }
}

function limit(): number {
  return performance.now() + LIMIT_MS;
}

function metricsOf({ seconds, steps, cpu }: Outcome): Metrics {
  const { server, database, worker } = cpu;
  const perStep = (cpuSeconds: number): number => (cpuSeconds / steps) * 1e6;
  return {
    runs_per_s: steps / STEPS / seconds,
    steps_per_s: steps / seconds,
    db_cpu_us_per_job: perStep(database),
    server_cpu_us_per_job: perStep(server),
    worker_cpu_us_per_job: perStep(worker),
    cpu_us_per_job: perStep(server + database + worker),
    busy_ratio: (server + database + worker) / seconds,
    wall_s: seconds,
  };
}

async function measureLean({ site, client, runs, until }: Work): Promise<Outcome> {
  const used = cpuSince(site, () => process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6);
  const started = performance.now();
  const [ids, steps] = await Promise.all([
    client.start(runs, INPUT, until),
    client.work(runs * STEPS, until),
  ]);
  const seconds = (performance.now() - started) / 1000;
  const cpu = used();
  const stuck = steps < runs * STEPS ? 0 : (await endsOf(client, ids)).stuck;
  return { seconds, steps, stuck, cpu };
}

/** The SDK starts and works; when all has ended is seen from outside, by the server's clock, which is that of this machine. */
async function measurePython({ site, client, runs, until }: Work): Promise<Outcome> {
  const python = await openPythonClient(site.url, runs, INPUT);
  try {
    const used = cpuSince(site, () => python.cpuSeconds());
    const { startedAt, ids } = await before(until, python.start(), 'not all runs were started');
    // The one that was started last ends last or nearly so: the others are asked for then.
    while (performance.now() < until && !(await allDone(client, ids.slice(-1)))) await pause();
    while (performance.now() < until && !(await allDone(client, await client.running()))) await pause();
    const cpu = used();
    const now = Date.now();
    if (performance.now() < until) {
      const { endedAt, stuck } = await endsOf(client, ids);
      return { seconds: (endedAt - startedAt) / 1000, steps: runs * STEPS, stuck, cpu };
    }
    return { seconds: (now - startedAt) / 1000, steps: await stepsDone(client, ids), stuck: 0, cpu };
  } finally {
    await python.end();
  }
}

function cpuSince(site: HttpSite, worker: () => number): () => CpuSeconds {
  const read = (): CpuSeconds => ({ ...site.cpuSeconds(), worker: worker() });
  const before = read();
  return () => {
    const now = read();
    return {
      server: now.server - before.server,
      database: now.database - before.database,
      worker: now.worker - before.worker,
    };
  };
}

/**
 * When the last of them has ended, and how many have not though all their steps are done.
 * @throws Error where one has ended in another way, or has steps left
 */
async function endsOf(
  client: LeanClient,
  ids: readonly string[],
): Promise<{ endedAt: number; stuck: number }> {
  let endedAt = 0;
  let stuck = 0;
  for (const id of ids) {
    const { status, endTime, tasks = [] } = await client.show(id, { tasks: true });
    const done = tasks.filter((task) => task.status === 'COMPLETED');
    if (status !== 'COMPLETED' && done.length < STEPS) throw new Error(`run ${id} is ${status}`);
    if (status !== 'COMPLETED') stuck += 1;
    endedAt = Math.max(endedAt, endTime, ...done.map((task) => task.endTime));
  }
  return { endedAt, stuck };
}

async function allDone(client: LeanClient, ids: readonly string[]): Promise<boolean> {
  for (const id of ids) {
    const { tasks = [] } = await client.show(id, { tasks: true });
    if (tasks.filter(({ status }) => status === 'COMPLETED').length < STEPS) return false;
  }
  return true;
}

async function stepsDone(client: LeanClient, ids: readonly string[]): Promise<number> {
  let steps = 0;
  for (const id of ids) {
    const { tasks = [] } = await client.show(id, { tasks: true });
    steps += tasks.filter(({ status }) => status === 'COMPLETED').length;
  }
  return steps;
}

async function before<What>(until: number, wanted: Promise<What>, otherwise: string): Promise<What> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), until - performance.now());
  });
  try {
    return await Promise.race([wanted, late]);
  } finally {
    clearTimeout(timer);
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
