/**
 * `npm run demo`: audits every package under `node_modules` with Lineshaft.
 *
 * One job per package, hashed in threads of two worker processes; when `waitFor` says that all have finished, a
 * summary job makes the report. Where the database is: see `../database.ts`. The schema is the demo's own and
 * made anew for each run. Another folder `node_modules` may be given as argument.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type FinishedJob, Lineshaft } from '@lineshaft/core';
import { openDatabase } from '../database.ts';
import type { PackageAudit } from './audit-package.ts';
import { findPackages } from './packages.ts';
import { printReport } from './print-report.ts';
import { Progress } from './progress.ts';
import type { Report } from './report.ts';
import { ownSchema } from './schema.ts';
import { Stopwatch } from './stopwatch.ts';
import { count, Terminal } from './terminal.ts';
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts';

const repository = dirname(dirname(import.meta.dirname));
const nodeModules = resolve(process.argv[2] ?? join(repository, 'node_modules'));
const reportFile = resolve('.lineshaft/demo/report.json');
const schema = 'lineshaft_demo';
const workerCount = 2;

const threads = Math.max(1, Math.floor(availableParallelism() / workerCount));

const terminal = new Terminal(process.stdout);
const stopwatch = new Stopwatch(terminal);
const interrupt = new AbortController();
const interrupted = new Promise<never>((_, reject) => {
  interrupt.signal.addEventListener('abort', () => reject(interrupt.signal.reason));
});
interrupted.catch(() => {});
const cleanUps: (() => Promise<void>)[] = [];
let ending = false;
let progress: Progress | undefined;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupt.abort(new Error('interrupted')));
}
process.exitCode = await main();

async function main(): Promise<number> {
  let failure: unknown;
  await run().catch((error: unknown) => {
    failure = error;
  });
  ending = true;
  for (const cleanUp of cleanUps.reverse()) await cleanUp().catch(() => {});
  if (failure === undefined) return 0;
  if (interrupt.signal.aborted) terminal.say('stopped; nothing is left running');
  else console.error(`the demo failed: ${failure instanceof Error ? failure.message : String(failure)}`);
  return interrupt.signal.aborted ? 130 : 1;
}

/** Waits for one step of the demo, or for Ctrl-C if that comes first. */
function step<Result>(work: Promise<Result>): Promise<Result> {
  return Promise.race([work, interrupted]);
}

async function run(): Promise<void> {
  terminal.say('', `${terminal.paint('bold', 'Lineshaft')}  durable jobs on PostgreSQL`, '');
  const database = await step(openDatabase());
  cleanUps.push(() => database.release());
  stopwatch.lap('databaseMs', database.about);

  const own = await step(ownSchema(database.url, schema));
  cleanUps.push(() => own.release());
  const lineshaft = new Lineshaft({ databaseUrl: database.url, schema, applicationName: 'lineshaft demo' });
  cleanUps.push(() => lineshaft.close());
  await step(lineshaft.migrate());
  const queue = { name: 'audit', executor: 'thread', concurrency: threads } as const;
  await step(lineshaft.declare({ ...queue, executorOptions: { size: threads } }));
  stopwatch.lap('schemaMs', `schema ${schema}, with a queue whose jobs run in threads`);

  const workers = startWorkers(database.url);
  await step(Promise.all(workers.map((worker) => worker.ready)));
  const each = `${threads} thread${threads === 1 ? '' : 's'} each`;
  stopwatch.lap('workersMs', `${workerCount} worker processes, ${each}`);

  const report = await audit(lineshaft, workers);
  const { times, totalMs } = stopwatch;
  await mkdir(dirname(reportFile), { recursive: true });
  await writeFile(reportFile, `${JSON.stringify({ ...report, times }, undefined, 2)}\n`);
  printReport(terminal, report, reportFile, totalMs);
}

function startWorkers(databaseUrl: string): WorkerProcess[] {
  return Array.from({ length: workerCount }, (_, number) => {
    const worker = startWorkerProcess({
      name: `worker ${number + 1}`,
      databaseUrl,
      schema,
      onFinished: (jobs) => progress?.workerFinished(number, jobs),
      onLine: (line) => ending || terminal.say(terminal.paint('dim', line)),
    });
    cleanUps.push(() => worker.stop());
    return worker;
  });
}

/** One job for each package, then the summary job that makes the report of what they returned. */
async function audit(lineshaft: Lineshaft, workers: readonly WorkerProcess[]): Promise<Report> {
  const abandoned = allEnded(workers);
  abandoned.catch(() => {});
  const paths = await step(findPackages(nodeModules));
  if (paths.length === 0) throw new Error(`there are no packages in ${nodeModules}`);
  const names = workers.map(({ name }) => name);
  const bar = new Progress(terminal, paths.length, names);
  progress = bar;
  cleanUps.push(async () => bar.stop());
  const requests = paths.map((path) => ({
    kind: 'audit-package',
    queue: 'audit',
    payload: { nodeModules, path },
  }));
  const jobs = await step(lineshaft.enqueueMany(requests));
  const ids = jobs.map(({ id }) => id);
  const shown = ids.map(async (id) => {
    const [job] = await lineshaft.waitFor([id]);
    if (job !== undefined && !ending) bar.packageFinished(outputOf<PackageAudit>(job));
  });
  await step(Promise.race([Promise.all(shown), abandoned]));
  const rate = `${count(Math.round(bar.jobsPerSecond))} jobs/s`;
  bar.stop();
  stopwatch.lap('auditMs', `${count(ids.length)} packages audited, ${rate}`);

  const summary = await step(lineshaft.enqueue('summarise', { ids }));
  const [summed] = await step(Promise.race([lineshaft.waitFor([summary.id]), abandoned]));
  if (summed === undefined) throw new Error('the summary is missing');
  stopwatch.lap('summaryMs', 'summary job');
  return outputOf<Report>(summed);
}

/** What a job returned; an error if it failed. */
function outputOf<Output>(job: FinishedJob): Output {
  if (job.state !== 'succeeded') throw new Error(`job ${job.id} ${job.state}: ${job.error?.message ?? ''}`);
  return job.output as Output;
}

/** Rejects when no worker is left; one that ends alone is mentioned, and the other does its jobs. */
async function allEnded(workers: readonly WorkerProcess[]): Promise<never> {
  const said = workers.map(async ({ ended }) => {
    const how = await ended;
    if (!ending) terminal.say(`${how}; its jobs go to the other`);
  });
  await Promise.all(said);
  throw new Error('both workers have ended');
}
