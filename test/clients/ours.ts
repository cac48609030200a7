/** A server of ours in a process of its own, as a user starts it, on a database of its own. */
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { release, spawnGuarded } from '../../tools/reference/guard.ts';
import { run } from '../../tools/reference/run.ts';

const command = fileURLToPath(new URL('../../packages/lineshaft/dist/main.js', import.meta.url));
const keptCharacters = 20_000;

export interface OurServer {
  /** As `http://127.0.0.1:PORT`; its API is below `/api`. */
  readonly url: string;
  /** Of the process whose tree is the server. */
  readonly pid: number;
  /** The last part of what it has logged. */
  log(): string;
  stop(): Promise<void>;
}

/** @param databaseUrl an empty database */
export async function startOurs(databaseUrl: string): Promise<OurServer> {
  await run(process.execPath, [command, 'migrate', '--database-url', databaseUrl]);
  const parameters = [
    command,
    'server',
    '--json',
    '--port',
    '0',
    '--log-level',
    'warn',
    '--database-url',
    databaseUrl,
  ];
  const server = spawnGuarded(process.execPath, parameters);
  let log = '';
  server.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-keptCharacters);
  });
  const url = await Promise.race([addressFrom(server.stdout), once(server, 'exit').then(() => undefined)]);
  if (url === undefined) throw new Error(`the server did not start:\n${log}`);
  return {
    url,
    pid: server.pid ?? 0,
    log: () => log,
    stop: async () => {
      const ended = once(server, 'exit');
      release(server);
      await ended;
    },
  };
}

/** What the command prints when it is ready is one JSON object, over several lines. */
async function addressFrom(output: Readable | null): Promise<string | undefined> {
  let text = '';
  for await (const part of output?.setEncoding('utf8') ?? []) {
    text += part;
    const found = /"url": *"([^"]+)"/.exec(text);
    if (found !== null) return found[1];
  }
  return undefined;
}
