/**
 * `workflow.throughput`: runs of ten worker steps over HTTP, against the real Conductor server: with one lean client
 * for both, and with Conductor's own Python SDK as the client of both.
 */
import { performance } from 'node:perf_hooks';
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { type HttpSystem, openHttpSite } from '../measure/http-site.ts';
import { LeanClient } from '../measure/lean-client.ts';
import { runPythonClient } from '../measure/python-client.ts';

const STEPS = 10;
const INPUT = 'x'.repeat(1_000);
const WARM_UP_RUNS = 50;

export const workflowThroughput: Bench = {
  name: 'workflow.throughput',
  about: 'runs of 10 worker steps over HTTP, 1 kB passed on, against Conductor: runs per second',
  variants: ['lean', 'python'],
  systems: ['lineshaft', 'conductor', 'conductor-python'],
  run: async (context) => {
    const runs = context.options.quick ? 50 : 2_000;
    if (context.wants('lean')) await compare(context, 'lean', runs, measureLean);
    if (context.wants('python')) await compare(context, 'python', runs, measurePython);
  },
};

type Measure = (url: string, runs: number) => Promise<number>;

async function compare(context: Context, variant: string, runs: number, measure: Measure): Promise<void> {
  const peer = variant === 'python' ? 'conductor-python' : 'conductor';
  const contestants = context.chosen(['lineshaft', peer]).map(({ name }) => ({
    system: name,
    setup: variant,
    measure: () => measureSite(context, name === 'lineshaft' ? 'lineshaft' : 'conductor', runs, measure),
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
  context.report.describe(system, site.settings);
  try {
    const client = new LeanClient(site.url);
    await client.define(STEPS);
    client.close();
    await measureLean(site.url, context.options.quick ? 10 : WARM_UP_RUNS);
    const before = site.cpuSeconds();
    const seconds = await measure(site.url, runs);
    const cpu = ((site.cpuSeconds() - before) / (runs * STEPS)) * 1e6;
    return {
      runs_per_s: runs / seconds,
      steps_per_s: (runs * STEPS) / seconds,
      cpu_us_per_job: cpu,
      wall_s: seconds,
    };
  } finally {
    await site.end();
  }
}

/** Seconds from the first start until the last run has ended. */
async function measureLean(url: string, runs: number): Promise<number> {
  const client = new LeanClient(url);
  try {
    const started = performance.now();
    const [ids] = await Promise.all([client.start(runs, INPUT), client.work(runs * STEPS)]);
    const seconds = (performance.now() - started) / 1000;
    for (const id of ids) {
      const status = await client.status(id);
      if (status !== 'COMPLETED') throw new Error(`run ${id} is ${status}, and all its steps are done`);
    }
    return seconds;
  } finally {
    client.close();
  }
}

function measurePython(url: string, runs: number): Promise<number> {
  return runPythonClient(url, runs, INPUT);
}
