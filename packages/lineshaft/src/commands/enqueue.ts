/** `lineshaft enqueue KIND [JSON]`: puts a job into a queue, and waits for it if asked to. */

import { type Command, Option } from 'commander';
import { duration, keyValues, repeated, wholeNumber } from '../option-parsers.ts';
import { action, type Session } from './context.ts';

export interface EnqueueFlags {
  readonly queue?: string;
  readonly project?: string;
  readonly priority?: number;
  readonly delay?: number;
  readonly runAt?: string;
  readonly id?: string;
  readonly unique?: string;
  readonly onConflict?: 'keep' | 'replace' | 'debounce' | 'throttle';
  readonly maxAttempts?: number;
  readonly timeout?: number;
  readonly require?: string[];
  readonly need?: Record<string, string>;
  readonly prefer?: string[];
  readonly preferFor?: number;
  readonly label?: Record<string, string>;
  readonly wait?: true | string;
  readonly tasks?: string;
}

export function addEnqueue(program: Command, session: Session): void {
  program
    .command('enqueue')
    .description('put a job into a queue')
    .argument('<kind>', 'which handler does it: the path of its file in tasks/, without extension')
    .argument('[json]', "payload as JSON; '-' reads it from standard input (default: null)")
    .option('-q, --queue <name>', "queue (default: the kind's, or default)")
    .option('--project <name>', 'project (default: default)')
    .option(
      '-p, --priority <number>',
      'higher runs first, -32768 to 32767 (default: of the queue)',
      wholeNumber('--priority'),
    )
    .addOption(
      new Option('--delay <duration>', 'not before so long from now: 10s, 1h30m')
        .argParser(duration('--delay'))
        .conflicts('runAt'),
    )
    .option('--run-at <time>', 'not before: ISO 8601 with a zone, or from now (10m, 1h30m)')
    .option('--id <uuid>', 'a UUIDv7 of your own: sent twice, it is one job')
    .option('--unique <key>', 'no other job with this key waits or runs')
    .addOption(
      new Option('--on-conflict <how>', 'what to do if the key is taken (default: keep)').choices([
        'keep',
        'replace',
        'debounce',
        'throttle',
      ]),
    )
    .option(
      '--max-attempts <number>',
      'how often it is tried (default: of the queue)',
      wholeNumber('--max-attempts'),
    )
    .option('--timeout <duration>', 'time limit of an attempt', duration('--timeout'))
    .option('--require <tag>', 'the worker must have this tag, such as capability=gpu (repeat)', repeated)
    .option(
      '--need <name=amount>',
      'the worker must have so much free, such as gpu=1 or memory=4Gi (repeat)',
      keyValues('--need'),
    )
    .option('--prefer <tag>', 'workers with this tag go first, such as capability=ssd (repeat)', repeated)
    .option(
      '--prefer-for <duration>',
      'how long the others leave it to them (default: 5s)',
      duration('--prefer-for'),
    )
    .option('--label <key=value>', 'for search (repeat)', keyValues('--label'))
    .option('--wait [timeout]', 'wait until it has finished, print its output; exit code 1 if it failed')
    .option(
      '--tasks <folder>',
      'where its handler may be, for its schema, version and queue (default: tasks)',
    )
    .action(
      action<EnqueueFlags>(session, async (context) => {
        const { enqueue } = await import('../enqueue/enqueue.ts');
        return await enqueue(context);
      }),
    );
}
