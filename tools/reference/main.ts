/**
 * `node tools/reference/main.ts [PORT]` starts a reference Conductor server with SQLite, tells its address on
 * standard output, and keeps it until it is interrupted: to ask the real one what it answers.
 */
import { startReference } from './server.ts';

const port = Number(process.argv[2] ?? 0);
const server = await startReference({ port });
process.stdout.write(`${server.url}/api\n`);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void server.stop().finally(() => process.exit(0)));
}
