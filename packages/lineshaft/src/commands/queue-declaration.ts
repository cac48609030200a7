/** The options of `queue declare`, which are the settings of a queue. */

import type { QueueDeclaration, RetryRule } from '@lineshaft/core';
import { type Command, Option } from 'commander';
import { duration, keyValues, repeated, wholeNumber } from '../option-parsers.ts';
import { retryRule } from '../retry-rule.ts';

/** What the parser makes of the options; absent: unchanged, or the default in a new queue. */
export interface DeclareFlags {
  readonly concurrency?: number;
  readonly tag?: string[];
  readonly executor?: NonNullable<QueueDeclaration['executor']>;
  readonly ncores?: number;
  readonly maxTasksPerChild?: number;
  readonly memory?: number;
  readonly poll?: number;
  readonly priority?: number;
  readonly weight?: number;
  readonly maxAttempts?: number;
  readonly backoff?: 'fixed' | 'linear' | 'exponential';
  readonly backoffDelay?: number;
  readonly backoffLimit?: number;
  readonly retryRule?: RetryRule[];
  readonly need?: Record<string, string>;
  readonly timeout?: number;
  readonly keep?: number;
  readonly keepFailed?: number;
  readonly keepMost?: number;
  readonly wake?: NonNullable<QueueDeclaration['wake']>;
}

export function addDeclareOptions(command: Command): Command {
  return command
    .option(
      '-c, --concurrency <number>',
      'how many jobs of it one worker runs at once',
      wholeNumber('--concurrency'),
    )
    .option(
      '--tag <pattern>',
      "workers with this tag serve it: key=value, key=*, '*' or /…/ (repeat)",
      repeated,
    )
    .addOption(
      new Option('--executor <name>', 'how its jobs run').choices(['async', 'thread', 'process', 'command']),
    )
    .option('--ncores <number>', 'threads or processes of its executor', wholeNumber('--ncores'))
    .option(
      '--max-tasks-per-child <number>',
      'replace a process after so many jobs',
      wholeNumber('--max-tasks-per-child'),
    )
    .option('--memory <mib>', 'limit of a job in MiB', wholeNumber('--memory'))
    .option('--poll <duration>', 'how often workers look that were not woken', duration('--poll'))
    .option('-p, --priority <number>', 'of jobs that name none; higher runs first', wholeNumber('--priority'))
    .option(
      '--weight <number>',
      'how often its turn comes among queues of its priority',
      wholeNumber('--weight'),
    )
    .option('--max-attempts <number>', 'of jobs that name none', wholeNumber('--max-attempts'))
    .addOption(
      new Option('--backoff <type>', 'how the wait between attempts grows').choices([
        'fixed',
        'linear',
        'exponential',
      ]),
    )
    .option(
      '--backoff-delay <duration>',
      'wait after the first failed attempt (default: 1s)',
      duration('--backoff-delay'),
    )
    .option('--backoff-limit <duration>', 'the longest wait (default: 1h)', duration('--backoff-limit'))
    .option(
      '--retry-rule <rule>',
      'ERROR=fail, ERROR=ATTEMPTS, ERROR=fixed:5s or ERROR=exponential:1s; ERROR is a name, a code or ' +
        'an expression for the message, /…/ (repeat; the first that matches decides; none: remove all)',
      retryRule,
    )
    .option(
      '--need <name=amount>',
      'what each of its jobs needs of its worker, such as memory=1Gi (repeat)',
      keyValues('--need'),
    )
    .option('--timeout <duration>', 'time limit of an attempt', duration('--timeout'))
    .option('--keep <duration>', 'how long succeeded jobs are remembered; 0: not at all', duration('--keep'))
    .option('--keep-failed <duration>', 'how long failed and cancelled jobs are', duration('--keep-failed'))
    .option(
      '--keep-most <number>',
      'how many jobs of each outcome are remembered at most, the newest',
      wholeNumber('--keep-most', 0),
    )
    .addOption(
      new Option(
        '--wake <when>',
        'how workers hear of jobs that are enqueued in a transaction of an application',
      ).choices(['auto', 'always', 'never']),
    );
}

/** The settings that were given, as the core takes and checks them. */
export function declarationOf(flags: DeclareFlags): Omit<QueueDeclaration, 'name' | 'project'> {
  const { concurrency, tag, executor, priority, weight, maxAttempts, wake } = flags;
  const mib = 1024 * 1024;
  const executorOptions = given({ size: flags.ncores, maxTasksPerChild: flags.maxTasksPerChild });
  const limits = given({
    timeoutMs: flags.timeout,
    memoryBytes: flags.memory === undefined ? undefined : flags.memory * mib,
  });
  const retention = given({
    succeededMs: flags.keep,
    failedMs: flags.keepFailed,
    cancelledMs: flags.keepFailed,
    succeededMax: flags.keepMost,
    failedMax: flags.keepMost,
    cancelledMax: flags.keepMost,
  });
  const grows = flags.backoff ?? flags.backoffDelay ?? flags.backoffLimit;
  const backoff =
    grows === undefined
      ? undefined
      : {
          type: flags.backoff ?? 'exponential',
          delayMs: flags.backoffDelay ?? 1_000,
          ...given({ limitMs: flags.backoffLimit }),
        };
  return given({
    ...given({
      concurrency,
      tags: tag,
      executor,
      priority,
      weight,
      maxAttempts,
      wake,
      backoff,
      retryRules: flags.retryRule,
      needs: flags.need,
      pollingIntervalMs: flags.poll,
    }),
    executorOptions: filled(executorOptions),
    limits: filled(limits),
    retention: filled(retention),
  }) as Omit<QueueDeclaration, 'name' | 'project'>;
}

function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function filled(fields: Record<string, unknown>): Record<string, unknown> | undefined {
  return Object.keys(fields).length === 0 ? undefined : fields;
}
