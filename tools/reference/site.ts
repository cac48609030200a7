/**
 * `node tools/reference/site.ts conductor|lineshaft [DATABASE_URL]` starts a server on loopback for benches, with a PostgreSQL
 * of its own, as durable as an installation, unless it is given a database: tells `{url, settings, pids}` on standard output,
 * and ends with its parent.
 */
import { createDatabase, startServer } from '../../packages/core/src/testing/server.ts';
import { type OurServer, startOurs } from '../../test/clients/ours.ts';
import { conductorServer } from './pins.ts';
import { startReference } from './server.ts';

const [which, given] = process.argv.slice(2);
if (which !== 'conductor' && which !== 'lineshaft')
  throw new Error('usage: site.ts conductor|lineshaft [DATABASE_URL]');

// PostgreSQL's own default; the servers of tests have less.
const postgres =
  given === undefined
    ? await startServer(18, { fsync: true, settings: { shared_buffers: '128MB' } })
    : undefined;
const databaseUrl = postgres === undefined ? (given ?? '') : await createDatabase(postgres);
const server: Pick<OurServer, 'url' | 'pid' | 'stop'> & {
  readonly settings?: Readonly<Record<string, string>>;
} =
  which === 'conductor'
    ? await startReference({ databaseUrl, heap: '2g', quickStart: false })
    : await startOurs(databaseUrl);
const version = which === 'conductor' ? { version: conductorServer.version, heap: '2g' } : {};
const told = {
  url: server.url,
  settings: { ...version, ...server.settings },
  pids: { server: server.pid, database: postgres?.pid },
};
process.stdout.write(`${JSON.stringify(told)}\n`);

let ending = false;
process.stdin.resume().once('end', end);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);

function end(): void {
  if (ending) return;
  ending = true;
  void server
    .stop()
    .then(() => postgres?.stop())
    .finally(() => process.exit(0));
}
