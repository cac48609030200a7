/** Runs a server until it is told to stop. */

import type { Context } from '../commands/context.ts';
import type { ServerFlags } from '../commands/server.ts';
import { serve } from '../compose.ts';
import { consoleLog } from '../output/console-log.ts';
import { exitCodes } from '../output/exit-codes.ts';
import type { Screen } from '../output/screen.ts';
import { StopSignals } from './stop-signals.ts';

/** Starts a server and resolves when it has stopped. */
export async function runServer(context: Context<ServerFlags>): Promise<number> {
  const { flags, host, screen } = context;
  const log = consoleLog(host, flags.logLevel ?? 'info', screen.json);
  const embedded = flags.embedded === true;
  const database = await context.open({
    log,
    embedded,
    create: embedded,
    applicationName: 'lineshaft server',
  });
  // A database of the folder's own is nobody else's to migrate.
  if (database.embedded === undefined) await database.lineshaft.demandSchema();
  else await database.lineshaft.migrate();
  const signals = new StopSignals();
  const service = await serve(database, {
    log,
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(flags.port === undefined ? {} : { port: flags.port }),
  });
  const { url, port, demandsKey } = service;
  screen.result({ url, port, pid: process.pid, database: database.where, demandsKey }, () =>
    describe(url, database.where, demandsKey, screen),
  );
  try {
    await signals.first;
    screen.say('\nstopping; requests may finish, Ctrl-C again cuts them');
    const stopped = service.stop();
    const hurried = await Promise.race([stopped.then(() => false), signals.second.then(() => true)]);
    if (!hurried) return exitCodes.ok;
    await service.stopNow();
    return exitCodes.interrupted;
  } finally {
    signals.end();
  }
}

function describe(url: string, where: string, demandsKey: boolean, screen: Screen): string {
  const keys = demandsKey
    ? 'demanded; more: lineshaft token create'
    : 'none demanded: only this machine can connect';
  return (
    `${screen.style('bold', 'lineshaft server')}  ${url}  ${where}\n${screen.style('dim', 'keys')}  ${keys}\n` +
    `${screen.style('dim', 'try')}   curl ${url}/readyz\n` +
    `      export CONDUCTOR_SERVER_URL=${url}/api    for SDKs of Conductor\n` +
    `${screen.style('dim', 'api')}   ${url}/api-docs    (Ctrl-C stops)`
  );
}
