/** Starts the servers that HTTP benches compare, each with a PostgreSQL of its own, in a process tree of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { atEnd } from '../cleanup.ts';
import { treeCpuSeconds } from '../cpu.ts';
import { repositoryDirectory } from '../paths.ts';

export type HttpSystem = 'lineshaft' | 'conductor';

export interface HttpSite {
  /** The address of the API, ending with `/api`. */
  readonly url: string;
  /** What it runs with, for the report. */
  readonly settings: Record<string, unknown>;
  cpuSeconds(): { readonly server: number; readonly database: number };
  end(): Promise<void>;
}

/** What `site.ts` tells. */
interface Told {
  readonly url: string;
  readonly settings: Record<string, unknown>;
  /** Without the database where it is another one's. */
  readonly pids: { readonly server: number; readonly database?: number };
}

/**
 * The first time the reference server is fetched, which takes a minute or two.
 * @param databaseUrl in place of a database of its own, whose CPU is not counted then
 */
export async function openHttpSite(system: HttpSystem, databaseUrl?: string): Promise<HttpSite> {
  const program = join(repositoryDirectory, 'tools/reference/site.ts');
  const parameters = [program, system, ...(databaseUrl === undefined ? [] : [databaseUrl])];
  const child = spawn(process.execPath, parameters, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const end = atEnd(async () => {
    child.stdin.end();
    await exited;
  });
  const told = await Promise.race([once(createInterface(child.stdout), 'line'), exited]);
  const [line] = told as [unknown];
  if (typeof line !== 'string') throw new Error(`the server ${system} did not start`);
  const { url, settings, pids } = JSON.parse(line) as Told;
  return {
    url: `${url}/api`,
    settings,
    cpuSeconds: () => ({
      server: treeCpuSeconds(pids.server),
      database: pids.database === undefined ? 0 : treeCpuSeconds(pids.database),
    }),
    end,
  };
}
