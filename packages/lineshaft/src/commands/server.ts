/** `lineshaft server`: the HTTP server, with everything that a whole installation needs in one process. */

import type { LogLevel } from '@lineshaft/core';
import type { Command } from 'commander';
import { wholeNumber } from '../option-parsers.ts';
import { logLevelOption } from '../worker/worker-flags.ts';
import { action, type Session } from './context.ts';

export interface ServerFlags {
  readonly host?: string;
  readonly port?: number;
  readonly embedded?: boolean;
  readonly logLevel?: LogLevel;
}

export function addServer(program: Command, session: Session): void {
  program
    .command('server')
    .description(
      'serve workflows over HTTP to workers and clients in any language, in the dialect of Conductor',
    )
    .option('--host <address>', 'where it listens; beyond this machine it demands keys (default: 127.0.0.1)')
    .option('--port <number>', '0: any that is free (default: 8080)', wholeNumber('--port', 0, 65_535))
    .option('--embedded', 'on a database of this folder, in .lineshaft/, which is made if it is not there')
    .addOption(logLevelOption('--log-level'))
    .addHelpText('after', helpEnd)
    .action(
      action<ServerFlags>(session, async (context) => {
        const { runServer } = await import('../server/run-server.ts');
        return await runServer(context);
      }),
    );
}

const helpEnd = `
The process also runs the services of Lineshaft and what needs no worker of yours, such as HTTP steps: one process is
a whole installation. Any number of them may serve one database.

The first SIGTERM or Ctrl-C answers long polls at once and lets requests finish, the second stops at once.
A server beyond this machine needs a key first: lineshaft token create`;
