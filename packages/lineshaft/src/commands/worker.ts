/** `lineshaft worker`: runs jobs with the handlers of a folder. `lineshaft worker list`: who else does. */

import { type Command, Option } from 'commander';
import { commaList, duration, keyValues, repeated, wholeNumber } from '../option-parsers.ts';
import { logLevelOption, projectId, sleepMs, type WorkerFlags } from '../worker/worker-flags.ts';
import { action, type Session } from './context.ts';
import { listWorkers } from './worker-list.ts';

export function addWorker(program: Command, session: Session): void {
  const worker = program
    .command('worker')
    .description('run jobs with the handlers in ./tasks')
    .option('--tasks <folder>', 'where the handlers are (default: tasks)');
  addWorkerOptions(worker)
    .option('--once', 'stop when no job is left that can run now')
    .addOption(new Option('--report-finished').hideHelp())
    .addHelpText('after', helpEnd)
    .action(
      action<WorkerFlags>(session, async (context) => {
        const { runWorker } = await import('../worker/run-worker.ts');
        return await runWorker(context);
      }),
    );
  worker
    .command('list')
    .description('the workers that are there, on all machines')
    .action(action(session, listWorkers));
}

/** The flags of a worker, which `dev` has too. */
export function addWorkerOptions(command: Command): Command {
  return command
    .option(
      '-Q, --queues <names>',
      'serve only these queues, by name or slug: a,b (default: by tags)',
      commaList('--queues'),
    )
    .option(
      '-c, --concurrency <slots>',
      'jobs that run at once (default: 100)',
      wholeNumber('--concurrency', 1, 10_000),
    )
    .option(
      '--ncores <number>',
      'threads or processes for jobs that compute',
      wholeNumber('--ncores', 1, 1_024),
    )
    .option(
      '--sleep <seconds>',
      'look for jobs so often when nothing wakes the worker (default: as its queues say)',
      sleepMs,
    )
    .option('--workername <name>', 'name for people, and the tag workername=NAME')
    .option('--capability <name>', 'gives the tag capability=NAME (repeat)', repeated)
    .option('--project-id-filter <id>', 'run only jobs of this project (repeat)', projectId)
    .option('--tag <key=value>', 'gives a tag, which queues and jobs can ask for (repeat)', repeated)
    .option(
      '--offer <name=amount>',
      'what its jobs may need in sum, such as gpu=1 or memory=16Gi (repeat)',
      keyValues('--offer'),
    )
    .addOption(
      new Option('--executor <name>', 'run everything in it, whatever queues and kinds say').choices([
        'async',
        'thread',
        'process',
      ]),
    )
    .option('--worker-id <id>', 'id among all workers (default: host, process and a random part)')
    .option(
      '--max-tasks-per-child <number>',
      'replace a process after so many jobs',
      wholeNumber('--max-tasks-per-child', 0),
    )
    .option(
      '--shutdown-timeout <duration>',
      'how long a stop waits for running jobs (default: 30s)',
      duration('--shutdown-timeout'),
    )
    .option(
      '--build <text>',
      'build of this code (default: LINESHAFT_BUILD, then package version and commit)',
    )
    .addOption(logLevelOption());
}

const helpEnd = `
--concurrency and --ncores, each where it is not given:
  neither     100 slots, a thread or process for each processor
  --ncores N  N slots
  -c N        N threads or processes with --executor thread or process, else at most the processors

The first SIGTERM or Ctrl-C lets running jobs finish, the second gives them back and stops at once.
A file tasks/mail/send.ts that exports a default function handles jobs of kind mail/send.`;
