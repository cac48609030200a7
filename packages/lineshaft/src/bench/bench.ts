/**
 * The bench of the command: a quick look at one database, without peers. The one with peers is in `bench/`.
 */

import type { BenchFlags } from '../commands/bench.ts';
import type { Context } from '../commands/context.ts';
import { describeDuration } from '../durations.ts';
import { exitCodes } from '../output/exit-codes.ts';
import { Progress } from '../output/progress.ts';
import type { Screen } from '../output/screen.ts';
import { drain, enqueueInBulk, enqueueOneByOne, type Latency, measureLatency, type Rate } from './phases.ts';

interface Result {
  readonly database: string;
  readonly jobs: number;
  /** Single calls, 24 in flight. */
  readonly enqueueOneByOne: Rate;
  readonly enqueueBulk: Rate;
  /** No-op jobs, one worker, history kept. */
  readonly drain: Rate;
  /** On an idle system, from the call of enqueue to the start of the handler. */
  readonly latency: Latency;
  readonly seconds: number;
}

/** Runs all phases and prints what was measured. */
export async function bench(context: Context<BenchFlags>): Promise<number | undefined> {
  const { flags, host, screen } = context;
  const jobs = flags.jobs ?? 50_000;
  const schema = `lineshaft_bench_${process.pid}_${host.now().toString(36)}`;
  const { lineshaft, where } = await context.open({ schema, applicationName: 'lineshaft bench' });
  const progress = new Progress(host, 'preparing');
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt);
  const { signal } = interrupted;
  const startedMs = performance.now();
  let result: Result | undefined;
  try {
    await lineshaft.migrate();
    const oneByOne = await enqueueOneByOne(lineshaft, jobs, progress, signal);
    const bulk = await enqueueInBulk(lineshaft, jobs, progress, signal);
    const drained = await drain(lineshaft, oneByOne.jobs + bulk.jobs, progress, signal);
    const latency = await measureLatency(lineshaft, jobs, progress, signal);
    const seconds = (performance.now() - startedMs) / 1_000;
    result = {
      database: where,
      jobs,
      enqueueOneByOne: oneByOne,
      enqueueBulk: bulk,
      drain: drained,
      latency,
      seconds,
    };
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    progress.next('cleaning up');
    await lineshaft.uninstall().catch(() => screen.warn(`the schema ${schema} is left; drop it by hand`));
    progress.end();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, interrupt);
  }
  if (result === undefined) return exitCodes.interrupted;
  const measured = result;
  screen.result(rounded(measured), () => describe(measured, screen));
  return undefined;
}

function describe(result: Result, screen: Screen): string {
  const { latency, seconds, database } = result;
  const rate = ({ jobsPerSecond, jobs }: Rate): [string, string] => [
    `${Math.round(jobsPerSecond).toLocaleString('en')} jobs/s`,
    `${jobs.toLocaleString('en')} jobs`,
  ];
  const rows: [string, string, string][] = [
    ['enqueue, one by one', ...rate(result.enqueueOneByOne)],
    ['enqueue, in bulk', ...rate(result.enqueueBulk)],
    ['drain, one worker', ...rate(result.drain)],
    [
      'latency, p50',
      `${latency.p50Ms.toFixed(2)} ms`,
      `${latency.jobs.toLocaleString('en')} jobs, idle system`,
    ],
    ['latency, p95', `${latency.p95Ms.toFixed(2)} ms`, ''],
    ['latency, p99', `${latency.p99Ms.toFixed(2)} ms`, ''],
  ];
  const table = screen.table(
    [
      { title: 'what', value: ([what]) => what },
      { title: 'result', value: ([, figure]) => figure, align: 'right' },
      { title: 'of', value: ([, , of]) => of },
    ],
    rows,
  );
  return `${screen.style('dim', `${database}; took ${describeDuration(seconds * 1_000)}`)}\n${table}`;
}

/** Figures to three digits after the point: more would say nothing. */
function rounded<Value>(value: Value): Value {
  const text = JSON.stringify(value, (_key, field: unknown) =>
    typeof field === 'number' ? Math.round(field * 1_000) / 1_000 : field,
  );
  return JSON.parse(text) as Value;
}
