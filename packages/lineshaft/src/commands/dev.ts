/** `lineshaft dev`: everything that is needed to try Lineshaft in a folder. */

import type { LogLevel } from '@lineshaft/core';
import type { Command } from 'commander';
import { wholeNumber } from '../option-parsers.ts';
import { logLevelOption } from '../worker/worker-flags.ts';
import { action, type Session } from './context.ts';

export interface DevFlags {
  readonly tasks?: string;
  readonly concurrency?: number;
  readonly ncores?: number;
  readonly port?: number;
  readonly loglevel?: LogLevel;
}

export function addDev(program: Command, session: Session): void {
  program
    .command('dev')
    .description(
      'start a database for this folder, the HTTP server, and a worker for ./tasks, which restarts when they change',
    )
    .option('--tasks <folder>', 'where the handlers are (default: tasks)')
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
      '--port <number>',
      'of the HTTP server; 0: any that is free (default: 8080, or any if that is taken)',
      wholeNumber('--port', 0, 65_535),
    )
    .addOption(logLevelOption())
    .action(
      action<DevFlags>(session, async (context) => {
        const { runDev } = await import('../dev/run-dev.ts');
        return await runDev(context);
      }),
    );
}
