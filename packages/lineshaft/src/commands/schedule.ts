/** `lineshaft schedule …`: rules that make jobs; declared, looked at and steered while workers run. */

import type { ScheduleDeclaration } from '@lineshaft/core';
import { type Command, Option } from 'commander';
import { describeTime, durationMs, parseTime } from '../durations.ts';
import { readPayload } from '../enqueue/payload.ts';
import { duration, hinted, keyValues, repeated, wholeNumber } from '../option-parsers.ts';
import { describeRuns, describeSchedule, describeSchedules } from '../output/describe-schedule.ts';
import { UsageError } from '../usage-error.ts';
import { action, type Context, type Session } from './context.ts';

interface ProjectFlag {
  readonly project?: string;
}

interface RuleFlags {
  readonly cron?: string;
  readonly zone?: string;
  readonly every?: string;
  readonly start?: string;
  readonly end?: string;
}

interface DeclareFlags extends ProjectFlag, RuleFlags {
  readonly jitter?: number;
  readonly backfill?: string;
  readonly backfillMost?: number;
  readonly overlap?: ScheduleDeclaration['overlap'];
  readonly queue?: string;
  readonly priority?: number;
  readonly maxAttempts?: number;
  readonly timeout?: number;
  readonly require?: string[];
  readonly label?: Record<string, string>;
}

export function addSchedule(program: Command, session: Session): void {
  const schedule = program
    .command('schedule')
    .description('list, show, declare, pause, resume, run and delete schedules, and try rules out');
  schedule
    .command('list')
    .description('all schedules: when they run next, and what became of their last run')
    .option('--project <name>', 'only those of this project')
    .action(action<ProjectFlag>(session, list));
  const named = (name: string, description: string): Command =>
    schedule
      .command(name)
      .description(description)
      .argument('<name>', 'name of the schedule')
      .option('--project <name>', 'its project (default: default)');
  named('show', 'its rule, its next runs and its last one')
    .option('-n, --runs <number>', 'how many of the next runs (default: 5)', wholeNumber('--runs', 0, 1_000))
    .action(action<ProjectFlag & { runs?: number }>(session, show));
  addDeclare(schedule, session);
  named('pause', 'let it make no jobs; what runs goes on')
    .option('--reason <text>', 'why, for those who look')
    .action(action<ProjectFlag & { reason?: string }>(session, pause));
  named('resume', 'let it go on from now').action(action<ProjectFlag>(session, resume));
  named('run', 'enqueue a job of it now, whatever its clock says').action(action<ProjectFlag>(session, run));
  named('delete', 'remove a schedule; its jobs stay').action(action<ProjectFlag>(session, remove));
  withRule(schedule.command('preview').description('when a rule would come due; needs no database'))
    .option('-n, --runs <number>', 'how many runs (default: 10)', wholeNumber('--runs', 1, 1_000))
    .option('--from <time>', 'after this time: ISO 8601 with a zone, or from now (default: now)')
    .action(action<RuleFlags & { runs?: number; from?: string }>(session, preview));
}

function withRule(command: Command): Command {
  return command
    .option('--cron <rule>', "5 fields, or 6 with seconds first, or @daily and the like: '30 2 * * MON-FRI'")
    .option('--zone <name>', 'time zone of the rule, such as Europe/Berlin (default: UTC)')
    .addOption(
      new Option('--every <duration>', 'an interval instead: 15m, 1h30m').conflicts(['cron', 'zone']),
    )
    .option('--start <time>', 'no run before: ISO 8601 with a zone, or from now (10m)')
    .option('--end <time>', 'no run after');
}

function addDeclare(schedule: Command, session: Session): void {
  const declare = schedule
    .command('declare')
    .description(
      'make a schedule, or make it be what is said now; its clock goes on where the rule is the same',
    )
    .argument('<name>', '1 to 63 letters, digits or _ . -')
    .argument('<kind>', 'which handler does its jobs')
    .argument('[json]', "payload of its jobs as JSON; '-' reads it from standard input (default: null)");
  withRule(declare)
    .option(
      '--jitter <duration>',
      'each run comes late by a time of its own below this',
      duration('--jitter'),
    )
    .addOption(
      hinted('--backfill <what>', 'of missed runs: none, last (default), or those within a duration', [
        'none',
        'last',
      ]),
    )
    .option(
      '--backfill-most <number>',
      'at most so many of them (default: 100)',
      wholeNumber('--backfill-most'),
    )
    .addOption(
      new Option('--overlap <policy>', 'while the job before waits or runs (default: allow)').choices([
        'allow',
        'skip',
        'replace',
        'queue',
      ]),
    )
    .option('-q, --queue <name>', 'queue of its jobs (default: default)')
    .option('-p, --priority <number>', 'of its jobs; higher runs first', wholeNumber('--priority'))
    .option('--max-attempts <number>', 'how often a job is tried', wholeNumber('--max-attempts'))
    .option('--timeout <duration>', 'time limit of an attempt', duration('--timeout'))
    .option('--require <tag>', 'the worker must have this tag (repeat)', repeated)
    .option('--label <key=value>', 'of its jobs, for search (repeat)', keyValues('--label'))
    .option('--project <name>', 'its project (default: default)')
    .action(action<DeclareFlags>(session, declareSchedule));
}

async function list({ screen, host, flags, open }: Context<ProjectFlag>): Promise<undefined> {
  const { data } = await open();
  const schedules = await data.schedules(of(flags));
  screen.result({ schedules }, () =>
    schedules.length === 0
      ? "no schedules; declare one: lineshaft schedule declare NAME KIND --cron '0 6 * * *'"
      : describeSchedules(schedules, screen, host.now()),
  );
  return undefined;
}

async function show(context: Context<ProjectFlag & { runs?: number }>): Promise<undefined> {
  const { screen, host, flags, args, open } = context;
  const { data } = await open();
  const more = flags.runs === undefined ? {} : { nextRuns: flags.runs };
  const shown = await data.showSchedule(args[0] ?? '', { ...of(flags), ...more });
  screen.result(shown, () => describeSchedule(shown, screen, host.now()));
  return undefined;
}

async function declareSchedule(context: Context<DeclareFlags>): Promise<undefined> {
  const { screen, host, flags, args, open } = context;
  const [name = '', kind = '', json] = args;
  const payload = await readPayload(json, host.stdin);
  const { jitter, overlap, queue, priority, maxAttempts, timeout, require, label } = flags;
  const options = given({
    queue,
    priority,
    maxAttempts,
    limits: timeout === undefined ? undefined : { timeoutMs: timeout },
    requirements: require,
    labels: label,
  });
  const { data } = await open();
  const declared = await data.schedule({
    ...given({
      ...of(flags),
      ...ruleOf(flags, host.now()),
      jitterMs: jitter,
      overlap,
      backfill: backfillOf(flags),
    }),
    name,
    kind,
    payload,
    options,
  });
  const next =
    declared.nextRunAt === undefined
      ? 'it does not run'
      : `it runs ${describeTime(declared.nextRunAt, host.now())}`;
  const what = { new: 'is declared', changed: 'is changed', kept: 'is as it was' }[declared.result];
  screen.result(declared, () => `schedule ${name} ${what}; ${next}; see: lineshaft schedule show ${name}`);
  return undefined;
}

async function pause(context: Context<ProjectFlag & { reason?: string }>): Promise<undefined> {
  const { screen, flags, args, open } = context;
  const { data } = await open();
  const [name = ''] = args;
  await data.pauseSchedule(name, { ...of(flags), ...given({ reason: flags.reason }) });
  const shown = await data.showSchedule(name, of(flags));
  screen.result(shown, () => `schedule ${name} is paused; let it go on: lineshaft schedule resume ${name}`);
  return undefined;
}

async function resume({ screen, host, flags, args, open }: Context<ProjectFlag>): Promise<undefined> {
  const { data } = await open();
  const [name = ''] = args;
  await data.resumeSchedule(name, of(flags));
  const shown = await data.showSchedule(name, of(flags));
  const next =
    shown.nextRunAt === undefined ? 'it has ended' : `it runs ${describeTime(shown.nextRunAt, host.now())}`;
  screen.result(shown, () => `schedule ${name} goes on; ${next}`);
  return undefined;
}

async function run({ screen, flags, args, open }: Context<ProjectFlag>): Promise<undefined> {
  const { data } = await open();
  const id = await data.runSchedule(args[0] ?? '', of(flags));
  screen.result({ id }, () => id);
  return undefined;
}

async function remove({ screen, flags, args, open }: Context<ProjectFlag>): Promise<undefined> {
  const { data } = await open();
  const [name = ''] = args;
  await data.deleteSchedule(name, of(flags));
  screen.result({ deleted: name }, () => `schedule ${name} is deleted; its jobs stay`);
  return undefined;
}

async function preview(context: Context<RuleFlags & { runs?: number; from?: string }>): Promise<undefined> {
  const { screen, host, flags } = context;
  const { previewRuns } = await import('@lineshaft/core');
  const from = flags.from === undefined ? host.now() : parseTime(flags.from, '--from', host.now());
  const fromTime = new Date(from);
  if (Number.isNaN(fromTime.getTime())) {
    throw new UsageError(`--from must be a time such as 2030-01-31T08:00:00Z, not '${flags.from}'`, {
      field: '--from',
    });
  }
  const runs = previewRuns(ruleOf(flags, host.now()), fromTime, flags.runs ?? 10);
  screen.result({ runs }, () =>
    runs.length === 0 ? 'it never runs after this time' : describeRuns(runs, flags.zone, host.now()),
  );
  return undefined;
}

/** The rule that the flags say, as the core takes and checks it. */
function ruleOf(
  { cron, zone, every, start, end }: RuleFlags,
  nowMs: number,
): Pick<ScheduleDeclaration, 'cron'> {
  return given({
    cron,
    timeZone: zone,
    every,
    startAt: start === undefined ? undefined : parseTime(start, '--start', nowMs),
    endAt: end === undefined ? undefined : parseTime(end, '--end', nowMs),
  });
}

function backfillOf({ backfill, backfillMost }: DeclareFlags): ScheduleDeclaration['backfill'] {
  const withinMs = backfill === undefined ? undefined : durationMs(backfill);
  if (withinMs !== undefined)
    return { withinMs, ...(backfillMost === undefined ? {} : { most: backfillMost }) };
  if (backfillMost !== undefined) {
    throw new UsageError('--backfill-most needs --backfill with a duration, such as --backfill 24h', {
      field: '--backfill-most',
    });
  }
  // The core checks it, and suggests what was meant.
  return backfill as ScheduleDeclaration['backfill'];
}

function of({ project }: ProjectFlag): { project?: string } {
  return project === undefined ? {} : { project };
}

function given<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
