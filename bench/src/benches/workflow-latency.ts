/**
 * `workflow.latency`: an idle system, one run of ten steps after the other: per step with native workers, against
 * `queue.latency` in the same run; and a whole run over HTTP, against the real Conductor server, with one lean client for both.
 */
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { type HttpSystem, openHttpSite } from '../measure/http-site.ts';
import { LeanClient } from '../measure/lean-client.ts';
import { LeanWorker } from '../measure/lean-worker.ts';
import { workflowSeat } from '../measure/workflow.ts';
import { percentiles } from '../statistics.ts';
import { measureLatency } from './latency.ts';

const STEPS = 10;
const INPUT = 'x'.repeat(1_000);
/** A run that takes longer is stuck. */
const STUCK_MS = 120_000;
/** Conductor's pace grows fourfold in its first 300 runs, until Java has compiled it. */
const WARM_UP_RUNS = 300;
const WARM_UP_MS = 300_000;
/** One after the other, as those that are measured. */
const FIRST_RUNS = 10;
/** Conductor looks for tasks every 100 ms while a poll waits: runs begin anywhere between its looks. */
const PAUSES_MS = 100;
const PAUSE_STEP_MS = 37;

export const workflowLatency: Bench = {
  name: 'workflow.latency',
  about: 'idle system: wall time of a run of 10 steps, per step with native workers, whole over HTTP',
  variants: ['native', 'http', 'http-one-slot'],
  systems: ['lineshaft', 'conductor'],
  run: async (context) => {
    if (context.wants('native')) await compareNative(context);
    // As SDKs do with several threads: the next poll waits while a step is reported.
    if (context.wants('http')) await compareHttp(context, 'http', 2);
    // What suits a server best that has no use of a poll that waits: ask when the next step is there.
    if (context.wants('http-one-slot')) await compareHttp(context, 'http-one-slot', 1);
  },
};

async function compareNative(context: Context): Promise<void> {
  const runs = context.options.quick ? 30 : 300;
  const [seat] = context.chosen(['lineshaft']).map((system) => ({
    system,
    setup: 'default',
    purpose: 'latency' as const,
  }));
  if (seat === undefined) return;
  const contestants = [
    {
      system: 'lineshaft',
      setup: 'queue.latency',
      measure: () => measureLatency(context, seat, context.jobs(2_000, 200)),
    },
    { system: 'lineshaft', setup: 'native', measure: () => measureRuns(context, runs) },
  ];
  const [queue, native] = await alternate(contestants, context.rounds(5), context.report);
  if (native !== undefined) context.report.against('native', native, 'queue.latency', queue);
}

async function measureRuns(context: Context, runs: number): Promise<Metrics> {
  const seat = workflowSeat('native');
  const store = await context.stores.open(seat.system);
  const agent = await context.agent(seat, store);
  try {
    await agent.call('prepare', {});
    await agent.call('openWorker', {});
    await store.settle();
    await agent.call('startWorker', {});
    const call = (count: number): Promise<unknown> =>
      agent.call('extra', { name: 'runOne', args: { name: 'chain', runs: count } });
    await call(10);
    const milliseconds = (await call(runs)) as number[];
    await agent.call('stopWorker', {});
    return percentiles(milliseconds.map((ms) => ms / STEPS));
  } finally {
    await agent.end();
    await store.drop();
  }
}

async function compareHttp(context: Context, variant: string, slots: number): Promise<void> {
  const runs = context.options.quick ? 10 : 100;
  const contestants = context.chosen(['lineshaft', 'conductor']).map(({ name }) => ({
    system: name,
    setup: variant,
    measure: () => measureHttp(context, name === 'lineshaft' ? 'lineshaft' : 'conductor', { runs, slots }),
  }));
  const series = await alternate(contestants, context.rounds(3), context.report);
  context.report.variant({ variant, series, primary: 'p50_ms' });
}

/** A fresh server and a worker that waits; then one run after the other, from the call that starts it until it has ended. */
async function measureHttp(
  context: Context,
  system: HttpSystem,
  { runs, slots }: { readonly runs: number; readonly slots: number },
): Promise<Metrics> {
  const site = await openHttpSite(system);
  context.report.describe(system, site.settings);
  const client = new LeanClient(site.url);
  try {
    await client.define(STEPS);
    await warmUp(client, context.options.quick ? 10 : WARM_UP_RUNS);
    // Its connections are its own: they are cut when it ends.
    const worker = new LeanWorker(new LeanClient(site.url), slots);
    const milliseconds: number[] = [];
    try {
      for (let n = 1; n <= FIRST_RUNS + runs; n += 1) {
        await pause((n * PAUSE_STEP_MS) % PAUSES_MS);
        const ms = await timeOne(client, worker, n * STEPS);
        if (n > FIRST_RUNS) milliseconds.push(ms);
      }
    } finally {
      await worker.end();
    }
    return percentiles(milliseconds);
  } finally {
    client.close();
    await site.end();
  }
}

async function warmUp(client: LeanClient, runs: number): Promise<void> {
  const until = performance.now() + WARM_UP_MS;
  const [, done] = await Promise.all([client.start(runs, INPUT, until), client.work(runs * STEPS, until)]);
  // What is left would be done by who is measured.
  if (done < runs * STEPS) throw new Error(`only ${done} steps of the warm-up were done in ${WARM_UP_MS} ms`);
}

/** @param steps that the worker has done in all when this run is done */
async function timeOne(client: LeanClient, worker: LeanWorker, steps: number): Promise<number> {
  const begun = performance.now();
  const id = await client.startOne(INPUT);
  await worker.reached(steps, STUCK_MS);
  for (let ended = performance.now(); ; ended = performance.now()) {
    const { status } = await client.show(id);
    if (status === 'COMPLETED') return ended - begun;
    if (status !== 'RUNNING' || ended - begun > STUCK_MS) throw new Error(`run ${id} is ${status}`);
    await pause(1);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
