/**
 * Runs a worker for a folder of tasks until it is told to stop, or with `--once` until nothing is left to do.
 */

import { relative, resolve } from 'node:path';
import { didYouMean, type Log, type Worker, type WorkerEvents } from '@lineshaft/core';
import { buildOf } from '../build.ts';
import type { Context } from '../commands/context.ts';
import type { Data } from '../data.ts';
import { describeDuration } from '../durations.ts';
import { consoleLog } from '../output/console-log.ts';
import { loadPlugins } from '../plugins-file.ts';
import { loadTasks, type Tasks } from '../tasks-folder.ts';
import { UsageError } from '../usage-error.ts';
import { reportFinished } from './report-finished.ts';
import { silenceTypelessWarning } from './silence.ts';
import { type WorkerFlags, workerOptions } from './worker-flags.ts';

/** Starts a worker and resolves when it has stopped. */
export async function runWorker(context: Context<WorkerFlags>): Promise<undefined> {
  const { flags, host, screen } = context;
  const options = workerOptions(flags);
  const log = consoleLog(host, flags.loglevel ?? 'info', screen.json);
  silenceTypelessWarning();
  const directory = resolve(host.cwd, flags.tasks ?? 'tasks');
  const tasks = await loadTasks(directory);
  reportProblems(tasks, directory, log, host.cwd);
  const build = flags.build ?? host.env['LINESHAFT_BUILD'] ?? buildOf(directory);
  const database = await context.open({
    log,
    kinds: tasks.kinds,
    ...(await loadPlugins(directory)),
    build,
    applicationName: 'lineshaft worker',
  });
  const { lineshaft } = database;
  await lineshaft.demandSchema();
  await checkQueues(options.queues, database.data, log);
  await checkProjects(flags.projectIdFilter, database.data, log);
  const worker = lineshaft.worker({ ...options, handlers: tasks.handlers });
  if (flags.reportFinished) reportFinished(worker, log);
  const counts = flags.once ? countEndings(worker) : undefined;
  // Started by another process, as `dev` does: never outlive it.
  process.once('disconnect', () => stop(worker, log));
  const startedMs = performance.now();
  await worker.start();
  await worker.stopped();
  if (counts === undefined) return undefined;
  const { succeeded, failed, later, cancelled } = counts;
  screen.result({ workerId: worker.id, ...counts }, () => {
    const took = describeDuration(performance.now() - startedMs);
    const total = succeeded + failed + later + cancelled;
    if (total === 0) return 'nothing to do: no job is ready for this worker';
    const done = `${succeeded} succeeded, ${failed} failed`;
    return `drained in ${took}: ${done}, ${later} run again later, ${cancelled} cancelled`;
  });
  return undefined;
}

function reportProblems({ problems, handlers }: Tasks, directory: string, log: Log, cwd: string): void {
  for (const { file, message, cause, frame } of problems) {
    // The place says more than the path, and the parser's list of what it expected says nothing.
    const what = frame === undefined ? message : (message.split('. Expected')[0] ?? message);
    log.error(`${relative(cwd, file)} is left out: ${what}${frame === undefined ? '' : `\n${frame}`}`);
    if (frame === undefined && cause instanceof Error && cause.name !== 'LineshaftError')
      log.error(cause.stack ?? '');
  }
  if (Object.keys(handlers).length > 0) return;
  const where = relative(cwd, directory) || '.';
  throw new UsageError(
    problems.length > 0
      ? `no task in ${where} could be loaded; see above`
      : `no tasks in ${where}; write ${where}/hello.ts with: export default (payload) => …, ` +
          'or name another folder with --tasks',
    { field: '--tasks', directory },
  );
}

/** A queue may be declared later, so an unknown one is no error; a slip of the pen is more likely. */
async function checkQueues(names: Iterable<string> | undefined, data: Data, log: Log): Promise<void> {
  if (names === undefined) return;
  const queues = await data.queues();
  const known = queues.flatMap(({ name, slug }) => [name, slug]);
  for (const name of names) {
    if (known.includes(name)) continue;
    const meant = didYouMean(name, known);
    log.warn(`queue '${name}' does not exist yet${meant}; the worker serves it when it is declared`);
  }
}

async function checkProjects(ids: readonly number[] | undefined, data: Data, log: Log): Promise<void> {
  if (ids === undefined) return;
  const known = (await data.projects()).map(({ id }) => id);
  for (const id of ids) {
    if (!known.includes(id)) log.warn(`there is no project ${id} yet; see: lineshaft project list`);
  }
}

interface Endings {
  succeeded: number;
  failed: number;
  later: number;
  cancelled: number;
}

function countEndings(worker: Worker): Endings {
  const counts: Endings = { succeeded: 0, failed: 0, later: 0, cancelled: 0 };
  worker.on('finished', ({ jobs }: WorkerEvents['finished'][0]) => {
    for (const { ending } of jobs) {
      if (ending === 'dead') counts.failed += 1;
      else if (ending === 'succeeded' || ending === 'cancelled' || ending === 'later') counts[ending] += 1;
    }
  });
  return counts;
}

function stop(worker: Worker, log: Log): void {
  worker.stop().catch((error: unknown) => log.error(String(error)));
}
