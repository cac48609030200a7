/** Runs the program of a client against a server. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { release, spawnGuarded } from '../../tools/reference/guard.ts';
import type { Client } from './clients.ts';
import { openProxy } from './proxy.ts';
import { type Recorded, record } from './record.ts';

export interface ClientRun {
  /** What the program saw, in order. */
  readonly lines: readonly object[];
  readonly recorded: readonly Recorded[];
}

const longestMs = 150_000;
const keptCharacters = 6_000;

interface RunOptions {
  /** Whether the client speaks an edition that the server does not. @default false */
  readonly translate?: boolean;
  /** Called with what the program saw, as it comes. */
  readonly tell?: (line: object) => void;
}

/**
 * @param url the address of the server's API
 * @throws Error with the program's last words where it did not end well
 */
export async function runClient(
  client: Client,
  url: string,
  { translate = false, tell }: RunOptions = {},
): Promise<ClientRun> {
  const { program, parameters, env } = await client.setUp();
  const proxy = await openProxy(url, { swift: translate && client.swift === true });
  const child = spawnGuarded(program, parameters, {
    env: { ...process.env, ...env, CONDUCTOR_SERVER_URL: proxy.url },
  });
  const timer = setTimeout(() => release(child), longestMs);
  const lines: object[] = [];
  const see = (line: object): void => {
    lines.push(line);
    tell?.(line);
  };
  let words = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-keptCharacters);
  });
  if (child.stdout !== null) {
    // Some clients log to standard output too.
    createInterface(child.stdout).on('line', (line) => {
      if (line.startsWith('{"') && line.includes('"saw"')) see(JSON.parse(line) as object);
      else words = `${words}${line}\n`.slice(-keptCharacters);
    });
  }
  try {
    const [code] = await once(child, 'close');
    if (code === 0) return { lines, recorded: record(proxy.said) };
    throw new Error(
      `the program of ${client.name} ended with ${code}, seen: ${JSON.stringify(lines.at(-1))}\n${words}`,
    );
  } finally {
    clearTimeout(timer);
    release(child);
    await proxy.close();
  }
}
