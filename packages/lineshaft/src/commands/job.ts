/** `lineshaft job …`: look at jobs, and change what waits. */

import type { JobState, JobSummary } from '@lineshaft/core';
import type { Command } from 'commander';
import { describeTime } from '../durations.ts';
import { hinted, wholeNumber } from '../option-parsers.ts';
import { describeJob, stateStyle, states } from '../output/describe.ts';
import type { Column } from '../output/table.ts';
import { action, type Context, type Session } from './context.ts';
import { cancel, remove, retry } from './job-changes.ts';

interface ListFlags {
  readonly state?: JobState;
  readonly queue?: string;
  readonly kind?: string;
  readonly project?: string;
  readonly limit?: number;
}

export function addJob(program: Command, session: Session): void {
  const job = program.command('job').description('list, show, cancel, retry and delete jobs');
  job
    .command('list')
    .description('jobs, those that need attention first')
    .addOption(hinted('-s, --state <state>', 'only in this state', states))
    .option('-q, --queue <name>', 'only of this queue')
    .option('-k, --kind <kind>', 'only of this kind')
    .option('--project <name>', 'only of this project')
    .option('-n, --limit <number>', 'at most so many, 1 to 1000 (default: 50)', wholeNumber('--limit'))
    .action(action(session, list));
  job
    .command('show')
    .description('all that is known of a job: payload, output, failed attempts with their stacks')
    .argument('<id>', 'id of the job')
    .action(action(session, show));
  job
    .command('cancel')
    .description('end jobs, whether they wait or run')
    .argument('<ids...>', 'ids of the jobs')
    .option('--reason <text>', 'kept with the jobs')
    .action(action<{ reason?: string }>(session, cancel));
  job
    .command('retry')
    .description('give failed jobs new attempts; let scheduled, retrying and blocked ones run at once')
    .argument('<ids...>', 'ids of the jobs')
    .action(action(session, retry));
  job
    .command('delete')
    .description('remove jobs without a trace, unless they run')
    .argument('<ids...>', 'ids of the jobs')
    .action(action(session, remove));
}

async function list(context: Context<ListFlags>): Promise<undefined> {
  const { flags, screen, host } = context;
  const { state, queue, kind, project, limit } = flags;
  const filter = Object.fromEntries(
    Object.entries({ state, queue, kind, project, limit }).filter(([, value]) => value !== undefined),
  );
  const { data } = await context.open();
  const jobs = await data.listJobs(filter);
  const columns: Column<JobSummary>[] = [
    { title: 'id', value: ({ id }) => id },
    { title: 'kind', value: (job) => job.kind },
    {
      title: 'queue',
      value: (job) => (job.project === 'default' ? job.queue : `${job.project}/${job.queue}`),
    },
    { title: 'state', value: (job) => job.state, style: (job) => screen.paint(stateStyle(job.state)) },
    { title: 'attempts', value: ({ attempt }) => attempt, align: 'right' },
    { title: 'when', value: (job) => describeTime(job.at, host.now()) },
    { title: 'error', value: ({ error }) => error ?? '', gives: true },
  ];
  screen.result({ jobs }, () => {
    if (jobs.length > 0) return screen.table(columns, jobs);
    if (Object.keys(filter).some((name) => name !== 'limit'))
      return 'no jobs match; without filters: lineshaft job list';
    return `no jobs yet; enqueue one: lineshaft enqueue hello '{"name":"Ada"}'`;
  });
  return undefined;
}

async function show({ args: [id = ''], screen, host, ...context }: Context): Promise<undefined> {
  const { data } = await context.open();
  const job = await data.showJob(id);
  screen.result(job, () => describeJob(job, screen, host.cwd, host.now()));
  return undefined;
}
