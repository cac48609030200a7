/** `lineshaft queue …`: queues are data; declared, looked at and steered while workers run. */

import type { Queue } from '@lineshaft/core';
import type { Command } from 'commander';
import { describeTime, parseTime } from '../durations.ts';
import { describeQueue, describeQueues } from '../output/describe-queue.ts';
import { action, type Context, type Session } from './context.ts';
import { addDeclareOptions, type DeclareFlags, declarationOf } from './queue-declaration.ts';

interface ProjectFlag {
  readonly project?: string;
}

export function addQueue(program: Command, session: Session): void {
  const queue = program.command('queue').description('list, show, declare, pause, resume and delete queues');
  queue.command('list').description('all queues, and what waits in them').action(action(session, list));
  const named = (name: string, description: string): Command =>
    queue
      .command(name)
      .description(description)
      .argument('<name>', 'name or slug of the queue')
      .option('--project <name>', 'its project (default: default)');
  named('show', 'settings, lanes, who serves it, and builds for which jobs wait and nobody listens').action(
    action<ProjectFlag>(session, show),
  );
  const declare = queue
    .command('declare')
    .description('make a queue, or change the settings that are given')
    .argument('<name>', '1 to 63 letters, digits or _ . -')
    .option('--project <name>', 'its project (default: default)');
  addDeclareOptions(declare).action(action<DeclareFlags & ProjectFlag>(session, declareQueue));
  named('pause', 'let its jobs wait; what runs goes on')
    .option('--until <time>', 'resume by itself: ISO 8601 with a zone, or from now (10m, 1h30m)')
    .action(action<ProjectFlag & { until?: string }>(session, pause));
  named('resume', 'let its jobs run again').action(action<ProjectFlag>(session, resume));
  named('delete', 'remove a queue')
    .option('--purge', 'with the jobs that wait in it')
    .action(action<ProjectFlag & { purge?: boolean }>(session, remove));
}

async function list({ screen, host, open }: Context): Promise<undefined> {
  const { data } = await open();
  const counted = await data.showQueues();
  const queues = counted.map(({ queue }) => queue);
  screen.result({ queues }, () =>
    queues.length === 0
      ? 'no queues; declare one: lineshaft queue declare NAME'
      : describeQueues(counted, screen, host.now()),
  );
  return undefined;
}

async function show({
  screen,
  host,
  flags,
  args: [name = ''],
  open,
}: Context<ProjectFlag>): Promise<undefined> {
  const { data } = await open();
  const shown = await data.showQueue(name, of(flags));
  screen.result(shown, () => describeQueue(shown, screen, host.now()));
  return undefined;
}

async function declareQueue(context: Context<DeclareFlags & ProjectFlag>): Promise<undefined> {
  const { screen, flags, args, open } = context;
  const { data } = await open();
  const queue = await data.declare({ name: args[0] ?? '', ...of(flags), ...declarationOf(flags) });
  screen.result(
    queue,
    () => `queue ${nameOf(queue)} is declared (slug ${queue.slug}); see: lineshaft queue show ${queue.slug}`,
  );
  return undefined;
}

async function pause(context: Context<ProjectFlag & { until?: string }>): Promise<undefined> {
  const { screen, host, flags, args, open } = context;
  const time = flags.until === undefined ? undefined : parseTime(flags.until, '--until', host.now());
  const { data } = await open();
  const [name = ''] = args;
  const { queue: found } = await data.showQueue(name, of(flags));
  // The core checks texts with a zone; only `declare` takes them.
  const queue = await data.declare({
    name: found.name,
    project: found.project,
    state: 'paused',
    ...(time === undefined ? {} : { resumeAt: time }),
  });
  const until =
    queue.resumeAt === undefined ? '' : `; it resumes ${describeTime(queue.resumeAt, host.now())}`;
  screen.result(queue, () => `queue ${nameOf(queue)} is paused${until}`);
  return undefined;
}

async function resume({ screen, flags, args: [name = ''], open }: Context<ProjectFlag>): Promise<undefined> {
  const { data } = await open();
  await data.resumeQueue(name, of(flags));
  const { queue } = await data.showQueue(name, of(flags));
  screen.result(queue, () => `queue ${nameOf(queue)} runs again`);
  return undefined;
}

async function remove(context: Context<ProjectFlag & { purge?: boolean }>): Promise<undefined> {
  const { screen, flags, args, open } = context;
  const { data } = await open();
  const [name = ''] = args;
  await data.deleteQueue(name, { ...of(flags), purge: flags.purge === true });
  screen.result({ deleted: name }, () => `queue ${name} is deleted`);
  return undefined;
}

function of({ project }: ProjectFlag): { project?: string } {
  return project === undefined ? {} : { project };
}

function nameOf({ name, project }: Queue): string {
  return project === 'default' ? name : `${name} (project ${project})`;
}
