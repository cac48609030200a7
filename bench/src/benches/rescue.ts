/** `ops.rescue`: from the kill -9 of a worker with 50 jobs running until all of them run again elsewhere. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Lineshaft, silentLog } from '@lineshaft/core';
import { alternate, type Metrics } from '../alternate.ts';
import { atEnd } from '../cleanup.ts';
import type { Bench, Context } from '../context.ts';
import { monotonicMs } from '../payload.ts';
import { percentile } from '../statistics.ts';
import { findSystem } from '../systems/catalog.ts';

const VARIANTS = { 'lease-15s': null, 'lease-3s': 3_000 } as const;
const LONG_JOBS = 50;
const QUICK_JOBS = 100;
const QUEUE = 'rescue';
const DEADLINE_MS = 60_000;
const program = fileURLToPath(new URL('../rescue-worker.ts', import.meta.url));

export const rescue: Bench = {
  name: 'ops.rescue',
  about: 'kill -9 of a worker with 50 jobs running: until all run again; and that no other job runs twice',
  variants: Object.keys(VARIANTS),
  systems: ['lineshaft'],
  run: async (context) => {
    for (const [variant, leaseMs] of Object.entries(VARIANTS)) {
      if (!context.wants(variant)) continue;
      const contestant = {
        system: 'lineshaft',
        setup: 'default',
        measure: () => measureRescue(context, leaseMs),
      };
      const series = await alternate([contestant], context.rounds(7), context.report);
      context.report.variant({ variant, series, primary: 'p95_ms' });
    }
  },
};

async function measureRescue(context: Context, leaseMs: number | null): Promise<Metrics> {
  const store = await context.stores.open(findSystem('lineshaft'));
  const lineshaft = new Lineshaft({ databaseUrl: store.url, log: silentLog });
  const workers: KilledWorker[] = [];
  const start = async (): Promise<KilledWorker> => {
    const worker = new KilledWorker({ url: store.url, queue: QUEUE, leaseMs });
    workers.push(worker);
    await worker.started;
    return worker;
  };
  try {
    await lineshaft.migrate();
    await lineshaft.declare({ name: QUEUE, concurrency: LONG_JOBS + 1 });
    const victim = await start();
    const long = await enqueue(lineshaft, 'long', LONG_JOBS);
    await until('the long jobs run', () => victim.begun.size === LONG_JOBS);
    const quick = await enqueue(lineshaft, 'quick', QUICK_JOBS);
    const survivor = await start();
    quick.push(...(await enqueue(lineshaft, 'quick', QUICK_JOBS)));
    await lineshaft.waitFor(quick, { timeoutMs: DEADLINE_MS });
    const killedMs = monotonicMs();
    await victim.kill();
    await until('they run again', () => long.every((id) => survivor.begun.has(id)));
    survivor.release();
    await lineshaft.waitFor(long, { timeoutMs: DEADLINE_MS });
    checkRuns(workers, long, quick);
    const delays = long.map((id) => (survivor.begun.get(id)?.[0] ?? Number.NaN) - killedMs);
    return { p95_ms: percentile(delays, 95), wall_s: Math.max(...delays) / 1_000 };
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()));
    await lineshaft.close();
    await store.drop();
  }
}

/** @throws Error where another job than the long ones ran twice, or one of them more often */
function checkRuns(
  workers: readonly KilledWorker[],
  long: readonly string[],
  quick: readonly string[],
): void {
  const runs = (id: string): number =>
    workers.reduce((sum, { begun }) => sum + (begun.get(id)?.length ?? 0), 0);
  const wrong = [...long.filter((id) => runs(id) !== 2), ...quick.filter((id) => runs(id) !== 1)];
  if (wrong.length > 0) throw new Error(`${wrong.length} jobs ran too often, such as ${wrong[0]}`);
}

async function enqueue(lineshaft: Lineshaft, kind: string, count: number): Promise<string[]> {
  const made = await lineshaft.enqueueMany(Array.from({ length: count }, () => ({ kind, queue: QUEUE })));
  return made.map(({ id }) => id);
}

/** A worker process, and which jobs have begun in it, each with the times. */
class KilledWorker {
  readonly begun = new Map<string, number[]>();
  readonly started: Promise<void>;
  /** At most once. */
  readonly kill: () => Promise<void>;
  readonly #child: ChildProcess;

  constructor(settings: { url: string; queue: string; leaseMs: number | null }) {
    this.#child = spawn(process.execPath, [program, JSON.stringify(settings)], {
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.started = new Promise((resolve, reject) => {
      this.#child.on('message', (message: { id?: string; atMs?: number }) => {
        if (message.id === undefined || message.atMs === undefined) resolve();
        else this.begun.set(message.id, [...(this.begun.get(message.id) ?? []), message.atMs]);
      });
      this.#child.once('exit', () => reject(new Error('the worker ended before it had started')));
    });
    this.kill = atEnd(async () => {
      this.#child.kill('SIGKILL');
      await ended;
    });
  }

  /** Lets its jobs end. */
  release(): void {
    this.#child.send('release');
  }
}

async function until(what: string, look: () => boolean): Promise<void> {
  const endMs = monotonicMs() + DEADLINE_MS;
  while (!look()) {
    if (monotonicMs() > endMs) throw new Error(`not within ${DEADLINE_MS / 1_000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
