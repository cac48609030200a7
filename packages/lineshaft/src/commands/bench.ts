/** `lineshaft bench`: how fast this database is as a queue, in under a minute. */

import type { Command } from 'commander';
import { wholeNumber } from '../option-parsers.ts';
import { action, type Session } from './context.ts';

export interface BenchFlags {
  readonly jobs?: number;
}

export function addBench(program: Command, session: Session): void {
  program
    .command('bench')
    .description(
      'measure enqueue, drain and latency on this database, in a schema that is dropped afterwards',
    )
    .option(
      '--jobs <number>',
      'how many are enqueued and drained (default: 50000)',
      wholeNumber('--jobs', 100, 1_000_000),
    )
    .action(
      action<BenchFlags>(session, async (context) => {
        const { bench } = await import('../bench/bench.ts');
        return await bench(context);
      }),
    );
}
