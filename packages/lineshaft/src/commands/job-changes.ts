/** Changes of jobs from the command line, and what is said of them. */

import type { JobChange } from '@lineshaft/core';
import { exitCodes } from '../output/exit-codes.ts';
import type { Context } from './context.ts';

export async function retry(context: Context): Promise<number> {
  const { data } = await context.open();
  return await report(context, 'retry', data.retry(ids(context)));
}

export async function remove(context: Context): Promise<number> {
  const { data } = await context.open();
  return await report(context, 'delete', data.deleteJobs(ids(context)));
}

export async function cancel(context: Context<{ reason?: string }>): Promise<number> {
  const { data } = await context.open();
  const { reason } = context.flags;
  return await report(
    context,
    'cancel',
    data.cancel(ids(context), reason ?? 'cancelled from the command line'),
  );
}

function ids({ args }: Context): string[] {
  return args.filter((id) => id !== undefined);
}

const meanings: Readonly<Record<string, string>> = {
  cancelled: 'cancelled',
  retried: 'runs again',
  deleted: 'deleted',
  ready: 'waits for a worker already',
  running: 'runs now',
  finished: 'has finished already',
  unknown: 'not found: it never existed, or its history has been dropped',
};
/** Results that are not what was asked for. */
const refused: Readonly<Record<string, readonly Verb[]>> = {
  running: ['retry', 'delete'],
  finished: ['cancel', 'retry'],
};

type Verb = 'cancel' | 'retry' | 'delete';

/** Says what became of each job; the exit code is that of the worst. */
async function report({ screen }: Context, verb: Verb, changes: Promise<JobChange[]>): Promise<number> {
  const jobs = await changes;
  const worst = jobs.reduce((code, { result }) => {
    if (result === 'unknown') return exitCodes['not-found'];
    return code === 0 && refused[result]?.includes(verb) ? exitCodes.conflict : code;
  }, exitCodes.ok as number);
  screen.result({ jobs }, () => jobs.map(({ id, result }) => `${id}  ${meaningOf(verb, result)}`).join('\n'));
  return worst;
}

function meaningOf(verb: Verb, result: string): string {
  if (verb === 'cancel' && result === 'running') return 'cancelled; its running attempt is asked to end';
  return meanings[result] ?? result;
}
